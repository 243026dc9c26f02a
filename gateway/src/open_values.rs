//! Opened values: what must be kept out of answers, whichever agent asked for it.
//!
//! An agent is told none of the values that it may use, whether it has used them or not: a key that reads a platform's settings
//! would show the agent the keys stored there. So when the first answer to an agent is scrubbed, all values that it may use are
//! opened. They stay open while the agent is at work and for ten minutes after that. Values that no agent at work may use stay
//! sealed: an agent that does nothing has none of its keys open.
//!
//! A value that was sent stays open while a request under way uses it and for ten minutes after that, and so does the version
//! before it: an upstream may repeat it later. So does a value that was taken away from its agent, who would otherwise see it
//! from then on. A value is closed at once when every agent that had it has ended, or when grants are too old to count, unless a
//! request that uses it is still under way.
//!
//! Values that other agents have sent are kept from an agent, too, if they are of one line and not long. A long one would delay
//! what every agent is told, and one of several lines would delay every line. The only way to another agent's value is through a
//! service that both use.

use std::collections::BTreeMap;
use std::collections::btree_map as map;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_wire::KeyId;
use keyward_wire::limits::OTHERS_VALUE_MAX_BYTES;
use keyward_wire::rule::{FieldName, Injection};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::random;
use crate::redact::{Held, Scrubber, Unscrubbable};
use crate::source::{Agent, Grant, SecretSource, Value};

/// The opened values, and a number for the state of their list.
#[derive(Default)]
pub(crate) struct OpenValues {
    list: Mutex<List>,
    revision: AtomicU64,
}

/// The opened values by key and version.
type List = BTreeMap<(KeyId, u64), Entry>;

struct Entry {
    value: Arc<Value>,
    secrets: Arc<[Zeroizing<Vec<u8>>]>,
    /// The agents for which the value was opened.
    agents: Vec<Agent>,
    /// The source's revision at which the value was opened, or a later one at which the source says the same of it.
    revision: u64,
    /// Whether the value was put into a request: since then it may be anywhere.
    sent: bool,
    uses: Arc<()>,
    used: Instant,
}

/// A request's use of a value: while this lives, the value is kept out of answers.
pub(crate) struct Use {
    _uses: Arc<()>,
}

/// A scrubber, and the number of the list's state that it was made from.
pub(crate) struct Made {
    revision: u64,
    pub(crate) scrubber: Arc<Scrubber>,
}

impl Entry {
    fn new(grant: &Grant, value: &Arc<Value>, revision: u64) -> Result<Self, Unscrubbable> {
        let secrets = secrets(grant, value);
        for secret in &secrets {
            Held::new(secret, None)?;
        }
        let (value, secrets, agents) = (Arc::clone(value), secrets.into(), Vec::new());
        let (sent, uses, used) = (false, Arc::default(), Instant::now());
        Ok(Self { value, secrets, agents, revision, sent, uses, used })
    }

    /// Notes that the value is this agent's, too. Returns whether that is new.
    fn is_for(&mut self, agent: &Agent) -> bool {
        let is_new = !self.agents.contains(agent);
        if is_new {
            self.agents.push(agent.clone());
        }
        is_new
    }
}

impl OpenValues {
    /// The open value of a grant that was judged at `revision` of the source. `None` if the value was not opened for this agent,
    /// or the source has changed since. Opening the value again for each request would protect nothing: it is kept here anyway,
    /// so that it can be kept out of answers.
    pub(crate) fn again(&self, agent: &Agent, grant: &Grant, revision: u64) -> Option<(Arc<Value>, Use)> {
        let mut list = self.list();
        let entry = list.get_mut(&(grant.key, grant.version))?;
        if entry.revision != revision || !entry.agents.contains(agent) {
            return None;
        }
        let value = Arc::clone(&entry.value);
        Some((value, self.used(entry, false)))
    }

    /// Notes that a value, opened at `revision` or later, is about to be used for `agent`.
    ///
    /// # Errors
    /// [`Unscrubbable`] if the value could not be kept out of the answer.
    pub(crate) fn note(
        &self,
        agent: &Agent,
        grant: &Grant,
        value: &Arc<Value>,
        revision: u64,
    ) -> Result<Use, Unscrubbable> {
        let mut list = self.list();
        let entry = entry(&mut list, grant, value, revision)?;
        let is_new = entry.is_for(agent);
        Ok(self.used(entry, is_new))
    }

    fn used(&self, entry: &mut Entry, is_new: bool) -> Use {
        entry.used = Instant::now();
        let was_sent = std::mem::replace(&mut entry.sent, true);
        if is_new || !was_sent {
            self.revision.fetch_add(1, Ordering::Release);
        }
        Use { _uses: Arc::clone(&entry.uses) }
    }

