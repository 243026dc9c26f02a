//! Signing in (CRYPTO.md §2.13 F2, F4).

use serde::{Deserialize, Serialize};

use crate::api::credentials::CredentialKind;
use crate::api::{IdentityKind, Role};
use crate::{AuthHalf, CredentialId, Envelope, IdentityId, Nonce, OrgId, Salt, SessionToken};

/// `GET /v1/auth/prelogin?email=`: anybody. An unknown address gets an answer of the same shape, always the same one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreloginAnswer {
    /// The password credential.
    pub cred: CredentialId,
    /// Suite of its derivation. A client takes only 1.
    pub suite: u8,
    /// The credential's salt.
    pub salt: Salt,
}

/// `POST /v1/auth/login`: anybody who can prove a credential.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The credential to log in with.
    pub cred: CredentialId,
    /// The proof.
    pub auth: AuthHalf,
}

/// Answer to [`LoginRequest`]. CRED is released only here and in the one-request bundle: after the proof.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginAnswer {
    /// The session token, for `Authorization: Bearer`. Valid for 15 minutes.
    pub session: SessionToken,
    /// When the session ends.
    pub expires_at: i64,
    /// CRED (or RECOVERY, for a recovery credential).
    pub cred: Envelope,
    /// Current epoch.
    pub epoch: u64,
    /// The epoch's nonce.
    pub nonce: Nonce,
}

/// `GET /v1/me`: anybody signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeAnswer {
    /// The caller's organisation.
    pub org: OrgId,
    /// The caller.
    pub identity: IdentityId,
    /// The caller's kind.
    pub kind: IdentityKind,
    /// The caller's role.
    pub role: Role,
    /// The credential this session was made with.
    pub credential: CredentialId,
    /// The credential's kind.
    pub credential_kind: CredentialKind,
    /// When the credential ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_not_after: Option<i64>,
    /// When the identity ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// When the session ends.
    pub session_expires_at: i64,
}
