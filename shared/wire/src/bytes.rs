//! Byte strings of fixed size. In JSON: base64url, unpadded, strict (no padding, no white space, zero trailing bits).

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::CredentialId;

macro_rules! bytes {
    ($($(#[$doc:meta])* $name:ident[$len:literal];)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Makes it of these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE64URL_NOPAD.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = BytesError;

            fn from_str(text: &str) -> Result<Self, BytesError> {
                decode(text).map(|bytes| Self(*bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::text::read(deserializer, str::parse)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                text_schema($len * 4 / 3 + 1)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    )*};
}

bytes! {
    /// SHA-256 of public bytes: 32 bytes, 43 characters.
    Sha256[32];
    /// Public nonce of an epoch: 32 bytes, 43 characters.
    Nonce[32];
    /// Salt of a password credential: 16 bytes, 22 characters.
    Salt[16];
}

impl Sha256 {
    /// SHA-256 of `bytes`.  FIPS 180-4.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// SHA-256 of the concatenation of `parts`.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

/// The text is not the unpadded base64url form of as many bytes as the type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not unpadded base64url of the right length")]
pub struct BytesError;

/// auth_c: 32 bytes that prove a credential to the server, which stores only their SHA-256 (CRYPTO.md §2.4).
///
/// It crosses the network by design, hence `Serialize`; it is a bearer secret, hence no `Debug` and no `Display`.
pub struct AuthHalf(Zeroizing<[u8; 32]>);

impl AuthHalf {
    /// The auth half of these 32 bytes.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for a client that keeps them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The verifier that the server stores: SHA-256 of the 32 bytes.
    pub fn verifier(&self) -> Sha256 {
        Sha256::of(&*self.0)
    }

    /// Value of the `Authorization` header of the one-request bundle: `Keyward <22 cred>.<43 auth>` (CRYPTO.md §2.13 F4).
    pub fn authorization(&self, cred: CredentialId) -> Zeroizing<String> {
        let auth = self.encode();
        let mut header = Zeroizing::new(String::with_capacity(8 + 22 + 1 + 43));
        header.push_str("Keyward ");
        header.push_str(&BASE64URL_NOPAD.encode(cred.as_bytes()));
        header.push('.');
        header.push_str(&auth);
        header
    }

    /// Reads what [`authorization`](Self::authorization) wrote.
    ///
    /// # Errors
    /// [`BytesError`] if the header has any other form.
    pub fn from_authorization(header: &str) -> Result<(CredentialId, Self), BytesError> {
        let (cred, auth) =
            header.strip_prefix("Keyward ").and_then(|rest| rest.split_once('.')).ok_or(BytesError)?;
        Ok((CredentialId::from_bytes(*decode(cred)?), Self(decode(auth)?)))
    }

    fn encode(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64URL_NOPAD.encode(&*self.0))
    }
}

impl Serialize for AuthHalf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for AuthHalf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        decode(&text).map(Self).map_err(D::Error::custom)
    }
}

/// A session: `kws_` and 43 characters, 256 random bits. The server stores its SHA-256 (CRYPTO.md §2.9).
///
/// A bearer secret: no `Debug`, no `Display`.
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    /// The token of these 32 random bytes.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(4 + 43));
        text.push_str("kws_");
        text.push_str(&Zeroizing::new(BASE64URL_NOPAD.encode(bytes)));
        Self(text)
    }

    /// What the server stores and looks up: SHA-256 of the whole text.
    pub fn hash(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }

    /// Value of the `Authorization` header: `Bearer kws_…`.
    pub fn authorization(&self) -> Zeroizing<String> {
        let mut header = Zeroizing::new(String::with_capacity(7 + self.0.len()));
        header.push_str("Bearer ");
        header.push_str(&self.0);
        header
    }

    /// Reads what [`authorization`](Self::authorization) wrote.
    ///
    /// # Errors
    /// [`BytesError`] if the header has any other form.
    pub fn from_authorization(header: &str) -> Result<Self, BytesError> {
        Self::parse(header.strip_prefix("Bearer ").ok_or(BytesError)?)
    }

    fn parse(text: &str) -> Result<Self, BytesError> {
        decode::<32>(text.strip_prefix("kws_").ok_or(BytesError)?)?;
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl Serialize for SessionToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::schema::{Schema, Type};
    use utoipa::openapi::{ObjectBuilder, RefOr};

    pub(super) fn text_schema(characters: usize) -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(characters))
            .max_length(Some(characters))
            .pattern(Some("^[A-Za-z0-9_-]*$"))
            .into()
    }

    impl utoipa::PartialSchema for super::AuthHalf {
        fn schema() -> RefOr<Schema> {
            text_schema(43)
        }
    }

    impl utoipa::ToSchema for super::AuthHalf {}

    impl utoipa::PartialSchema for super::SessionToken {
        fn schema() -> RefOr<Schema> {
            text_schema(4 + 43)
        }
    }

    impl utoipa::ToSchema for super::SessionToken {}
}

#[cfg(feature = "openapi")]
use schema::text_schema;

fn decode<const N: usize>(text: &str) -> Result<Zeroizing<[u8; N]>, BytesError> {
    let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| BytesError)?);
    let array: &[u8; N] = bytes.as_slice().try_into().map_err(|_| BytesError)?;
    Ok(Zeroizing::new(*array))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_request_header_reads_back_and_nothing_else_does() {
        let cred = CredentialId::from_bytes([7; 16]);
        let header = AuthHalf::from_bytes(Zeroizing::new([9; 32])).authorization(cred);
        let (back, auth) = AuthHalf::from_authorization(&header).unwrap();
        assert_eq!(back, cred);
        assert_eq!(auth.verifier(), Sha256::of(&[9; 32]));
        for bad in [
            header.replace("Keyward", "keyward"),
            header.replace('.', ":"),
            format!("{}=", *header),
            header.replace("Keyward ", "Keyward  "),
            header.chars().take(header.len() - 1).collect(),
            String::new(),
        ] {
            assert!(AuthHalf::from_authorization(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn trailing_bits_padding_and_the_standard_alphabet_are_refused() {
        let good = Sha256::from_bytes([0xff; 32]).to_string();
        assert_eq!(good.parse::<Sha256>().unwrap(), Sha256::from_bytes([0xff; 32]));
        let cut: String = good.chars().take(42).collect();
        for bad in [format!("{good}="), good.replace('_', "/"), format!("{cut}9"), format!(" {cut}"), cut] {
            assert_eq!(bad.parse::<Sha256>(), Err(BytesError), "{bad}");
        }
    }

    #[test]
    fn a_session_token_reads_back() {
        let token = SessionToken::from_random(&[3; 32]);
        let back = SessionToken::from_authorization(&token.authorization()).unwrap();
        assert_eq!(token.hash(), back.hash());
        assert!(SessionToken::from_authorization("Bearer kwt1_abc").is_err());
    }
}