    /// Opens all values that `agent` may use according to the source at `revision`; `open` is called for those that are not open
    /// for this agent. A value that does not open, or could not be kept out of answers, is left out: it cannot be used, either.
    pub(crate) fn hold(
        &self,
        agent: &Agent,
        grants: &[Grant],
        revision: u64,
        open: impl Fn(KeyId) -> Option<Arc<Value>>,
    ) {
        let missing: Vec<&Grant> = {
            let list = self.list();
            let is_open = |grant: &&Grant| {
                list.get(&(grant.key, grant.version)).is_some_and(|entry| entry.agents.contains(agent))
            };
            grants.iter().filter(|grant| !is_open(grant)).collect()
        };
        let mut changed = false;
        for grant in missing {
            // A version that came meanwhile is another grant's.
            let Some(value) = open(grant.key).filter(|value| value.version() == grant.version) else {
                continue;
            };
            if let Ok(entry) = entry(&mut self.list(), grant, &value, revision) {
                changed |= entry.is_for(agent);
            }
        }
        if changed {
            self.revision.fetch_add(1, Ordering::Release);
        }
    }

    /// Notes that `agent` is at work: the values that it may use stay open.
    pub(crate) fn keep_open(&self, agent: &Agent, grants: &[Grant], now: Instant) {
        let mut list = self.list();
        for grant in grants {
            if let Some(entry) = list.get_mut(&(grant.key, grant.version))
                && entry.agents.contains(agent)
            {
                entry.used = now;
            }
        }
    }

    /// A scrubber of what `agent` is told. `shown` gives the text that stands in the place of a key's value.
    pub(crate) fn scrubber(&self, agent: &Agent, shown: impl Fn(KeyId, usize) -> Option<Arc<str>>) -> Made {
        let (revision, entries) = {
            let list = self.list();
            let entries: Vec<_> = list
                .iter()
                .map(|((key, _), entry)| {
                    let own = entry.agents.iter().any(|own| own.id == agent.id);
                    (*key, own, entry.sent, Arc::clone(&entry.secrets))
                })
                .collect();
            (self.revision(), entries)
        };
        let mut held = Vec::new();
        for (key, own, sent, secrets) in entries {
            let length = secrets.first().map_or(0, |value| value.len());
            let shown = shown(key, length);
            let kept = secrets.iter().filter(|secret| own || (sent && is_short(secret)));
            held.extend(kept.filter_map(|secret| Held::new(secret, shown.as_deref()).ok()));
        }
        let scrubber = Scrubber::new(&held, u64::from_ne_bytes(*random::bytes::<8>()));
        Made { revision, scrubber: Arc::new(scrubber) }
    }

    /// Whether the scrubber was made from the list in its present state.
    pub(crate) fn is_of_now(&self, made: &Made) -> bool {
        made.revision == self.revision()
    }

    /// Closes the values that were not used for long, and those of agents that have all ended.
    pub(crate) fn sweep(&self, source: &dyn SecretSource, now: Instant) {
        let current = source.is_current();
        let mut list = self.list();
        let before = list.len();
        list.retain(|_, entry| {
            if Arc::strong_count(&entry.uses) > 1 {
                entry.used = now;
                return true;
            }
            current
                && now.duration_since(entry.used) < KEPT
                && entry.agents.iter().any(|agent| source.stands(agent))
        });
        if list.len() != before {
            self.revision.fetch_add(1, Ordering::Release);
        }
    }

    /// The number of the list's present state. A scrubber that is made after this call covers at least that state.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a value in the list, made if it is not there.
fn entry<'l>(
    list: &'l mut List,
    grant: &Grant,
    value: &Arc<Value>,
    revision: u64,
) -> Result<&'l mut Entry, Unscrubbable> {
    Ok(match list.entry((value.key(), value.version())) {
        map::Entry::Occupied(entry) => {
            let entry = entry.into_mut();
            (entry.value, entry.revision) = (Arc::clone(value), revision);
            entry
        }
        map::Entry::Vacant(entry) => entry.insert(Entry::new(grant, value, revision)?),
    })
}

/// Whether looking for this value costs other agents nothing: whether it is short and of one line.
fn is_short(secret: &[u8]) -> bool {
    secret.len() <= OTHERS_VALUE_MAX_BYTES && memchr::memchr2(b'\n', b'\r', secret).is_none()
}

/// The secret parts of a value: the value itself, and the fields that its rule writes, except a user name, which is on every
/// page.
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

