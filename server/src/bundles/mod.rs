//! Bundles that went out before (CRYPTO.md §2.12 S8, S10).
//!
//! A bundle is a pure function of identity, state of the organisation, credential and deployment. Its bytes are kept in
//! memory, and a request for the same again takes nothing from the database but what must be looked at anew: whether the
//! credential still holds and the organisation is where it was. Requests that come while others are being recorded are
//! then recorded together: one transaction, one audit entry each, one commit.
//!
//! | file | what |
//! |---|---|
//! | `answer` | one bundle: its bytes, its `ETag`, what it was made from |
//! | `memory` | the bundles, up to a number of bytes |
//! | `group` | requests that wait for one another, each told when its entry is durable |
//! | `record` | what they share: a look at each proof, an entry for each, a commit |
//!
//! Whatever is not exactly as it was (a write, a revoked credential, a wrong proof) is declined here and answered in a
//! transaction of its own, as every other request is: nothing is refused here.

mod answer;
mod group;
mod memory;
mod record;

use std::net::IpAddr;
use std::sync::Arc;

use keyward_wire::DeploymentId;

pub(crate) use answer::Answer;
pub(crate) use record::Recorded;

use crate::auth::Claim;
use crate::store::{Store, StoreError};

use group::Group;
use memory::Memory;

/// The bundles of one server process. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Bundles {
    memory: Arc<Memory>,
    group: Group,
}

/// Whose bundle, and of which deployment. Has no secret in it, and nobody has one who has not proved it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The proof.
    pub(crate) claim: Claim,
    /// Secrets of one deployment; none: of all.
    pub(crate) deployment: Option<DeploymentId>,
}

/// A request for a bundle that is in memory.
#[derive(Clone)]
pub(crate) struct Read {
    /// Its proof, to be looked at anew.
    pub(crate) claim: Claim,
    /// From where.
    pub(crate) ip: Option<IpAddr>,
    /// What will be sent if nothing has changed.
    pub(crate) answer: Arc<Answer>,
    /// False if the client has it already.
    pub(crate) changed: bool,
}

impl Bundles {
    /// The bundle of before, which may be out of date.
    pub(crate) fn recall(&self, key: &Key) -> Option<Arc<Answer>> {
        self.memory.recall(key)
    }

    /// Keeps a bundle that has just gone out.
    pub(crate) fn keep(&self, key: Key, answer: Answer) {
        self.memory.keep(key, answer);
    }

    /// Looks whether `read.answer` is still this caller's bundle, and if so records that it goes out. Durable by then.
    ///
    /// None: it is not, or that could not be seen here. Nothing has been recorded.
    pub(crate) async fn record(&self, store: &Store, read: Read) -> Result<Option<Recorded>, StoreError> {
        self.group.record(store, read).await
    }
}

#[cfg(test)]
mod tests;
