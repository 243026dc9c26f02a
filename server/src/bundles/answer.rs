//! One bundle as it goes out.

use axum::body::Bytes;
use axum::http::HeaderValue;
use keyward_wire::{Envelope, IdentityId, OrgId, Sha256};

use crate::audit::Event;
use crate::store::OrgRow;

/// A bundle's bytes, and what they were made from.
pub(crate) struct Answer {
    /// Of which organisation.
    pub(crate) org: OrgId,
    /// At which state: seq and hash of ORG.
    pub(crate) state: (u64, Sha256),
    /// Whose.
    pub(crate) identity: IdentityId,
    /// CRED in it. A credential can go and come back under its id, without any write of ORG.
    pub(crate) cred: Option<Envelope>,
    /// The JSON.
    pub(crate) body: Bytes,
    /// Quoted SHA-256 of the JSON.
    pub(crate) etag: HeaderValue,
    /// What is recorded when it goes out.
    pub(crate) read: Event,
    /// What is recorded when it is confirmed.
    pub(crate) confirmed: Event,
}

impl Answer {
    /// Whether this is `identity`'s bundle as of `org`, sent together with `cred`.
    pub(crate) fn is_of(&self, org: &OrgRow, identity: IdentityId, cred: &Envelope) -> bool {
        self.org == org.id
            && self.state == (org.seq, org.sha256)
            && self.identity == identity
            && self.cred.as_ref().is_some_and(|sent| sent.as_bytes() == cred.as_bytes())
    }

    /// What is recorded.
    pub(crate) fn event(&self, changed: bool) -> &Event {
        if changed { &self.read } else { &self.confirmed }
    }

    /// Bytes of memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        let cred = self.cred.as_ref().map_or(0, |cred| cred.as_bytes().len());
        self.body.len() + cred + self.read.weight() + self.confirmed.weight() + OVERHEAD
    }
}

/// What an entry takes besides: its key, its fields, its place in the map.
const OVERHEAD: usize = 1024;
