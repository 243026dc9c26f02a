//! The cache of bundles, and group commit of their audit entries (CRYPTO.md §2.12 S8, S10).
//!
//! A bundle is a pure function of identity, state of the organisation, credential and deployment. Its bytes are kept in memory.
//! If the same bundle is asked for again, only what may have changed is read from the database: whether the credential still
//! holds, and whether the organisation is at the same state. Requests that arrive while others are being recorded are then
//! recorded together: one transaction, one audit entry each, one commit.
//!
//! | file | what |
//! |---|---|
//! | `answer` | one cached bundle: its bytes, its `ETag`, what it was made from |
//! | `memory` | the cached bundles, up to a number of bytes |
//! | `group` | requests that wait for one another, each told when its entry is durable |
//! | `record` | the transaction that they share: a check of each proof, an entry for each, a commit |
//!
//! A request for which something has changed (a write, a revoked credential, a wrong proof) is declined here and answered in a
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

/// The key of a cached bundle: whose it is, and of which deployment. It has no secret in it, and only a caller who has once
/// proved the credential can have made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The claim: credential and hash of its auth half.
    pub(crate) claim: Claim,
    /// The deployment whose secrets are in the bundle. `None` if the bundle has all secrets.
    pub(crate) deployment: Option<DeploymentId>,
}

/// A request for a bundle that is cached.
#[derive(Clone)]
pub(crate) struct Read {
    /// The request's proof, to be checked anew.
    pub(crate) claim: Claim,
    /// The address that the request comes from.
    pub(crate) ip: Option<IpAddr>,
    /// The answer to send if nothing has changed.
    pub(crate) answer: Arc<Answer>,
    /// False if the client has the bundle already.
    pub(crate) changed: bool,
}

impl Bundles {
    /// The cached bundle, which may be out of date.
    pub(crate) fn recall(&self, key: &Key) -> Option<Arc<Answer>> {
        self.memory.recall(key)
    }

    /// Caches a bundle that was just sent.
    pub(crate) fn keep(&self, key: Key, answer: Answer) {
        self.memory.keep(key, answer);
    }

    /// Checks whether `read.answer` is still this caller's bundle, and if so records that it is sent. The record is durable when
    /// this returns.
    ///
    /// `None` if the bundle is another one, or that could not be checked here. Then nothing was recorded.
    pub(crate) async fn record(&self, store: &Store, read: Read) -> Result<Option<Recorded>, StoreError> {
        self.group.record(store, read).await
    }
}

#[cfg(test)]
mod tests;
