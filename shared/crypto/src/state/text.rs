//! Text of ids and keys in sealed JSON: unpadded base64url, strict. For `#[serde(with = …)]`.

use data_encoding::BASE64URL_NOPAD;
use keyward_wire::id::Id;
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};
use zeroize::Zeroizing;

/// An id: 22 characters.
pub(super) mod id {
    use super::{BASE64URL_NOPAD, Bytes, Deserializer, Id, Serializer};

    pub(in crate::state) fn serialize<T: Id, S: Serializer>(
        id: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64URL_NOPAD.encode(id.as_bytes()))
    }

    pub(in crate::state) fn deserialize<'de, T: Id, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        deserializer.deserialize_str(Bytes::<16>).map(|bytes| T::from_bytes(*bytes))
    }
}

/// An id that may be absent; used with `default` and `skip_serializing_if`.
pub(super) mod some_id {
    use super::{Deserializer, Id, Serializer, id};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(in crate::state) fn serialize<T: Id, S: Serializer>(
        some: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match some {
            Some(some) => id::serialize(some, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::state) fn deserialize<'de, T: Id, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        id::deserialize(deserializer).map(Some)
    }
}

/// A sorted set of ids.
pub(super) mod ids {
    use std::collections::BTreeSet;

    use serde::de::{SeqAccess, Visitor};
    use serde::{Deserialize, Serialize};

    use super::{Deserializer, Error, Id, Serializer, id};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent, bound = "")]
    struct One<T: Id>(#[serde(with = "id")] T);

    pub(in crate::state) fn serialize<T: Id, S: Serializer>(
        ids: &BTreeSet<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(|id| One(*id)))
    }

    pub(in crate::state) fn deserialize<'de, T: Id, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<T>, D::Error> {
        struct Ids<T>(std::marker::PhantomData<T>);

        impl<'de, T: Id> Visitor<'de> for Ids<T> {
            type Value = BTreeSet<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of ids")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut ids = BTreeSet::new();
                while let Some(One(id)) = seq.next_element()? {
                    if !ids.insert(id) {
                        return Err(A::Error::custom("an id stands twice"));
                    }
                }
                Ok(ids)
            }
        }

        deserializer.deserialize_seq(Ids(std::marker::PhantomData))
    }
}

/// A key: 43 characters, wiped after use.
pub(super) mod key {
    use super::{BASE64URL_NOPAD, Bytes, Deserializer, Serializer, Zeroizing};
    use crate::Key;

    pub(in crate::state) fn serialize<K: Key, S: Serializer>(
        key: &K,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(BASE64URL_NOPAD.encode(key.bytes())))
    }

    pub(in crate::state) fn deserialize<'de, K: Key, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<K, D::Error> {
        deserializer.deserialize_str(Bytes::<32>).map(K::from_zeroizing)
    }
}

/// Reads exactly `N` bytes of strict base64url.
struct Bytes<const N: usize>;

impl<const N: usize> Visitor<'_> for Bytes<N> {
    type Value = Zeroizing<[u8; N]>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{N} bytes in unpadded base64url")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let mut bytes = Zeroizing::new([0; N]);
        if BASE64URL_NOPAD.decode_len(text.len()) != Ok(N)
            || BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut *bytes).is_err()
        {
            return Err(E::custom("not unpadded base64url of the right length"));
        }
        Ok(bytes)
    }
}
