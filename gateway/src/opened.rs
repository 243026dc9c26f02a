//! Values that were opened lately: what must be kept out of answers, whoever asked for it.
//!
//! A value stays for as long as a request under way uses it and for ten minutes after that, and so does the version before it:
//! an upstream may repeat it later. It goes at once when no agent that used it may use it any more, or when grants are too old
//! to count, unless a request that uses it is still under way. Values that nobody used are never opened, so a gateway with
//! fifty keys of which one is used holds one.
//!
//! An agent is told no value that was opened for itself. Those that were opened for others are kept from it, too, if they are
//! of one line and not long: a long one would make what every agent is told wait for it, and one of several lines would do so
//! to each line. The only way to another agent's value is through a service that both use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_wire::KeyId;
use keyward_wire::rule::{FieldName, Injection};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::random;
use crate::redact::{Held, Scrubber, Unscrubbable};
use crate::source::{Agent, Grant, SecretSource, Value};

/// The values, and which state of the list this is.
#[derive(Default)]
pub(crate) struct Opened {
    list: Mutex<Vec<Entry>>,
    revision: AtomicU64,
}

struct Entry {
    key: KeyId,
    version: u64,
    value: Arc<Value>,
    secrets: Arc<[Zeroizing<Vec<u8>>]>,
    /// For whom it was opened.
    agents: Vec<Agent>,
    /// What the source said then was of this revision, or an earlier one and is the same.
    revision: u64,
    uses: Arc<()>,
    used: Instant,
}

/// A request uses a value: for as long as this lives, the value is kept out of answers.
pub(crate) struct Use {
    _uses: Arc<()>,
}

/// A scrubber, and the state of the list that it was made of.
pub(crate) struct Made {
    revision: u64,
    scrubber: Arc<Scrubber>,
}

impl Opened {
    /// The value of a grant that was judged by what the source says at `revision`, if it was opened for the same agent and the
    /// source has said the same ever since. It is here in any case, to be kept out of answers: opening it again for each request
    /// would keep it from nobody.
    pub(crate) fn again(&self, agent: &Agent, grant: &Grant, revision: u64) -> Option<(Arc<Value>, Use)> {
        let mut list = self.list();
        let same = |entry: &&mut Entry| {
            entry.key == grant.key
                && entry.version == grant.version
                && entry.revision == revision
                && entry.agents.contains(agent)
        };
        let entry = list.iter_mut().find(same)?;
        entry.used = Instant::now();
        Some((Arc::clone(&entry.value), Use { _uses: Arc::clone(&entry.uses) }))
    }

    /// Notes that a value, opened at `revision` or later, is about to be used for `agent`.
    ///
    /// # Errors
    /// [`Unscrubbable`]: it could not be kept out of the answer.
    pub(crate) fn note(
        &self,
        agent: &Agent,
        grant: &Grant,
        value: &Arc<Value>,
        revision: u64,
    ) -> Result<Use, Unscrubbable> {
        let mut list = self.list();
        let same = |entry: &&mut Entry| entry.key == value.key() && entry.version == value.version();
        if let Some(entry) = list.iter_mut().find(same) {
            entry.used = Instant::now();
            (entry.value, entry.revision) = (Arc::clone(value), revision);
            let used = Use { _uses: Arc::clone(&entry.uses) };
            if !entry.agents.contains(agent) {
                entry.agents.push(agent.clone());
                self.revision.fetch_add(1, Ordering::Release);
            }
            return Ok(used);
        }
        let secrets = secrets(grant, value);
        for secret in &secrets {
            Held::new(secret, None)?;
        }
        let uses = Arc::new(());
        list.push(Entry {
            key: value.key(),
            version: value.version(),
            value: Arc::clone(value),
            secrets: secrets.into(),
            agents: vec![agent.clone()],
            revision,
            uses: Arc::clone(&uses),
            used: Instant::now(),
        });
        self.revision.fetch_add(1, Ordering::Release);
        Ok(Use { _uses: uses })
    }

