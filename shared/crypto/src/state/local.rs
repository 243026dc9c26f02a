//! LOCAL: a client's own memory of the states it has seen (CRYPTO.md §2.7 rule 8).

use keyward_wire::api::org::AuditHead;
use keyward_wire::{CredentialId, Envelope, IdentityId, InstallId, OrgId, Purpose, Sha256};
use serde::{Deserialize, Serialize};

use super::{V1, open_document, seal_document};
use crate::{Context, IdentityKey, Integrity};

/// The newest state this client has verified. It only moves forward.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Local {
    pub(crate) v: V1,
    /// The newest ORG that was seen, for owners and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<Pin>,
    /// The newest GRANT that was seen, for everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Pin>,
    /// The newest epoch that was seen.
    pub epoch: u64,
    /// The audit head up to which this client has verified the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_head: Option<AuditHead>,
}

/// A seq and the SHA-256 of the envelope that was seen at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// ORG seq.
    pub seq: u64,
    /// SHA-256 of ORG or GRANT.
    pub sha256: Sha256,
}

/// The time at which the server last confirmed an answer that this client keeps (CRYPTO.md §2.7 “Offline”). It is sealed, so that
/// whoever can write the folder cannot make a copy look younger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    v: V1,
    /// SHA-256 of the answer's body.
    pub sha256: Sha256,
    /// Hashes of what else the answer is known by.
    pub parts: Parts,
    /// The time of the confirmation, by this machine's clock, in milliseconds UTC.
    pub at: i64,
}

/// The two parts of an answer that fix everything that can be read in it: CRED opens by itself, and the state names the rest by
/// hashes (CRYPTO.md §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// SHA-256 of CRED.
    pub cred: Sha256,
    /// SHA-256 of GRANT; for owners and admins, of ORG.
    pub state: Sha256,
}

impl Confirmed {
    /// Notes that the body of this hash, with these parts, was confirmed at this time.
    pub fn new(sha256: Sha256, parts: Parts, at: i64) -> Self {
        Self { v: V1, sha256, parts, at }
    }

    /// Seals the note for the credential that asked.
    pub fn seal(&self, ik: &IdentityKey, org: OrgId, identity: IdentityId, cred: CredentialId) -> Envelope {
        seal_document(ik, &confirmed_context(org, identity, cred), self).expect("it is small")
    }

    /// Opens the note.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not this credential's note.
    pub fn open(
        ik: &IdentityKey,
        org: OrgId,
        identity: IdentityId,
        cred: CredentialId,
        envelope: &Envelope,
    ) -> Result<Self, Integrity> {
        open_document(ik, &confirmed_context(org, identity, cred), envelope)
    }
}

impl Local {
    /// The newer of two memories, field by field: several processes may have written since this one read.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let newer = |a: Option<Pin>, b: Option<Pin>| if b.map(|p| p.seq) > a.map(|p| p.seq) { b } else { a };
        let head = |a: Option<AuditHead>, b: Option<AuditHead>| {
            if b.map(|h| h.seq) > a.map(|h| h.seq) { b } else { a }
        };
        Self {
            v: V1,
            org: newer(self.org, other.org),
            grant: newer(self.grant, other.grant),
            epoch: self.epoch.max(other.epoch),
            audit_head: head(self.audit_head, other.audit_head),
        }
    }

    /// Seals LOCAL for one installation of a client.
    pub fn seal(&self, ik: &IdentityKey, org: OrgId, identity: IdentityId, install: InstallId) -> Envelope {
        seal_document(ik, &context(org, identity, install), self).expect("a LOCAL is small")
    }

    /// Opens LOCAL.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not this installation's LOCAL.
    pub fn open(
        ik: &IdentityKey,
        org: OrgId,
        identity: IdentityId,
        install: InstallId,
        envelope: &Envelope,
    ) -> Result<Self, Integrity> {
        open_document(ik, &context(org, identity, install), envelope)
    }
}

fn context(org: OrgId, identity: IdentityId, install: InstallId) -> Context {
    Context::new(Purpose::Local).org(org).a(identity.as_bytes()).b(install.as_bytes())
}

/// n1 = 1 keeps this context apart from that of [`Local`], whose n1 is 0.
fn confirmed_context(org: OrgId, identity: IdentityId, cred: CredentialId) -> Context {
    Context::new(Purpose::Local).org(org).a(identity.as_bytes()).b(cred.as_bytes()).n1(1)
}
