//! Requests that wait until their organisation is written to. None of them holds a transaction or a connection to the database
//! meanwhile.
//!
//! A write through this process wakes them at once. On PostgreSQL other servers write, too: while any request waits, the seqs of
//! the organisations that are waited for are read once a second. Being woken says only that something was written. What that
//! means for the waiting request, and whether its caller may still ask at all, is checked anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_wire::{IdentityId, OrgId};
use tokio::sync::watch;

use crate::store::{Store, StoreError};

/// The requests that wait, by organisation. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Waits>>);

#[derive(Default)]
struct Waits {
    orgs: HashMap<OrgId, Watched>,
    identities: HashMap<IdentityId, usize>,
    all: usize,
    closed: bool,
}

struct Watched {
    /// Seq of the last write that was noticed.
    seq: u64,
    waiting: usize,
    written: watch::Sender<()>,
}

/// A waiting request's place; given back when dropped.
pub(crate) struct WaitPermit {
    watch: Watch,
    org: OrgId,
    identity: IdentityId,
    written: watch::Receiver<()>,
}

impl Watch {
    /// A place for `identity`, which saw `seq` of its organisation. `None` if the identity, or the process, has too many.
    ///
    /// Take it while the organisation is still locked: then a later write is not missed.
    pub(crate) fn enter(&self, org: OrgId, identity: IdentityId, seq: u64) -> Option<WaitPermit> {
        let mut waits = self.lock();
        if waits.closed || waits.all >= PLACES {
            return None;
        }
        let own = waits.identities.entry(identity).or_default();
        if *own >= PLACES_EACH {
            return None;
        }
        *own += 1;
        waits.all += 1;
        let watched = waits.orgs.entry(org).or_insert_with(|| Watched {
            seq,
            waiting: 0,
            written: watch::Sender::new(()),
        });
        watched.waiting += 1;
        watched.notice(seq);
        let written = watched.written.subscribe();
        Some(WaitPermit { watch: self.clone(), org, identity, written })
    }

    /// Notes that `org` is at `seq` now.
    pub(crate) fn written(&self, org: OrgId, seq: u64) {
        if let Some(watched) = self.lock().orgs.get_mut(&org) {
            watched.notice(seq);
        }
    }

    /// Ends all waiting, and lets no request begin to wait.
    pub(crate) fn close(&self) {
        let mut waits = self.lock();
        waits.closed = true;
        waits.orgs.clear();
    }

    fn orgs(&self) -> Vec<OrgId> {
        self.lock().orgs.keys().copied().collect()
    }

    /// How many requests wait.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        // The state is consistent after every line that changes it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn notice(&mut self, seq: u64) {
        if self.seq != seq {
            self.seq = seq;
            self.written.send_replace(());
        }
    }
}

impl WaitPermit {
    /// Waits until the organisation was written to since the last call, or since this place was taken. False if the server stops.
    pub(crate) async fn written(&mut self) -> bool {
        self.written.changed().await.is_ok()
    }
}

impl Drop for WaitPermit {
    fn drop(&mut self) {
        let mut waits = self.watch.lock();
        waits.all = waits.all.saturating_sub(1);
        if let Some(own) = waits.identities.get_mut(&self.identity) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                waits.identities.remove(&self.identity);
            }
        }
        if let Some(watched) = waits.orgs.get_mut(&self.org) {
            watched.waiting = watched.waiting.saturating_sub(1);
            if watched.waiting == 0 {
                waits.orgs.remove(&self.org);
            }
        }
    }
}

/// Notices what other servers write to the same database, for as long as this server runs.
pub(crate) async fn keep_looking(store: Store, watch: Watch) {
    if store.has_one_writer() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = look(&store, &watch).await {
            tracing::warn!(cause = error.cause(), "what other servers wrote could not be looked at");
        }
    }
}

async fn look(store: &Store, watch: &Watch) -> Result<(), StoreError> {
    let orgs = watch.orgs();
    if orgs.is_empty() {
        return Ok(());
    }
    let mut tx = store.snapshot().await?;
    for org in orgs {
        if let Some(seq) = tx.seq_of(org).await? {
            watch.written(org, seq);
        }
    }
    tx.rollback().await
}

/// The most requests of one identity that wait at once: enough for a few machines with the same token, each of which may just
/// have been restarted.
const PLACES_EACH: usize = 8;

/// The most requests that wait at once.
const PLACES: usize = 1024;

/// How often other servers' writes are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const ORG: OrgId = OrgId::from_bytes([1; 16]);
    const WHO: IdentityId = IdentityId::from_bytes([2; 16]);

    fn is_woken(place: &mut WaitPermit) -> Option<bool> {
        match pin!(place.written()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(woken) => Some(woken),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_write_wakes_those_who_wait_for_its_organisation_once() {
        let (watch, other) = (Watch::default(), OrgId::from_bytes([3; 16]));
        let (mut one, mut two) = (watch.enter(ORG, WHO, 5).unwrap(), watch.enter(other, WHO, 5).unwrap());
        assert_eq!((is_woken(&mut one), is_woken(&mut two)), (None, None));
        watch.written(ORG, 6);
        assert_eq!((is_woken(&mut one), is_woken(&mut two)), (Some(true), None));
        watch.written(ORG, 6);
        assert_eq!(is_woken(&mut one), None, "the same seq is no news");
        watch.written(ORG, 4);
        assert_eq!(is_woken(&mut one), Some(true), "a restored backup is");
    }

    #[test]
    fn who_saw_a_newer_state_is_not_woken_by_it_and_wakes_the_others() {
        let watch = Watch::default();
        let mut old = watch.enter(ORG, WHO, 5).unwrap();
        let mut new = watch.enter(ORG, WHO, 6).unwrap();
        assert_eq!((is_woken(&mut old), is_woken(&mut new)), (Some(true), None));
    }

    #[test]
    fn an_identity_has_few_places_and_gets_them_back() {
        let watch = Watch::default();
        let mut places: Vec<WaitPermit> = std::iter::from_fn(|| watch.enter(ORG, WHO, 5)).take(100).collect();
        assert_eq!(places.len(), PLACES_EACH);
        assert!(watch.enter(ORG, IdentityId::from_bytes([9; 16]), 5).is_some());
        places.pop();
        assert!(watch.enter(ORG, WHO, 5).is_some());
        places.clear();
        assert!(watch.lock().orgs.is_empty() && watch.lock().identities.is_empty());
        assert_eq!(watch.lock().all, 0);
    }

    #[test]
    fn when_the_server_stops_nobody_waits() {
        let watch = Watch::default();
        let mut place = watch.enter(ORG, WHO, 5).unwrap();
        watch.close();
        assert_eq!(is_woken(&mut place), Some(false));
        assert!(watch.enter(ORG, WHO, 5).is_none());
    }
}
