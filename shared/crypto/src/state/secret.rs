//! SECRET: one version of one key's value (CRYPTO.md §2.5, 28).

use std::collections::BTreeMap;
use std::fmt;

use keyward_wire::{Envelope, KeyId, OrgId, Purpose};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use super::{V1, open_document, seal_document};
use crate::TooLarge;
use crate::{Context, DataKey, Integrity};

/// A value with its fields, rule and note. The value is any bytes, at most [`VALUE_BYTES`](keyward_wire::limits::VALUE_BYTES).
pub struct Secret {
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// Further values that the rule writes beside the value, such as the user of Basic, by the names that its templates have for
    /// them.
    pub fields: Fields,
    /// The rule, which says where the gateway may write the value (RULES.md): a JSON object, in the text that was sealed. It is
    /// parsed only where it is needed, so a program that only wants the value does not pay for it, and a program that cannot read
    /// the rule of a later version passes it on.
    pub inject: Option<Zeroizing<String>>,
    /// A note for people, shown by `key show`.
    pub note: Option<Zeroizing<String>>,
}

/// Further values of a key, by name.
pub type Fields = BTreeMap<String, Zeroizing<String>>;

/// The context of a SECRET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretPlace {
    /// The organisation.
    pub org: OrgId,
    /// The key.
    pub key: KeyId,
    /// The version, from 1.
    pub version: u64,
    /// How often this version was resealed.
    pub reseal: u64,
}

impl Secret {
    /// A secret of a value alone, without fields, rule or note.
    pub fn new(value: Zeroizing<Vec<u8>>) -> Self {
        Self { value, fields: Fields::new(), inject: None, note: None }
    }

    /// Seals SECRET.
    ///
    /// # Errors
    /// [`TooLarge`] if the value is larger than it may be, or the whole does not fit an envelope.
    ///
    /// # Panics
    /// If `inject` is not JSON: it comes from a rule, or from another SECRET.
    pub fn seal(&self, dek: &DataKey, place: SecretPlace) -> Result<Envelope, TooLarge> {
        if self.value.len() > keyward_wire::limits::VALUE_BYTES {
            return Err(TooLarge);
        }
        let raw = |json: &Zeroizing<String>| RawValue::from_string(json.to_string()).expect("a rule is JSON");
        let mut document = Document {
            v: V1,
            value: None,
            value_b64: None,
            fields: SealedFields(self.fields.clone()),
            inject: self.inject.as_ref().map(raw),
            note: self.note.as_ref().map(|n| n.to_string()),
        };
        match std::str::from_utf8(&self.value) {
            Ok(text) => document.value = Some(text.to_owned()),
            Err(_) => document.value_b64 = Some(data_encoding::BASE64URL_NOPAD.encode(&self.value)),
        }
        seal_document(dek, &place.context(), &document)
    }

    /// Opens SECRET.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not what was sealed for this place under this key.
    pub fn open(dek: &DataKey, place: SecretPlace, envelope: &Envelope) -> Result<Self, Integrity> {
        let mut document: Document = open_document(dek, &place.context(), envelope)?;
        let value = match (document.value.take(), document.value_b64.as_ref()) {
            (Some(text), None) => Zeroizing::new(text.into_bytes()),
            (None, Some(text)) => {
                let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes());
                bytes.map(Zeroizing::new).map_err(|_| Integrity)?
            }
            (value, _) => {
                drop(value.map(Zeroizing::new));
                return Err(Integrity);
            }
        };
        let inject = document.inject.take().map(|raw| Zeroizing::new(String::from(Box::<str>::from(raw))));
        if inject.as_ref().is_some_and(|json| !json.starts_with('{')) {
            return Err(Integrity);
        }
        Ok(Self {
            value,
            fields: std::mem::take(&mut document.fields.0),
            inject,
            note: document.note.take().map(Zeroizing::new),
        })
    }
}

impl SecretPlace {
    fn context(self) -> Context {
        Context::new(Purpose::Secret).org(self.org).b(self.key.as_bytes()).n1(self.reseal).n2(self.version)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    v: V1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_b64: Option<String>,
    #[serde(default, skip_serializing_if = "SealedFields::is_empty")]
    fields: SealedFields,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inject: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// An object of texts, in which no name stands twice.
#[derive(Default)]
struct SealedFields(Fields);

impl SealedFields {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for SealedFields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, text.as_str())))
    }
}

