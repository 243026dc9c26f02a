//! What the gateway keeps for one agent while it runs. Nothing of it is ever used for another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_wire::KeyId;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::dial::Dialer;
use crate::limits::Share;
use crate::open_values::{Made, OpenValues};
use crate::placeholder::Placeholders;
use crate::redact::Scrubber;
use crate::source::{Agent, Grant, SecretSource, made_of};
use crate::upstream::Pool;

/// What is kept for one agent with one of its credentials.
pub(crate) struct Session {
    pub(crate) agent: Agent,
    pub(crate) pool: Arc<Pool>,
    pub(crate) placeholders: Placeholders,
    scrubber: Mutex<Option<(u64, Made)>>,
    /// Whether an answer was scrubbed for this agent since [`Self::stay`] last asked.
    at_work: AtomicBool,
    pub(crate) share: Arc<Share>,
    used: Mutex<HashMap<KeyId, Bucket>>,
}

/// How many requests a rule still allows: a token bucket.
struct Bucket {
    left: f64,
    at: Instant,
}

/// One connection of an agent, counted against its limit and the gateway's while this lives.
pub(crate) struct ConnectionPermit(
    #[expect(dead_code, reason = "held, not looked at")] [OwnedSemaphorePermit; 2],
);

impl Session {
    pub(crate) fn new(agent: Agent, dialer: &Dialer, share: Share) -> Arc<Self> {
        let share = Arc::new(share);
        Arc::new(Self {
            agent,
            pool: Arc::new(Pool::new(dialer, Arc::clone(&share))),
            placeholders: Placeholders::new(),
            scrubber: Mutex::default(),
            at_work: AtomicBool::new(false),
            share,
            used: Mutex::default(),
        })
    }

    /// The scrubber of what this agent is told. It is made anew if the agent may use other values, or other values are open.
    pub(crate) fn scrubber(&self, opened: &OpenValues, source: &dyn SecretSource) -> Arc<Scrubber> {
        self.at_work.store(true, Ordering::Relaxed);
        let mut last = self.scrubber.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, made)) = &*last
            && *of == source.revision()
            && opened.is_of_now(made)
        {
            return Arc::clone(&made.scrubber);
        }
        let (made, revision) = made_of(source, |revision| {
            let grants = source.grants(&self.agent);
            opened.hold(&self.agent, &grants, revision, |key| source.open(&self.agent, key).ok());
            opened.scrubber(&self.agent, |key, length| {
                let grant = grants.iter().find(|grant| grant.key == key)?;
                Some(self.placeholders.of_length(key, grant.provider.as_deref(), length))
            })
        });
        let scrubber = Arc::clone(&made.scrubber);
        *last = revision.map(|revision| (revision, made));
        scrubber
    }

    /// Keeps the values that the agent may use open, if the agent was at work since the last call.
    pub(crate) fn keep_open(&self, opened: &OpenValues, source: &dyn SecretSource, now: Instant) {
        if self.at_work.swap(false, Ordering::Relaxed) {
            opened.keep_open(&self.agent, &source.grants(&self.agent), now);
        }
    }

    /// Drops the scrubber if values that it covers were closed.
    pub(crate) fn forget(&self, opened: &OpenValues) {
        // If a scrubber is being made, it is of the values that are open now. The next call is soon enough, so nobody waits here.
        let Ok(mut last) = self.scrubber.try_lock() else { return };
        last.take_if(|(_, made)| !opened.is_of_now(made));
    }

    /// Takes a place for one more connection. `None` if the agent, or all agents together, have as many as they may.
    pub(crate) fn place(&self, all: &Share) -> Option<Arc<ConnectionPermit>> {
        self.share.connection(all).map(|places| Arc::new(ConnectionPermit(places)))
    }

    /// Counts a request against a rule's limit. `Err` says how long to wait for the next.
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