    /// What keeps them out of what `agent` is told, made anew if the list is another one. `shown` says what stands in the
    /// place of a key's value.
    pub(crate) fn scrubber(
        &self,
        agent: &Agent,
        last: &Mutex<Option<Made>>,
        shown: impl Fn(KeyId, usize) -> Option<Arc<str>>,
    ) -> Arc<Scrubber> {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = last.as_ref().filter(|made| made.revision == self.revision()) {
            return Arc::clone(&made.scrubber);
        }
        let (revision, entries) = {
            let list = self.list();
            let entries: Vec<_> = list
                .iter()
                .map(|entry| {
                    let own = entry.agents.iter().any(|own| own.id == agent.id);
                    (entry.key, own, Arc::clone(&entry.secrets))
                })
                .collect();
            (self.revision(), entries)
        };
        let mut held = Vec::new();
        for (key, own, secrets) in entries {
            let length = secrets.first().map_or(0, |value| value.len());
            let shown = shown(key, length);
            let kept = secrets.iter().filter(|secret| own || is_short(secret));
            held.extend(kept.filter_map(|secret| Held::new(secret, shown.as_deref()).ok()));
        }
        let scrubber = Arc::new(Scrubber::new(&held, u64::from_ne_bytes(*random::bytes::<8>())));
        *last = Some(Made { revision, scrubber: Arc::clone(&scrubber) });
        scrubber
    }

    /// Forgets what was not used for long, and what nobody may use any more.
    pub(crate) fn sweep(&self, source: &dyn SecretSource, now: Instant) {
        let current = source.is_current();
        let granted = |agent: &Agent, key: KeyId| {
            source.stands(agent) && source.grants(agent).iter().any(|grant| grant.key == key)
        };
        let mut list = self.list();
        let before = list.len();
        list.retain_mut(|entry| {
            if Arc::strong_count(&entry.uses) > 1 {
                entry.used = now;
                return true;
            }
            current
                && now.duration_since(entry.used) < KEPT
                && entry.agents.iter().any(|agent| granted(agent, entry.key))
        });
        if list.len() != before {
            self.revision.fetch_add(1, Ordering::Release);
        }
    }

    /// Forgets a scrubber that was made of another list: it holds what is to be forgotten.
    pub(crate) fn forget(&self, last: &Mutex<Option<Made>>) {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        last.take_if(|made| made.revision != self.revision());
    }

    /// Which state of the list this is. A scrubber that is asked for afterwards has at least what is in it.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it costs other agents nothing to look for it.
fn is_short(secret: &[u8]) -> bool {
    secret.len() <= SHORT && memchr::memchr2(b'\n', b'\r', secret).is_none()
}

/// What of a value is secret: itself, and the fields that its rule writes, but for a user's name, which is on every page.
fn secrets(grant: &Grant, value: &Value) -> Vec<Zeroizing<Vec<u8>>> {
    let mut names: Vec<&str> = Vec::new();
    for injection in &grant.rule.terms().into {
        match injection {
            Injection::Basic { user, password } => {
                names.extend(password.fields().map(FieldName::as_str));
                let only_secret = !password.is_secret();
                names.extend(user.fields().filter(|_| only_secret).map(FieldName::as_str));
            }
            other => names.extend(other.fields().into_iter().map(FieldName::as_str)),
        }
    }
    names.sort_unstable();
    names.dedup();
    let fields = names.into_iter().filter_map(|name| value.field(name)).map(str::as_bytes);
    std::iter::once(value.bytes()).chain(fields).map(|secret| Zeroizing::new(secret.to_vec())).collect()
}

const KEPT: Duration = Duration::from_mins(10);
/// Bytes of the longest value of another agent that is looked for.
const SHORT: usize = 1024;

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::atomic::AtomicBool;

    use keyward_wire::rule::{Rule, Terms};
    use keyward_wire::{AgentId, Sha256};

    use super::*;
    use crate::source::Closed;

    /// Knows one key, for as long as it says so.
    struct Source {
        granted: AtomicBool,
        current: AtomicBool,
    }

    impl SecretSource for Source {
        fn agent(&self, _: &str) -> Option<Agent> {
            None
        }

        fn is_current(&self) -> bool {
            self.current.load(Ordering::Relaxed)
        }

        fn stands(&self, _: &Agent) -> bool {
            true
        }

        fn grants(&self, _: &Agent) -> Arc<[Grant]> {
            let granted = self.granted.load(Ordering::Relaxed);
            granted.then(grant).into_iter().collect()
        }

        fn open(&self, _: &Agent, _: KeyId) -> Result<Arc<Value>, Closed> {
            Err(Closed::NotGranted)
        }

        fn revision(&self) -> u64 {
            0
        }

        fn changed(&self, _: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }

    fn source() -> Source {
        Source { granted: AtomicBool::new(true), current: AtomicBool::new(true) }
    }

    fn agent(number: u8) -> Agent {
        let credential = Sha256::from_bytes([number; 32]);
        Agent { id: AgentId::from_bytes([number; 16]), name: "agent".into(), credential }
    }

