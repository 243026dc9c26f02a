//! The sealed documents: typed plaintexts, one file each (CRYPTO.md §2.5, §2.6).
//!
//! Sealed JSON is UTF-8 whose first field is `v: 1`; ids and byte strings are unpadded base64url; an unknown or duplicate
//! field is [`Integrity`]. Documents derive `Serialize` because sealing needs it; the buffer they are written to is
//! wiped, and the keys in them have no `Serialize` of their own.

pub mod cred;
pub mod grant;
pub mod local;
pub mod org;
pub mod roots;
pub mod secret;
mod text;
pub mod view;

use std::io;

use keyward_wire::Envelope;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::absent::{assert_absent, assert_secret};
use crate::{Context, Integrity, Key, TooLarge, open, seal};

/// Asserts that documents are serialised when they are sealed, but never shown, copied or compared.
macro_rules! assert_sealed {
    ($($type:ty),+ $(,)?) => {$(
        assert_absent!($type: std::fmt::Debug, std::fmt::Display, Clone, PartialEq, AsRef<[u8]>);
    )+};
}

assert_sealed!(
    cred::Cred,
    grant::Grant,
    org::Identity,
    org::KeyEntry,
    org::OldVersion,
    org::Org,
    org::ViewEntry,
    roots::OrgKeyDocument,
    roots::Recovery,
    view::View,
    view::ViewKeyEntry,
);
assert_secret!(secret::Secret);

/// The version of a document: the number 1, and only that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct V1;

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(Self),
            _ => Err(D::Error::custom("unknown version")),
        }
    }
}

/// Seals a document.
pub(crate) fn seal_document<K: Key, T: Serialize>(
    key: &K,
    context: &Context,
    document: &T,
) -> Result<Envelope, TooLarge> {
    seal(key, context, &to_json(document))
}

/// Opens a document. A document that cannot be read is as wrong as one that does not open.
pub(crate) fn open_document<K: Key, T: DeserializeOwned>(
    key: &K,
    context: &Context,
    envelope: &Envelope,
) -> Result<T, Integrity> {
    let json = open(key, context, envelope)?;
    if !json.starts_with(br#"{"v":1,"#) {
        return Err(Integrity);
    }
    keyward_wire::json::from_slice(&json).map_err(|_| Integrity)
}

/// Checks that the integers of sealed JSON are below 2^53: counting up from one never overflows, and JavaScript reads it exactly.
pub(crate) fn check_numbers(mut numbers: impl Iterator<Item = u64>) -> Result<(), Integrity> {
    if numbers.all(|number| number < 1 << 53) { Ok(()) } else { Err(Integrity) }
}

/// Times as such numbers. A time before 1970 fails the check.
pub(crate) fn times(times: impl Iterator<Item = Option<i64>>) -> impl Iterator<Item = u64> {
    times.flatten().map(|time| u64::try_from(time).unwrap_or(u64::MAX))
}

/// The document as JSON, written once into a buffer of the right size, so that no copy is left behind by growth.
pub(crate) fn to_json<T: Serialize>(document: &T) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, document).expect("documents have string keys and no failing parts");
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *json, document).expect("it was written once already");
    json
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
