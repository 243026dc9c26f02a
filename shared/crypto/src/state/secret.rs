//! SECRET: one version of one key's value (CRYPTO.md §2.5, 28).

use keyward_wire::{Envelope, KeyId, OrgId, Purpose};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{V1, open_document, seal_document};
use crate::TooLarge;
use crate::{Context, DataKey, Integrity};

/// A value and what belongs to it. Any bytes, at most [`VALUE_BYTES`](keyward_wire::limits::VALUE_BYTES).
pub struct Secret {
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// A note for people, shown by `key show`.
    pub note: Option<Zeroizing<String>>,
}

/// Where a SECRET stands: its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretPlace {
    /// Organisation.
    pub org: OrgId,
    /// Key.
    pub key: KeyId,
    /// Version, from 1.
    pub version: u64,
    /// How often this version was resealed.
    pub reseal: u64,
}

impl Secret {
    /// A value without a note.
    pub fn new(value: Zeroizing<Vec<u8>>) -> Self {
        Self { value, note: None }
    }

    /// Seals it.
    ///
    /// # Errors
    /// [`TooLarge`] if value and note do not fit an envelope.
    pub fn seal(&self, dek: &DataKey, place: SecretPlace) -> Result<Envelope, TooLarge> {
        if self.value.len() > keyward_wire::limits::VALUE_BYTES {
            return Err(TooLarge);
        }
        let mut document =
            Document { v: V1, value: None, value_b64: None, note: self.note.as_ref().map(|n| n.to_string()) };
        match std::str::from_utf8(&self.value) {
            Ok(text) => document.value = Some(text.to_owned()),
            Err(_) => document.value_b64 = Some(data_encoding::BASE64URL_NOPAD.encode(&self.value)),
        }
        seal_document(dek, &place.context(), &document)
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Integrity`] if it is not what was sealed for this place under this key.
    pub fn open(dek: &DataKey, place: SecretPlace, envelope: &Envelope) -> Result<Self, Integrity> {
        let mut document: Document = open_document(dek, &place.context(), envelope)?;
        let value = match (document.value.take(), document.value_b64.take().map(Zeroizing::new)) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => {
                data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Integrity)?
            }
            _ => return Err(Integrity),
        };
        Ok(Self { value: Zeroizing::new(value), note: document.note.take().map(Zeroizing::new) })
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Drop for Document {
    fn drop(&mut self) {
        self.value.zeroize();
        self.value_b64.zeroize();
        self.note.zeroize();
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
        fn any_bytes_come_back(value in proptest::collection::vec(any::<u8>(), 0..2000), note in proptest::option::of(".*")) {
            let dek = DataKey::generate();
            let secret = Secret { value: Zeroizing::new(value.clone()), note: note.clone().map(Zeroizing::new) };
            let back = Secret::open(&dek, PLACE, &secret.seal(&dek, PLACE).unwrap()).unwrap();
            prop_assert_eq!(&*back.value, &value);
            prop_assert_eq!(back.note.map(|n| n.to_string()), note);
        }
    }

    #[test]
    fn a_document_with_both_neither_or_more_is_refused() {
        let dek = DataKey::generate();
        for json in [
            r#"{"v":1}"#,
            r#"{"v":1,"value":"a","value_b64":"YQ"}"#,
            r#"{"v":1,"value":"a","inject":{}}"#,
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
