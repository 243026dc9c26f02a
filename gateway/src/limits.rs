//! How much of the machine agents may use: all together, and each of them.
//!
//! An agent gets half of what there is, so that no one of them keeps the others out.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One share: of the gateway, or of one agent.
pub(crate) struct Share {
    /// Connections from agents.
    pub(crate) connections: Arc<Semaphore>,
    /// Connections to upstreams.
    pub(crate) dials: Arc<Semaphore>,
    /// Names that are being looked up. Each has a thread.
    pub(crate) lookups: Arc<Semaphore>,
    /// KiB of request bodies that are collected because a rule writes into them.
    pub(crate) collected: Arc<Semaphore>,
}

/// Everything, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    connections: usize,
    dials: usize,
    /// Connections of those who have not shown a credential.
    pub(crate) strangers: usize,
}

impl Limits {
    /// What this process may open, of which its threads have some.
    pub(crate) fn of_this_process(threads: usize) -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::of(usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(threads))
    }

    /// A process with so many descriptors: all of these at once leave some for everything else.
    fn of(descriptors: usize) -> Self {
        let free = descriptors.clamp(128, 32 * 1024) - 64;
        Self { connections: free / 10 * 4, dials: free / 10 * 4, strangers: (free / 10).min(256) }
    }

    /// What all agents have.
    pub(crate) fn whole(self) -> Share {
        share(self.connections, self.dials, LOOKUPS, COLLECTED)
    }

    /// What one of them has.
    pub(crate) fn half(self) -> Share {
        share(self.connections / 2, self.dials / 2, LOOKUPS / 2, COLLECTED / 2)
    }
}

impl Share {
    /// A place of each, if both have one.
    pub(crate) fn connection(&self, all: &Self) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        Some([own, Arc::clone(&all.connections).try_acquire_owned().ok()?])
    }
}

/// Waits for a place in each of two.
pub(crate) async fn both(own: &Arc<Semaphore>, all: &Arc<Semaphore>) -> Option<[OwnedSemaphorePermit; 2]> {
    let own = Arc::clone(own).acquire_owned().await.ok()?;
    Some([own, Arc::clone(all).acquire_owned().await.ok()?])
}

fn share(connections: usize, dials: usize, lookups: usize, collected: usize) -> Share {
    let places = |count| Arc::new(Semaphore::new(count));
    Share {
        connections: places(connections),
        dials: places(dials),
        lookups: places(lookups),
        collected: places(collected),
    }
}

/// Far below the 512 threads that the runtime has for such work.
const LOOKUPS: usize = 64;
const COLLECTED: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p16_all_limits_together_fit_into_the_descriptors_that_there_are() {
        for descriptors in [128, 256, 1024, 4096, 65536, usize::MAX] {
            let Limits { connections, dials, strangers } = Limits::of(descriptors);
            assert!(connections + dials + strangers + 60 <= descriptors, "{descriptors}");
            assert!(connections >= 16 && dials >= 16 && strangers >= 4, "{descriptors}");
        }
    }

    #[test]
    fn p16_one_agent_with_all_that_it_may_have_leaves_as_much_for_the_others() {
        let limits = Limits::of(128);
        let (all, one, two) = (limits.whole(), limits.half(), limits.half());
        let mut held = Vec::new();
        while let Some(places) = one.connection(&all) {
            held.push(places);
        }
        assert_eq!(held.len() * 2, limits.connections);
        assert!(two.connection(&all).is_some());
        held.pop();
        assert!(one.connection(&all).is_some(), "what is given back can be had");
    }
}
