//! CRED: an identity's own key, sealed under a credential's unlock key (CRYPTO.md §2.5, 20).

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::{CredentialId, Envelope, IdentityId, OrgId, Purpose};
use serde::{Deserialize, Serialize};

use super::{V1, open_document, seal_document, text};
use crate::{Context, IdentityKey, Integrity, UnlockKey};

/// The identity that holds a credential. Everything a client believes about itself comes from CRED, never from the server.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cred {
    v: V1,
    /// Kind of the credential that this CRED belongs to.
    pub kind: CredentialKind,
    /// The identity's organisation.
    #[serde(with = "text::id")]
    pub org: OrgId,
    /// The identity.
    #[serde(with = "text::id")]
    pub id: IdentityId,
    /// IK: the identity's own key.
    #[serde(with = "text::key")]
    pub ik: IdentityKey,
    /// Generation of IK.
    pub ik_gen: u64,
    /// Epoch when the credential was issued: an older epoch is refused.
    pub epoch: u64,
    /// Seq when the credential was issued: a GRANT (for owners and admins: an ORG) older than this is refused.
    pub min_seq: u64,
    /// When a device's or link's credential ends, in milliseconds UTC. `None` if it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
}

/// The facts of a new [`Cred`], besides the key.
#[derive(Debug, Clone, Copy)]
pub struct CredFacts {
    /// Kind of the credential that the CRED will belong to.
    pub kind: CredentialKind,
    /// The identity's organisation.
    pub org: OrgId,
    /// The identity.
    pub id: IdentityId,
    /// Generation of IK.
    pub ik_gen: u64,
    /// Current epoch.
    pub epoch: u64,
    /// Current seq.
    pub min_seq: u64,
    /// When a device's or link's credential ends, in milliseconds UTC. `None` if it never ends.
    pub not_after: Option<i64>,
}

impl Cred {
    /// Makes the document.
    pub fn new(facts: CredFacts, ik: &IdentityKey) -> Self {
        let CredFacts { kind, org, id, ik_gen, epoch, min_seq, not_after } = facts;
        Self { v: V1, kind, org, id, ik: ik.duplicate(), ik_gen, epoch, min_seq, not_after }
    }

    /// Seals the document: always 600 bytes.
    pub fn seal(&self, unlock: &UnlockKey, cred: CredentialId) -> Envelope {
        seal_document(unlock, &context(cred), self).expect("a CRED is small")
    }

    /// Opens CRED.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not this credential's CRED.
    pub fn open(unlock: &UnlockKey, cred: CredentialId, envelope: &Envelope) -> Result<Self, Integrity> {
        open_document(unlock, &context(cred), envelope)
    }
}

fn context(cred: CredentialId) -> Context {
    Context::new(Purpose::Cred).b(cred.as_bytes())
}
