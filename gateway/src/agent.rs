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
use crate::opened::{Made, Opened};
use crate::placeholder::Placeholders;
use crate::redact::Scrubber;
use crate::source::{Agent, Grant, SecretSource, made_of};
use crate::upstream::Pool;

/// One agent, by one of its credentials.
pub(crate) struct Session {
    pub(crate) agent: Agent,
    pub(crate) pool: Arc<Pool>,
    pub(crate) placeholders: Placeholders,
    scrubber: Mutex<Option<(u64, Made)>>,
    /// Something was looked through for it since that was asked last.
    at_work: AtomicBool,
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
            at_work: AtomicBool::new(false),
            share,
            used: Mutex::default(),
        })
    }

    /// What keeps values out of what this agent is told: made anew if it may use others, or others are open.
    pub(crate) fn scrubber(&self, opened: &Opened, source: &dyn SecretSource) -> Arc<Scrubber> {
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

    /// What it may use stays open if it was at work since this was asked last.
    pub(crate) fn stay(&self, opened: &Opened, source: &dyn SecretSource, now: Instant) {
        if self.at_work.swap(false, Ordering::Relaxed) {
            opened.stay(&self.agent, &source.grants(&self.agent), now);
        }
    }

    /// Lets go of values that are no longer open.
    pub(crate) fn forget(&self, opened: &Opened) {
        // If one is being made, it is for what is open now; the next time is soon enough, and nobody waits here.
        let Ok(mut last) = self.scrubber.try_lock() else { return };
        last.take_if(|(_, made)| !opened.is_of_now(made));
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