/// How long a value stays open after it was used, or its agent was at work.
const KEPT: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::atomic::AtomicBool;

    use keyward_wire::rule::{Rule, Terms};
    use keyward_wire::{AgentId, Sha256};

    use super::*;
    use crate::source::Closed;

    /// Knows one agent and its key, for as long as it says so.
    struct Source {
        granted: AtomicBool,
        stands: AtomicBool,
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
            self.stands.load(Ordering::Relaxed)
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
        Source {
            granted: AtomicBool::new(true),
            stands: AtomicBool::new(true),
            current: AtomicBool::new(true),
        }
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

    fn value(version: u64, secret: &[u8]) -> Arc<Value> {
        Arc::new(Value::new(grant().key, version, Zeroizing::new(secret.to_vec()), Vec::new()))
    }

    fn note(opened: &OpenValues, agent: &Agent, version: u64, secret: &[u8]) -> Use {
        opened.note(agent, &grant(), &value(version, secret), 7).unwrap()
    }

    fn hold(opened: &OpenValues, agent: &Agent, secret: &[u8]) {
        opened.hold(agent, &[grant()], 7, |_| Some(value(1, secret)));
    }

    /// Whether an agent is not told a value.
    fn covers(opened: &OpenValues, agent: &Agent, secret: &[u8]) -> bool {
        opened.scrubber(agent, |_, _| None).scrubber.text(secret).is_some()
    }

    const SECRET: &[u8] = b"sk-a-secret-of-one-line-0123456789";

    #[test]
    fn l11_a_value_goes_ten_minutes_after_the_last_request_that_used_it_has_ended() {
        let (opened, one, source) = (OpenValues::default(), agent(1), source());
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
        let (opened, one, two) = (OpenValues::default(), agent(1), agent(2));
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
    fn l5_a_key_that_is_taken_away_is_not_uncovered_by_that() {
        let (opened, one, source, start) = (OpenValues::default(), agent(1), source(), Instant::now());
        hold(&opened, &one, SECRET);
        source.granted.store(false, Ordering::Relaxed);
        opened.sweep(&source, start + KEPT - Duration::from_secs(1));
        assert!(covers(&opened, &one, SECRET));
        // What it may use no more, its work does not keep open.
        opened.keep_open(&one, &source.grants(&one), start + KEPT);
        opened.sweep(&source, start + KEPT + Duration::from_secs(1));
        assert!(opened.list().is_empty());
    }

    #[test]
    fn l5_values_of_agents_that_have_ended_go_with_the_requests_that_used_them() {
        let ends: [fn(&Source) -> &AtomicBool; 2] = [|source| &source.stands, |source| &source.current];
        for end in ends {
            let (opened, one, source) = (OpenValues::default(), agent(1), source());
            let used = note(&opened, &one, 1, SECRET);
            let made = opened.scrubber(&one, |_, _| None);
            end(&source).store(false, Ordering::Relaxed);
            opened.sweep(&source, Instant::now());
            assert!(covers(&opened, &one, SECRET) && opened.is_of_now(&made));
            drop(used);
            opened.sweep(&source, Instant::now());
            assert!(opened.list().is_empty() && !covers(&opened, &one, SECRET));
            assert!(!opened.is_of_now(&made), "an agent that does nothing keeps no values");
        }
    }

    #[test]
    fn r24_another_agents_short_value_is_covered_and_its_long_ones_delay_nobody() {
        let (opened, one, two) = (OpenValues::default(), agent(1), agent(2));
        let lines = b"-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIE\n-----END KEY-----\n";
        let long = [b'x'; OTHERS_VALUE_MAX_BYTES + 1];
        let secrets = [SECRET, lines, &long];
        let _uses: Vec<Use> =
            (1..).zip(secrets).map(|(version, secret)| note(&opened, &one, version, secret)).collect();
        assert_eq!(secrets.map(|secret| covers(&opened, &one, secret)), [true; 3]);
        assert_eq!(secrets.map(|secret| covers(&opened, &two, secret)), [true, false, false]);
        let reach = |agent| opened.scrubber(agent, |_, _| None).scrubber.reach();
        assert!(reach(&two) < 1024 && reach(&one) > 10_000);
        // Once it is its own as well, it is covered as that.
        let _use = note(&opened, &two, 2, lines);
        assert!(covers(&opened, &two, lines));
    }

    #[test]
    fn r24_what_an_agent_at_work_may_use_is_covered_before_it_was_ever_used() {
        let (opened, one, two, source) = (OpenValues::default(), agent(1), agent(2), source());
        hold(&opened, &one, SECRET);
        assert!(covers(&opened, &one, SECRET));
        // It is nowhere yet, so it costs the others nothing.
        assert!(!covers(&opened, &two, SECRET));
        let made = opened.scrubber(&two, |_, _| None);
        opened.hold(&one, &[grant()], 7, |_| panic!("it is open"));
        assert!(opened.is_of_now(&made));
        // From the first time that it is used, they are not told it, either.
        drop(opened.again(&one, &grant(), 7).unwrap());
        assert!(!opened.is_of_now(&made) && covers(&opened, &two, SECRET));
        // What does not open, or cannot be covered, stands in nobody's way.
        opened.sweep(&source, Instant::now() + KEPT);
        opened.hold(&one, &[grant()], 7, |_| None);
        hold(&opened, &one, b"short");
        assert!(opened.list().is_empty());
    }

    #[test]
    fn l11_what_an_agent_may_use_goes_ten_minutes_after_it_was_last_at_work() {
        let (opened, one, source, start) = (OpenValues::default(), agent(1), source(), Instant::now());
        hold(&opened, &one, SECRET);
        let later = start + KEPT * 3;
        opened.keep_open(&one, &[grant()], later);
        opened.sweep(&source, later + KEPT - Duration::from_secs(1));
        assert!(covers(&opened, &one, SECRET));
        // Another version, or another agent's work, is no reason to keep it.
        opened.keep_open(&one, &[Grant { version: 2, ..grant() }], later + KEPT);
        opened.keep_open(&agent(2), &[grant()], later + KEPT);
        opened.sweep(&source, later + KEPT);
        assert!(opened.list().is_empty());
    }
}
