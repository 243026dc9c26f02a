//! Credentials: `GET /v1/credentials`, `POST /v1/credentials`, `DELETE /v1/credentials/{id}` (CRYPTO.md §2.8, §2.12 S9).

use serde::{Deserialize, Serialize};

use crate::{CredentialId, Envelope, IdentityId, Salt, Sha256};

/// Kinds of credentials, by where their secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// Chosen by a person: 600,000 rounds, salted with the e-mail.
    Password,
    /// An API user's token.
    Token,
    /// A signed-in device.
    Device,
    /// An invitation.
    Link,
    /// The recovery kit.
    Recovery,
}

impl CredentialKind {
    /// The kind as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token => "token",
            Self::Device => "device",
            Self::Link => "link",
            Self::Recovery => "recovery",
        }
    }
}

/// A credential to store: in a sign-up, in a write, or for the caller itself by `POST /v1/credentials`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// Made by the client.
    pub id: CredentialId,
    /// The identity that the credential belongs to.
    pub identity: IdentityId,
    /// The credential's kind.
    pub kind: CredentialKind,
    /// The salt, of a password only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Salt>,
    /// SHA-256 of the auth half.
    pub auth_sha256: Sha256,
    /// CRED, or RECOVERY for a recovery credential.
    pub env: Envelope,
    /// When the credential ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
}

/// Answer of `GET /v1/credentials`: the caller's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialsAnswer {
    /// Oldest first.
    pub credentials: Vec<CredentialInfo>,
}

/// A stored credential, without anything that proves or opens it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialInfo {
    /// The credential's id.
    pub id: CredentialId,
    /// The credential's kind.
    pub kind: CredentialKind,
    /// When the credential was made.
    pub created_at: i64,
    /// When the credential ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// When the credential last proved itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<i64>,
}
