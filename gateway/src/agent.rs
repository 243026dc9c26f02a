//! What the gateway keeps for one agent while it runs. Nothing of it is ever used for another.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_wire::KeyId;
use tokio::time::Instant;

use crate::dial::Dialer;
use crate::opened::{Made, Opened};
use crate::placeholder::Placeholders;
use crate::redact::Scrubber;
use crate::source::{Agent, Grant};
use crate::upstream::Pool;

/// One agent, by one of its credentials.
pub(crate) struct Session {
    pub(crate) agent: Agent,
    pub(crate) pool: Arc<Pool>,
    pub(crate) placeholders: Placeholders,
    scrubber: Mutex<Option<Made>>,
    tunnels: AtomicUsize,
    used: Mutex<HashMap<KeyId, Bucket>>,
}

/// Requests that a rule still allows.
struct Bucket {
    left: f64,
    at: Instant,
}

/// One of an agent's tunnels.
pub(crate) struct Place(Arc<Session>);

impl Session {
    pub(crate) fn new(agent: Agent, dialer: &Dialer) -> Arc<Self> {
        Arc::new(Self {
            agent,
            pool: Arc::new(Pool::new(dialer)),
            placeholders: Placeholders::new(),
            scrubber: Mutex::default(),
            tunnels: AtomicUsize::new(0),
            used: Mutex::default(),
        })
    }

    /// What keeps opened values out of what this agent is told.
    pub(crate) fn scrubber(&self, opened: &Opened, grants: impl Fn() -> Arc<[Grant]>) -> Arc<Scrubber> {
        let grants = LazyCell::new(grants);
        opened.scrubber(&self.agent, &self.scrubber, |key, length| {
            let grant = grants.iter().find(|grant| grant.key == key)?;
            Some(self.placeholders.of_length(key, grant.provider.as_deref(), length))
        })
    }

    /// Lets go of values that are no longer opened.
    pub(crate) fn forget(&self, opened: &Opened) {
        opened.forget(&self.scrubber);
    }

    /// A place for one more tunnel. None: there are as many as an agent may have.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        let place = Place(Arc::clone(self));
        (self.tunnels.fetch_add(1, Ordering::Relaxed) < MOST_TUNNELS).then_some(place)
    }

    /// Counts a request by a rule's limit. `Err`: how long to wait for the next.
    pub(crate) fn count(&self, grant: &Grant) -> Result<(), Duration> {
        let Some(limits) = grant.rule.terms().limits else { return Ok(()) };
        let most = f64::from(limits.requests_per_minute());
        let now = Instant::now();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = used.entry(grant.key).or_insert(Bucket { left: most, at: now });
        let refilled = now.duration_since(bucket.at).as_secs_f64() * most / 60.0;
        bucket.left = (bucket.left + refilled).min(most);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) * 60.0 / most));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.tunnels.fetch_sub(1, Ordering::Relaxed);
    }
}

const MOST_TUNNELS: usize = 4096;