impl<'de> Deserialize<'de> for SealedFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = SealedFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SealedFields, A::Error> {
                let mut fields = Fields::new();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    if fields.insert(name, Zeroizing::new(text)).is_some() {
                        return Err(A::Error::custom("a field stands twice"));
                    }
                }
                if fields.is_empty() { Err(A::Error::custom("no fields")) } else { Ok(SealedFields(fields)) }
            }
        }

        deserializer.deserialize_map(Texts)
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        self.value.zeroize();
        self.value_b64.zeroize();
        self.note.zeroize();
        // A person may have written the value into the rule, so its text is wiped, too.
        drop(self.inject.take().map(|raw| Zeroizing::new(String::from(Box::<str>::from(raw)))));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: SecretPlace = SecretPlace {
        org: OrgId::from_bytes([1; 16]),
        key: KeyId::from_bytes([4; 16]),
        version: 3,
        reseal: 1,
    };

    proptest! {
        #[test]
        fn all_of_it_comes_back(
            value in proptest::collection::vec(any::<u8>(), 0..2000),
            fields in proptest::collection::btree_map(".*", ".*", 0..4),
            inject in proptest::option::of(proptest::collection::btree_map(".*", ".*", 0..4)),
            note in proptest::option::of(".*"),
        ) {
            let dek = DataKey::generate();
            let secret = Secret {
                value: Zeroizing::new(value.clone()),
                fields: fields.into_iter().map(|(name, text)| (name, Zeroizing::new(text))).collect(),
                inject: inject.map(|object| Zeroizing::new(serde_json::to_string_pretty(&object).unwrap())),
                note: note.map(Zeroizing::new),
            };
            let back = Secret::open(&dek, PLACE, &secret.seal(&dek, PLACE).unwrap()).unwrap();
            prop_assert_eq!(&*back.value, &value);
            prop_assert!(back.fields == secret.fields && back.inject == secret.inject && back.note == secret.note);
        }
    }

    #[test]
    fn a_document_with_both_neither_or_more_is_refused() {
        let dek = DataKey::generate();
        for json in [
            r#"{"v":1}"#,
            r#"{"v":1,"value":"a","value_b64":"YQ"}"#,
            r#"{"v":1,"value":"a","surprise":{}}"#,
            r#"{"v":1,"value":"a","inject":[]}"#,
            r#"{"v":1,"value":"a","inject":"x"}"#,
            r#"{"v":1,"value":"a","inject":{},"inject":{}}"#,
            r#"{"v":1,"value":"a","fields":{}}"#,
            r#"{"v":1,"value":"a","fields":{"a":1}}"#,
            r#"{"v":1,"value":"a","fields":{"a":"1","a":"2"}}"#,
            r#"{"v":1,"value":"a","fields":["a"]}"#,
            r#"{"v":1,"value":"a","value":"a"}"#,
            r#"{"v":2,"value":"a"}"#,
            r#"{"value":"a","v":1}"#,
            r#"{"v":1,"value_b64":"YQ=="}"#,
            r#"{"v":1,"value":"a"} "#,
        ] {
            let envelope = crate::envelope::seal(&dek, &PLACE.context(), json.as_bytes()).unwrap();
            let read = Secret::open(&dek, PLACE, &envelope).is_ok();
            assert_eq!(read, json.ends_with("} "), "{json}");
        }
    }

    #[test]
    fn another_place_does_not_open_it() {
        let dek = DataKey::generate();
        let envelope = Secret::new(Zeroizing::new(b"hunter2".to_vec())).seal(&dek, PLACE).unwrap();
        for place in [
            SecretPlace { org: OrgId::from_bytes([2; 16]), ..PLACE },
            SecretPlace { key: KeyId::from_bytes([5; 16]), ..PLACE },
            SecretPlace { version: 2, ..PLACE },
            SecretPlace { reseal: 0, ..PLACE },
        ] {
            assert!(Secret::open(&dek, place, &envelope).is_err());
        }
    }

    #[test]
    fn a_value_of_63_kib_fits_and_one_more_byte_does_not() {
        let dek = DataKey::generate();
        let full = vec![1; keyward_wire::limits::VALUE_BYTES];
        assert!(Secret::new(Zeroizing::new(full.clone())).seal(&dek, PLACE).is_ok());
        assert!(Secret::new(Zeroizing::new([full, vec![1]].concat())).seal(&dek, PLACE).is_err());
    }
}