    fn grant() -> Grant {
        let terms = Terms::new(vec!["a.test".parse().unwrap()], vec![Injection::bearer()]);
        let rule = Arc::new(Rule::new(terms).unwrap());
        Grant { key: KeyId::from_bytes([1; 16]), name: "A".into(), provider: None, version: 1, rule }
    }

    fn note(opened: &Opened, agent: &Agent, version: u64, secret: &[u8]) -> Use {
        let value = Value::new(grant().key, version, Zeroizing::new(secret.to_vec()), Vec::new());
        opened.note(agent, &grant(), &Arc::new(value), 7).unwrap()
    }

    /// Whether an agent is not told a value.
    fn covers(opened: &Opened, agent: &Agent, secret: &[u8]) -> bool {
        opened.scrubber(agent, &Mutex::default(), |_, _| None).text(secret).is_some()
    }

    const SECRET: &[u8] = b"sk-a-secret-of-one-line-0123456789";

    #[test]
    fn l11_a_value_goes_ten_minutes_after_the_last_request_that_used_it_has_ended() {
        let (opened, one, source) = (Opened::default(), agent(1), source());
        let used = note(&opened, &one, 1, SECRET);
        let end = Instant::now() + KEPT * 3;
        opened.sweep(&source, end);
        assert!(covers(&opened, &one, SECRET), "a stream is still open");
        drop(used);
        opened.sweep(&source, end + KEPT - Duration::from_secs(1));
        assert!(covers(&opened, &one, SECRET));
        opened.sweep(&source, end + KEPT);
        assert!(!covers(&opened, &one, SECRET));
    }

    #[test]
    fn d26_a_value_is_used_again_for_its_agent_alone_and_only_while_nothing_has_changed() {
        let (opened, one, two) = (Opened::default(), agent(1), agent(2));
        let _use = note(&opened, &one, 1, SECRET);
        let (value, _use) = opened.again(&one, &grant(), 7).unwrap();
        assert_eq!(value.bytes(), SECRET);
        let rotated = Agent { credential: two.credential, ..one.clone() };
        let later = Grant { version: 2, ..grant() };
        assert!(opened.again(&two, &grant(), 7).is_none(), "it was opened for another");
        assert!(opened.again(&rotated, &grant(), 7).is_none(), "it was opened by another credential");
        assert!(opened.again(&one, &grant(), 8).is_none(), "something has changed");
        assert!(opened.again(&one, &later, 7).is_none(), "there is another version");
    }

    #[test]
    fn l5_a_value_that_nobody_may_use_any_more_goes_with_the_request_that_used_it() {
        let ends: [fn(&Source) -> &AtomicBool; 2] = [|source| &source.granted, |source| &source.current];
        for end in ends {
            let (opened, one, source, last) = (Opened::default(), agent(1), source(), Mutex::default());
            let used = note(&opened, &one, 1, SECRET);
            let scrubber = Arc::downgrade(&opened.scrubber(&one, &last, |_, _| None));
            end(&source).store(false, Ordering::Relaxed);
            opened.sweep(&source, Instant::now());
            opened.forget(&last);
            assert!(covers(&opened, &one, SECRET) && scrubber.upgrade().is_some());
            drop(used);
            opened.sweep(&source, Instant::now());
            opened.forget(&last);
            assert!(opened.list().is_empty() && !covers(&opened, &one, SECRET));
            assert!(scrubber.upgrade().is_none(), "an agent that does nothing keeps no values");
        }
    }

    #[test]
    fn r24_another_agents_short_value_is_covered_and_its_long_ones_delay_nobody() {
        let (opened, one, two) = (Opened::default(), agent(1), agent(2));
        let lines = b"-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIE\n-----END KEY-----\n";
        let long = [b'x'; SHORT + 1];
        let secrets = [SECRET, lines, &long];
        let _uses: Vec<Use> =
            (1..).zip(secrets).map(|(version, secret)| note(&opened, &one, version, secret)).collect();
        assert_eq!(secrets.map(|secret| covers(&opened, &one, secret)), [true; 3]);
        assert_eq!(secrets.map(|secret| covers(&opened, &two, secret)), [true, false, false]);
        let reach = |agent| opened.scrubber(agent, &Mutex::default(), |_, _| None).reach();
        assert!(reach(&two) < 1024 && reach(&one) > 10_000);
        // Once it is its own as well, it is covered as that.
        let _use = note(&opened, &two, 2, lines);
        assert!(covers(&opened, &two, lines));
    }
}
