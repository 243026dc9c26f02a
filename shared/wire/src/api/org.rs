//! Reading the organisation's state: owners and admins (CRYPTO.md §2.12 S1).

use serde::{Deserialize, Serialize};

use crate::api::bundle::SecretItem;
use crate::{Envelope, KeyId, Nonce, Sha256};

/// `GET /v1/org`: owners and admins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrgAnswer {
    /// Selector: seq of ORG.
    pub seq: u64,
    /// SHA-256 of ORG.
    pub sha256: Sha256,
    /// ORG.
    pub env: Envelope,
    /// Current epoch.
    pub epoch: u64,
    /// The epoch's nonce.
    pub nonce: Nonce,
    /// The caller's ORGKEY_ADMIN.
    pub orgkey: Envelope,
    /// The caller's ROOT, for owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootItem>,
    /// The audit chain's head before this request's own entry.
    pub audit_head: AuditHead,
}

/// An owner's ROOT.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RootItem {
    /// Selector: generation of the root key.
    pub generation: u64,
    /// ROOT.
    pub env: Envelope,
}

/// The head of the audit chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// Number of entries.
    pub seq: u64,
    /// Hash of the last one.
    pub hash: Sha256,
}

/// `POST /v1/secrets/get`: owners and admins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SecretsRequest {
    /// The versions that are wanted, at most [`SECRETS_PER_REQUEST`](crate::limits::SECRETS_PER_REQUEST).
    pub secrets: Vec<SecretRef>,
}

/// One version of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The key.
    pub key: KeyId,
    /// The version.
    pub version: u64,
}

/// Answer to [`SecretsRequest`]: what there is of it, in its order. One that is missing is simply not there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretsAnswer {
    /// The sealed versions.
    pub secrets: Vec<SecretItem>,
}
