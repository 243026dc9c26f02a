//! `GET /v1/audit?after=&limit=&identity=&key=&since=`: owners and admins (CRYPTO.md §2.11).

use serde::{Deserialize, Serialize};

use crate::api::org::AuditHead;
use crate::{IdentityId, KeyId, OrgId, Sha256};

/// Which entries. Filters drop entries from the answer, so only an unfiltered one can be verified.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only entries with a greater seq. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most this many, at most 1,000. Default 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(maximum = 1_000))]
    pub limit: Option<u32>,
    /// Only entries of this actor or about this identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// Only entries about this key, reads of a view that listed it among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Only entries at or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
}

/// A run of entries, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditAnswer {
    /// Oldest first.
    pub entries: Vec<AuditEntry>,
    /// The chain's head before this request's own entry.
    pub head: AuditHead,
}

/// One link of the audit chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// The entry's seq, from 1.
    pub seq: u64,
    /// The JSON text of an [`AuditRecord`], exactly as it was stored and hashed.
    pub entry: String,
    /// `h_n = SHA-256(h_(n-1) ‖ entry)`.
    pub hash: Sha256,
}

/// The content of an entry's text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    /// The entry's seq, from 1.
    pub seq: u64,
    /// Milliseconds UTC, of the database's clock.
    pub time: i64,
    /// The identity that acted; absent if nobody had proved who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<IdentityId>,
    /// The action, as `bundle.read`.
    pub action: String,
    /// The objects of the action: `key:<id>`, `view:<id>@<seq>`, …
    pub objects: Vec<String>,
    /// The address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// `h_0 = SHA-256("keyward audit v1" ‖ org)`.
pub fn genesis(org: OrgId) -> Sha256 {
    Sha256::of_parts(&[b"keyward audit v1", org.as_bytes()])
}

/// `h_n = SHA-256(h_(n-1) ‖ entry)`.
pub fn link(previous: Sha256, entry: &str) -> Sha256 {
    Sha256::of_parts(&[previous.as_bytes(), entry.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_entry_changes_every_later_hash() {
        let start = genesis(OrgId::from_bytes([1; 16]));
        assert_ne!(start, genesis(OrgId::from_bytes([2; 16])));
        let honest = link(link(start, "a"), "b");
        assert_ne!(honest, link(link(start, "A"), "b"));
        assert_ne!(honest, link(link(start, "b"), "a"));
        assert_ne!(honest, link(start, "ab"));
    }
}
