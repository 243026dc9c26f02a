//! Ids: 16 random bytes each, a type for each kind of thing.
//!
//! Makers set the UUIDv4 bits; readers accept any 16 bytes. The text form, in JSON beside envelopes and in paths, is the
//! lower-case hyphenated UUID and nothing else: another spelling of an id is no id (CRYPTO.md §2.3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The text is not a lower-case hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a lower-case UUID such as 482bd7d9-38e0-4568-99be-6ae3a44d48a2")]
pub struct IdError;

/// What every id is underneath: 16 bytes. Lets generic code (sealed JSON, SQL binds) take any id.
pub trait Id: Copy + Ord {
    /// The id of these 16 bytes.
    fn from_bytes(bytes: [u8; 16]) -> Self;

    /// The id's 16 bytes.
    fn as_bytes(&self) -> &[u8; 16];
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id of these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The id's 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl Id for $name {
            fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
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
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .format(Some(utoipa::openapi::SchemaFormat::Custom("uuid".to_owned())))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    )*};
}

ids! {
    /// An organisation: one tenant.
    OrgId;
    /// A human, API user or gateway.
    IdentityId;
    /// A way to sign in: password, token, device, link or recovery.
    CredentialId;
    /// A stored secret.
    KeyId;
    /// A named set of mappings.
    DeploymentId;
    /// Key → environment variable, inside a deployment.
    MappingId;
    /// A set of identities and agents.
    GroupId;
    /// What the identities of one set of groups may read, sealed.
    ViewId;
    /// A client of a gateway: it has a proxy credential and decrypts nothing.
    AgentId;
    /// One installation of a client: it tells one client's memory from another's.
    InstallId;
}

fn parse(text: &str) -> Result<[u8; 16], IdError> {
    let uuid = Uuid::try_parse(text).map_err(|_| IdError)?;
    let mut canonical = Uuid::encode_buffer();
    if uuid.hyphenated().encode_lower(&mut canonical) == text { Ok(uuid.into_bytes()) } else { Err(IdError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let id = "482bd7d9-38e0-4568-99be-6ae3a44d48a2";
        assert_eq!(id.parse::<KeyId>().unwrap().to_string(), id);
        for other in [
            "482BD7D9-38E0-4568-99BE-6AE3A44D48A2",
            "{482bd7d9-38e0-4568-99be-6ae3a44d48a2}",
            "482bd7d938e0456899be6ae3a44d48a2",
            "urn:uuid:482bd7d9-38e0-4568-99be-6ae3a44d48a2",
            "482bd7d9-38e0-4568-99be-6ae3a44d48a2\0",
            " 482bd7d9-38e0-4568-99be-6ae3a44d48a2",
            "0482bd7d9-38e0-4568-99be-6ae3a44d48a2",
            "",
        ] {
            assert_eq!(other.parse::<KeyId>(), Err(IdError), "{other:?}");
        }
    }
}
