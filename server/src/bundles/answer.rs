//! One cached bundle.

use axum::body::Bytes;
use axum::http::HeaderValue;
use keyward_wire::{Envelope, IdentityId, OrgId, Sha256};

use crate::audit::Event;
use crate::store::OrgRow;

/// A bundle's bytes, and what they were made from.
pub(crate) struct Answer {
    /// The organisation.
    pub(crate) org: OrgId,
    /// The organisation's state: seq and hash of ORG.
    pub(crate) state: (u64, Sha256),
    /// The identity whose bundle this is.
    pub(crate) identity: IdentityId,
    /// CRED in the bundle. A credential can be deleted and come back under its id without any write of ORG.
    pub(crate) cred: Option<Envelope>,
    /// The bundle's JSON.
    pub(crate) body: Bytes,
    /// Quoted SHA-256 of the JSON.
    pub(crate) etag: HeaderValue,
    /// The audit entry for sending the bundle.
    pub(crate) read: Event,
    /// The audit entry for confirming that the client's copy is current (304).
    pub(crate) confirmed: Event,
}

impl Answer {
    /// Whether this is `identity`'s bundle at the state of `org`, sent together with `cred`.
    pub(crate) fn is_of(&self, org: &OrgRow, identity: IdentityId, cred: &Envelope) -> bool {
        self.org == org.id
            && self.state == (org.seq, org.sha256)
            && self.identity == identity
            && self.cred.as_ref().is_some_and(|sent| sent.as_bytes() == cred.as_bytes())
    }

    /// The audit entry for sending the bundle, or for confirming it.
    pub(crate) fn event(&self, changed: bool) -> &Event {
        if changed { &self.read } else { &self.confirmed }
    }

    /// How many bytes of memory the bundle takes, about.
    pub(super) fn weight(&self) -> usize {
        let cred = self.cred.as_ref().map_or(0, |cred| cred.as_bytes().len());
        self.body.len() + cred + self.read.weight() + self.confirmed.weight() + OVERHEAD
    }
}

/// Bytes that a cached bundle takes besides its JSON: its key, its fields, its place in the map.
const OVERHEAD: usize = 1024;
