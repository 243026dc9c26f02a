//! GRANT: the key of a view, sealed for one identity (CRYPTO.md §2.5, 29).

use keyward_wire::{Envelope, IdentityId, OrgId, Purpose, Sha256, ViewId};
use serde::{Deserialize, Serialize};

use super::{V1, open_document, seal_document, text};
use crate::{Context, DeliveryKey, Integrity, ViewKey};

/// A grant of an admin to one identity: this view, opened by this key, until then.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    v: V1,
    /// VK of the view.
    #[serde(with = "text::key")]
    pub vk: ViewKey,
    /// Seq of the view's build.
    pub view_seq: u64,
    /// SHA-256 of the VIEW envelope.
    pub view_sha256: Sha256,
    /// When the grant was made, in milliseconds UTC.
    pub issued_at: i64,
    /// When the identity ends, in milliseconds UTC. `None` if it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
}

/// The context of a GRANT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantPlace {
    /// The organisation.
    pub org: OrgId,
    /// The identity that the grant is for.
    pub identity: IdentityId,
    /// The view that the grant opens.
    pub view: ViewId,
    /// The epoch of the DK that it is sealed under.
    pub epoch: u64,
    /// ORG seq of the write that made the grant.
    pub seq: u64,
}

impl Grant {
    /// Makes the document.
    pub fn new(
        vk: &ViewKey,
        view_seq: u64,
        view_sha256: Sha256,
        issued_at: i64,
        not_after: Option<i64>,
    ) -> Self {
        Self { v: V1, vk: vk.duplicate(), view_seq, view_sha256, issued_at, not_after }
    }

    /// Seals the document.
    pub fn seal(&self, dk: &DeliveryKey, place: GrantPlace) -> Envelope {
        seal_document(dk, &place.context(), self).expect("a GRANT is small")
    }

    /// Opens a GRANT.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not the GRANT of this place.
    pub fn open(dk: &DeliveryKey, place: GrantPlace, envelope: &Envelope) -> Result<Self, Integrity> {
        open_document(dk, &place.context(), envelope)
    }
}

impl GrantPlace {
    fn context(self) -> Context {
        Context::new(Purpose::Grant)
            .org(self.org)
            .a(self.identity.as_bytes())
            .b(self.view.as_bytes())
            .n1(self.epoch)
            .n2(self.seq)
    }
}
