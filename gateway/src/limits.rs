//! How much of the machine agents may use: all together, and each of them.
//!
//! An agent gets half of what there is, so that no agent keeps the others out.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limits of the gateway as a whole, or of one agent.
pub(crate) struct Share {
    /// How many connections from agents there may be.
    pub(crate) connections: Arc<Semaphore>,
    /// How many connections to upstreams there may be.
    pub(crate) dials: Arc<Semaphore>,
    /// How many names may be looked up at once. Each takes a thread.
    pub(crate) lookups: Arc<Semaphore>,
    /// How many KiB of request bodies may be collected because a rule writes into them.
    pub(crate) collected: Arc<Semaphore>,
    /// How many answers may be decoded that take megabytes for it.
    pub(crate) windows: Arc<Semaphore>,
}

/// All limits, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    connections: usize,
    dials: usize,
    /// How many connections there may be without a credential.
    pub(crate) strangers: usize,
}

impl Limits {
    /// The limits of this process, of whose file descriptors its threads take some.
    pub(crate) fn of_this_process(threads: usize) -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::of(usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(threads))
    }

    /// The limits of a process with so many descriptors: all of them in use at once leave some for everything else.
    fn of(descriptors: usize) -> Self {
        let free = descriptors.clamp(128, 32 * 1024) - 64;
        Self { connections: free / 10 * 4, dials: free / 10 * 4, strangers: (free / 10).min(256) }
    }

    /// The limits of all agents together.
    pub(crate) fn whole(self) -> Share {
        share(self.connections, self.dials, LOOKUPS, COLLECTED, WINDOWS)
    }

    /// The limits of one agent.
    pub(crate) fn half(self) -> Share {
        share(self.connections / 2, self.dials / 2, LOOKUPS / 2, COLLECTED / 2, WINDOWS / 2)
    }
}

impl Share {
    /// Takes a connection from this share and from `all`. `None` if either has none left.
    pub(crate) fn connection(&self, all: &Self) -> Option<[OwnedSemaphorePermit; 2]> {
        both_now(&self.connections, &all.connections)
    }

    /// Takes a place for a decoder's window from this share and from `all`. `None` if either has none left.
    pub(crate) fn window(&self, all: &Self) -> Option<[OwnedSemaphorePermit; 2]> {
        both_now(&self.windows, &all.windows)
    }
}

fn both_now(own: &Arc<Semaphore>, all: &Arc<Semaphore>) -> Option<[OwnedSemaphorePermit; 2]> {
    let own = Arc::clone(own).try_acquire_owned().ok()?;
    Some([own, Arc::clone(all).try_acquire_owned().ok()?])
}

/// Waits for a place in each of the two.
pub(crate) async fn both(own: &Arc<Semaphore>, all: &Arc<Semaphore>) -> Option<[OwnedSemaphorePermit; 2]> {
    let own = Arc::clone(own).acquire_owned().await.ok()?;
    Some([own, Arc::clone(all).acquire_owned().await.ok()?])
}

fn share(connections: usize, dials: usize, lookups: usize, collected: usize, windows: usize) -> Share {
    let places = |count| Arc::new(Semaphore::new(count));
    Share {
        connections: places(connections),
        dials: places(dials),
        lookups: places(lookups),
        collected: places(collected),
        windows: places(windows),
    }
}

/// Far below the 512 threads that the runtime has for blocking work.
const LOOKUPS: usize = 64;
const COLLECTED: usize = 64 * 1024;
/// Of at most 16 MiB each. No upstream is asked for such codings.
const WINDOWS: usize = 16;

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
    fn p16_one_agent_does_not_have_all_windows() {
        let limits = Limits::of(1024);
        let (all, one, two) = (limits.whole(), limits.half(), limits.half());
        let held: Vec<_> = std::iter::from_fn(|| one.window(&all)).collect();
        assert_eq!(held.len(), WINDOWS / 2);
        assert!(two.window(&all).is_some());
        drop(held);
        assert!(one.window(&all).is_some());
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
