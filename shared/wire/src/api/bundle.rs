//! `GET /v1/me/bundle?deployment=`: everything an identity needs, in one answer (CRYPTO.md §2.7, §2.13 F4).
//!
//! Authorised by a session, or in one request by a token or device credential's own proof. `deployment` is an id; without
//! it a non-admin gets every secret of its view, an owner or admin none. An unknown or foreign id is no error: the answer
//! then has no secrets. `ETag` is the quoted SHA-256 of the body.

use serde::{Deserialize, Serialize};

use crate::{Envelope, KeyId, Nonce, ViewId};

/// Name of the header with the audit head: `<seq>:<hash>` for owners and admins, `<hash>` of this request's own entry for
/// everybody else.
pub const AUDIT_HEADER: &str = "keyward-audit";

/// The answer. Its fields are selectors and sealed blobs; none of them grants anything by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bundle {
    /// CRED, only in the one-request form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cred: Option<Envelope>,
    /// Current epoch.
    pub epoch: u64,
    /// The epoch's nonce.
    pub nonce: Nonce,
    /// GRANT, for callers that are not owner or admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantItem>,
    /// VIEW, for callers that are not owner or admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<ViewItem>,
    /// ORGKEY_ADMIN, for owners and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orgkey: Option<Envelope>,
    /// ORG, for owners and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgItem>,
    /// Current versions.
    pub secrets: Vec<SecretItem>,
}

/// The caller's GRANT.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantItem {
    /// Selector: its view.
    pub view: ViewId,
    /// Selector: its seq.
    pub seq: u64,
    /// GRANT.
    pub env: Envelope,
}

/// The caller's VIEW.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ViewItem {
    /// Selector: its seq.
    pub seq: u64,
    /// VIEW.
    pub env: Envelope,
}

/// The organisation's ORG.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrgItem {
    /// Selector: its seq.
    pub seq: u64,
    /// ORG.
    pub env: Envelope,
}

/// One version of one key, sealed; also an element of a write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretItem {
    /// The key.
    pub key: KeyId,
    /// The version, from 1.
    pub version: u64,
    /// How often this version was resealed.
    pub reseal: u64,
    /// SECRET.
    pub env: Envelope,
}
