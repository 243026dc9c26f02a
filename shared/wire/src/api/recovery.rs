//! `GET /v1/recovery`, `POST /v1/recovery`: a session made with the recovery kit, and nobody else (CRYPTO.md §2.13 F15).

use serde::{Deserialize, Serialize};

use crate::api::credentials::NewCredential;
use crate::api::org::AuditHead;
use crate::api::write::{Base, NewEscrow, RootEnvelope};
use crate::name::Email;
use crate::{Envelope, IdentityId, Nonce, Sha256};

/// `GET /v1/recovery`: what a new owner is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveryAnswer {
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
    /// ORGKEY_ROOT.
    pub orgkey: Envelope,
    /// The audit chain's head before this request's own entry.
    pub audit_head: AuditHead,
}

/// `POST /v1/recovery`: one more owner, with everything an owner needs, and a new kit in the place of the one that the
/// session was made with. Nothing else: no relation of anybody else can be said here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecoveryRequest {
    /// What the client's change started from. Anything else is 409.
    pub base: Base,
    /// ORG at `base.seq + 1`.
    pub org: Envelope,
    /// The new owner.
    pub identity: IdentityId,
    /// The new owner's e-mail: unique on the server.
    pub email: Email,
    /// The new owner's: one password, one recovery kit, and at most one device.
    pub credentials: Vec<NewCredential>,
    /// ESCROW of the new owner under the root key.
    pub escrow: NewEscrow,
    /// ROOT and ORGKEY_ADMIN of the new owner.
    pub roots: Vec<RootEnvelope>,
}
