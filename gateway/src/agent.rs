//! What the gateway keeps for one agent while it runs. Nothing of it is ever used for another.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_wire::KeyId;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::dial::Dialer;
use crate::limits::Share;
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
    pub(crate) share: Arc<Share>,
    used: Mutex<HashMap<KeyId, Bucket>>,
}

/// Requests that a rule still allows.
struct Bucket {
    left: f64,
    at: Instant,
}

/// One of an agent's connections.
pub(crate) struct Place(#[expect(dead_code, reason = "held, not looked at")] [OwnedSemaphorePermit; 2]);

impl Session {
    pub(crate) fn new(agent: Agent, dialer: &Dialer, share: Share) -> Arc<Self> {
        let share = Arc::new(share);
        Arc::new(Self {
            agent,
            pool: Arc::new(Pool::new(dialer, Arc::clone(&share))),
            placeholders: Placeholders::new(),
            scrubber: Mutex::default(),
            share,
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

    /// A place for one more connection. None: there are as many as this agent, or all together, may have.
    pub(crate) fn place(&self, all: &Share) -> Option<Arc<Place>> {
        self.share.connection(all).map(|places| Arc::new(Place(places)))
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
