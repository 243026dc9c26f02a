//! The sealed blob, as everybody but its reader sees it (CRYPTO.md §2.3).
//!
//! `"KWE1" ‖ purpose u8 ‖ suite u8 ‖ 00 00 ‖ N[32] ‖ C[32] ‖ ct ‖ tag[16]`, 88 bytes around a padded plaintext whose
//! length is a power of two from 512.

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Sha256;
use crate::limits::STATE_BYTES;

/// Bytes around the padded plaintext: header 8, N 32, C 32, tag 16.
pub const OVERHEAD: usize = 88;

/// Smallest padded plaintext, in bytes.
pub const MIN_BUCKET: usize = 512;

/// The only suite.
pub const SUITE: u8 = 1;

/// What an envelope holds. The code is in its public header and in its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// An identity's own key, under a credential's unlock key.
    Cred = 0x20,
    /// The root key, under the recovery credential's unlock key.
    Recovery = 0x21,
    /// An identity's key for its enroller.
    Escrow = 0x22,
    /// The root key for an owner.
    Root = 0x23,
    /// The organisation key of an epoch, under the root key.
    OrgKeyRoot = 0x24,
    /// The organisation key of an epoch, for an owner or admin.
    OrgKeyAdmin = 0x25,
    /// The whole state of an organisation.
    Org = 0x26,
    /// VIEW: what one set of groups, or one gateway, may read.
    View = 0x27,
    /// SECRET: one version of one key's value.
    Secret = 0x28,
    /// The key of a view, for one identity.
    Grant = 0x29,
    /// A client's own memory.
    Local = 0x2e,
}

impl Purpose {
    /// The purpose of this code.
    pub fn from_code(code: u8) -> Option<Self> {
        ALL.into_iter().find(|purpose| purpose.code() == code)
    }

    /// The purpose's code in header and context.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Every purpose of suite 1 that this version reads.
const ALL: [Purpose; 11] = [
    Purpose::Cred,
    Purpose::Recovery,
    Purpose::Escrow,
    Purpose::Root,
    Purpose::OrgKeyRoot,
    Purpose::OrgKeyAdmin,
    Purpose::Org,
    Purpose::View,
    Purpose::Secret,
    Purpose::Grant,
    Purpose::Local,
];

/// The bytes are not an envelope of suite 1: wrong magic, purpose, suite, reserved byte or length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an envelope of suite 1")]
pub struct EnvelopeError;

/// Opaque sealed bytes with a valid public header. In JSON: unpadded base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope(Vec<u8>);

impl Envelope {
    /// Checks header and length; nothing else can be checked without the key.
    ///
    /// # Errors
    /// [`EnvelopeError`], if the bytes are not an envelope.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        let (b"KWE1", [purpose, SUITE, 0, 0, ..]) = bytes.split_at_checked(4).ok_or(EnvelopeError)? else {
            return Err(EnvelopeError);
        };
        Purpose::from_code(*purpose).ok_or(EnvelopeError)?;
        let padded = bytes.len().checked_sub(OVERHEAD).ok_or(EnvelopeError)?;
        if !(MIN_BUCKET..=STATE_BYTES + 4).contains(&padded) || !padded.is_power_of_two() {
            return Err(EnvelopeError);
        }
        Ok(Self(bytes))
    }

    /// All of its bytes, header first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// All of its bytes, header first.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// What its header says it holds. Only opening it proves that.
    pub fn purpose(&self) -> Purpose {
        self.0.get(4).copied().and_then(Purpose::from_code).expect("checked when it was made")
    }

    /// SHA-256 of all of its bytes.
    pub fn sha256(&self) -> Sha256 {
        Sha256::of(&self.0)
    }
}

/// Shows the public header only.
impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({:?}, {} bytes)", self.purpose(), self.0.len())
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode_to_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer, |text| {
            let bytes = URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| EnvelopeError)?;
            Self::from_bytes(bytes)
        })
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Envelope {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(800))
            .pattern(Some("^[A-Za-z0-9_-]*$"))
            .description(Some("Sealed envelope, unpadded base64url"))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Envelope {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(padded: usize) -> Vec<u8> {
        let mut bytes = vec![0x55; OVERHEAD + padded];
        bytes[..8].copy_from_slice(b"KWE1\x28\x01\0\0");
        bytes
    }

    #[test]
    fn only_exact_buckets_are_envelopes() {
        for padded in [512, 1024, 65536, 8 * 1024 * 1024] {
            assert!(Envelope::from_bytes(bytes(padded)).is_ok());
        }
        for padded in [0, 256, 511, 513, 768, 16 * 1024 * 1024] {
            assert!(Envelope::from_bytes(bytes(padded)).is_err(), "{padded}");
        }
        for short in [0, 3, 7, 8, 87] {
            assert!(Envelope::from_bytes(bytes(512)[..short].to_vec()).is_err(), "{short}");
        }
    }

    #[test]
    fn every_header_byte_is_checked() {
        for (at, value) in [(0, b'k'), (3, b'2'), (4, 0x2a), (4, 0), (5, 0), (5, 2), (5, 255), (6, 1), (7, 1)]
        {
            let mut bad = bytes(512);
            bad[at] = value;
            assert_eq!(Envelope::from_bytes(bad), Err(EnvelopeError), "byte {at} = {value}");
        }
    }

    #[test]
    fn in_json_it_has_one_spelling() {
        for padded in [512, 1024, 2048] {
            // In groups of three bytes nothing is left over, two bytes are, nothing is.
            let envelope = Envelope::from_bytes(bytes(padded)).unwrap();
            let text = serde_json::to_string(&envelope).unwrap();
            let plain = text.trim_matches('"');
            assert_eq!(plain, data_encoding::BASE64URL_NOPAD.encode(envelope.as_bytes()));
            assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), envelope);
            let rest: String = plain.chars().take(plain.len() - 1).collect();
            let others = (b'!'..=b'~').map(char::from).filter(|last| !plain.ends_with(*last));
            for bad in others.map(|last| format!("{rest}{last}")).chain([
                rest.clone(),
                format!("{plain}="),
                format!("{plain}=="),
                format!("{plain}\\n"),
                format!(" {plain}"),
                format!("{plain}A"),
            ]) {
                // Another envelope may read, but no other text reads as the same one.
                let quoted = format!("\"{bad}\"");
                let read = serde_json::from_str::<Envelope>(&quoted)
                    .map(|read| serde_json::to_string(&read).unwrap());
                assert!(
                    read.is_err() || read.is_ok_and(|read| read == quoted),
                    "{padded}: …{}",
                    bad.get(bad.len() - 3..).unwrap_or_default()
                );
            }
        }
    }
}
