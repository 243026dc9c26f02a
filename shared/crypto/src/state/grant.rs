//! GRANT: the key of a view, for one identity (CRYPTO.md §2.5, 29).

use keyward_wire::{Envelope, IdentityId, OrgId, Purpose, Sha256, ViewId};
use serde::{Deserialize, Serialize};

use super::{V1, open_document, seal_document, text};
use crate::{Context, DeliveryKey, Integrity, ViewKey};

/// What an admin said to one identity: this view, this key, until then.
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
    /// When it was made.
    pub issued_at: i64,
    /// When the identity ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
}

/// Where a GRANT stands: its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantPlace {
    /// Organisation.
    pub org: OrgId,
    /// For whom.
    pub identity: IdentityId,
    /// To which view.
    pub view: ViewId,
    /// Epoch of its DK.
    pub epoch: u64,
    /// ORG seq of the write that made it.
    pub seq: u64,
}

impl Grant {
    /// A document to seal.
    pub fn new(
        vk: &ViewKey,
        view_seq: u64,
        view_sha256: Sha256,
        issued_at: i64,
        not_after: Option<i64>,
    ) -> Self {
        Self { v: V1, vk: vk.duplicate(), view_seq, view_sha256, issued_at, not_after }
    }

    /// Seals it.
    pub fn seal(&self, dk: &DeliveryKey, place: GrantPlace) -> Envelope {
        seal_document(dk, &place.context(), self).expect("a GRANT is small")
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Integrity`].
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
