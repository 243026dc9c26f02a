//! What a gateway may do at this moment. It is asked at every request, from any thread; nobody waits for the network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use keyward_crypto::state::secret::Secret;
use keyward_crypto::state::view::{ViewAgent, ViewDeployment};
use keyward_gateway::{Agent, Closed};
use keyward_wire::api::agents::AgentsAnswer;
use keyward_wire::{AgentId, KeyId};
use tokio::sync::watch;

use super::clock::Clock;
use super::counts::Counts;
use super::held::{Held, Usable};

/// How long the server's last word counts. If it counted longer, a server that is cut off could not take anything away.
pub const LIMIT: Duration = Duration::from_mins(5);

/// How long a view counts after the server has named a newer one that does not arrive. The newer view may have another credential
/// of an agent in it, because the former one was stolen.
pub const LIMIT_OF_OLD: Duration = Duration::from_secs(5);

/// A gateway's knowledge. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    max_age: Option<i64>,
    state: RwLock<State>,
    revision: watch::Sender<u64>,
    counts: Counts,
}

#[derive(Default)]
struct State {
    /// The sealed view's content. `None` if nothing counts any more.
    held: Option<Arc<Held>>,
    /// The server's last word: agents, and for each the keys that the server does not forbid.
    named: BTreeMap<AgentId, BTreeSet<KeyId>>,
    /// The keys that both allow, by agent: computed when either changes, and read at every request.
    allowed: BTreeMap<AgentId, Arc<[Usable]>>,
    /// When the server was asked for its last word, by [`Clock::elapsed`].
    heard: Duration,
    /// Since when a newer view than the held one is known to exist. `None` if the held one is the newest known.
    outdated: Option<Duration>,
    /// What changes by time alone: whether anything counts, and how many agents have not ended.
    ticked: (bool, usize),
}

/// An opened value, for one request.
pub struct Opened {
    /// The value's version.
    pub version: u64,
    /// The value and its fields, wiped when they are dropped.
    pub secret: Secret,
}

impl Live {
    /// Knowledge that allows nothing yet.
    pub(super) fn new(clock: Arc<dyn Clock>, max_age: Option<i64>) -> Self {
        let revision = watch::Sender::new(0);
        let (state, counts) = (RwLock::default(), Counts::default());
        Self(Arc::new(Shared { clock, max_age, state, revision, counts }))
    }

    /// The agent whose proxy credential this is. `None` if the credential is unknown, wrong, ended or revoked, which are not told
    /// apart.
    pub fn agent(&self, credential: &str) -> Option<Agent> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let held = state.held.as_ref()?;
            let agent = held.shown_by(credential, now).filter(|agent| state.named.contains_key(&agent.id))?;
            Some(client(held, agent))
        })
    }

    /// The agent of this id: for a program that the gateway itself started as that agent. An agent's name may pass to another
    /// agent, its id does not.
    pub fn agent_of(&self, id: AgentId) -> Option<Agent> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let held = state.held.as_ref()?;
            let agent = held.agent(id, now).filter(|agent| state.named.contains_key(&agent.id))?;
            Some(client(held, agent))
        })
    }

    /// The agent of this name: for a program that the gateway itself starts as that agent.
    pub fn agent_named(&self, name: &str) -> Option<Agent> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let held = state.held.as_ref()?;
            let agent = held.called(name, now).filter(|agent| state.named.contains_key(&agent.id))?;
            Some(client(held, agent))
        })
    }

    /// The agents that are served, by name.
    pub fn agents(&self) -> Vec<Agent> {
        let now = self.0.clock.wall();
        let mut agents: Vec<Agent> = self.read(|state| {
            let Some(held) = &state.held else { return Vec::new() };
            let served = held.agents(now).filter(|agent| state.named.contains_key(&agent.id));
            served.map(|agent| client(held, agent)).collect()
        });
        agents.sort_by(|one, other| one.name.cmp(&other.name));
        agents
    }

    /// The deployments of the gateway's groups, with the variables that keys are mapped to.
    pub fn deployments(&self) -> Vec<ViewDeployment> {
        self.read(|state| state.held.as_ref().map(|held| held.deployments().to_vec()).unwrap_or_default())
    }

    /// Requests that were decided, for the server to be told of.
    pub fn request_counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Whether `client` is still served with the credential that it showed. False also if nothing counts.
    pub fn stands(&self, client: &Agent) -> bool {
        let now = self.0.clock.wall();
        self.read(|state| self.counts(state, now) && found(state, client, now).is_some())
    }

    /// The keys that may be used for `client` now. Empty if nothing counts.
    pub fn usable(&self, client: &Agent) -> Arc<[Usable]> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let stands = self.counts(state, now) && found(state, client, now).is_some();
            let allowed = state.allowed.get(&client.id).filter(|_| stands);
            allowed.map_or_else(|| Arc::from([]), Arc::clone)
        })
    }

    /// Opens one value for one request, after the request was judged.
    ///
    /// # Errors
    /// [`Closed`], if it may not be used or does not open.
    pub fn open(&self, client: &Agent, key: KeyId) -> Result<Opened, Closed> {
        let now = self.0.clock.wall();
        let held = self.read(|state| {
            if !self.counts(state, now) {
                return Err(Closed::Stale);
            }
            let (held, agent) = found(state, client, now).ok_or(Closed::NotGranted)?;
            let allowed =
                state.allowed.get(&agent.id).is_some_and(|all| all.iter().any(|one| one.key == key));
            if allowed { Ok(Arc::clone(held)) } else { Err(Closed::NotGranted) }
        })?;
        let entry = held.key(key).ok_or(Closed::NotGranted)?;
        let secret = held.open(entry).map_err(|_| Closed::Broken)?;
        Ok(Opened { version: entry.version, secret })
    }

    /// A number that differs after every change.
    pub fn revision(&self) -> u64 {
        *self.0.revision.borrow()
    }

    /// Ends when [`revision`](Self::revision) differs from `seen`. A caller that holds something open for an agent then judges it
    /// again.
    pub async fn changed(&self, seen: u64) {
        let mut revision = self.0.revision.subscribe();
        // The sender lives as long as `self`.
        let _never_closed = revision.wait_for(|revision| *revision != seen).await;
    }

    /// Seq of the GRANT that counts. `None` if none counts.
    pub fn seq(&self) -> Option<u64> {
        self.read(|state| state.held.as_ref().map(|held| held.seq()))
    }

    /// Whether anything counts: the server's last word is not too old, and the gateway's own access has not ended.
    pub fn is_current(&self) -> bool {
        let now = self.0.clock.wall();
        self.read(|state| self.counts(state, now))
    }

    /// Applies the server's word, which can only narrow. It counts at once, before the view that belongs to it has arrived.
    pub(super) fn narrow(&self, answer: &AgentsAnswer) {
        let named = answer.agents.iter().map(|agent| (agent.id, agent.keys.iter().copied().collect()));
        let named = named.collect();
        self.write(|state| {
            state.named = named;
            state.work_out();
        });
    }

    /// Holds another verified view.
    pub(super) fn hold(&self, held: Held) {
        self.write(|state| {
            state.held = Some(Arc::new(held));
            state.outdated = None;
            state.work_out();
        });
    }

    /// Notes that the held view is not the newest: it counts for a few seconds more, in which the newer one should arrive.
    pub(super) fn outdated(&self) {
        let now = self.0.clock.elapsed();
        self.update(|state| state.outdated = state.outdated.or(Some(now)));
    }

    /// Whether the held view is not the newest.
    pub(super) fn is_outdated(&self) -> bool {
        self.read(|state| state.outdated.is_some())
    }

    /// Notes that the server was heard, and that everything it has said is applied. It was asked at `asked`: its word is no
    /// newer.
    pub(super) fn heard(&self, asked: Duration) {
        self.update(|state| state.heard = asked);
        self.tick();
    }

    /// Ends: nothing counts any more.
    pub(super) fn end(&self) {
        self.write(|state| *state = State::default());
    }

    /// Notices what has changed by time alone.
    pub(super) fn tick(&self) {
        let now = self.0.clock.wall();
        let is = self
            .read(|state| (self.counts(state, now), state.held.as_ref().map_or(0, |held| held.active(now))));
        if self.read(|state| state.ticked != is) {
            self.write(|state| state.ticked = is);
        }
    }

    fn counts(&self, state: &State, now: i64) -> bool {
        let elapsed = self.0.clock.elapsed();
        let since = |then: Duration| elapsed.saturating_sub(then);
        let is_recent =
            since(state.heard) <= LIMIT && state.outdated.is_none_or(|then| since(then) <= LIMIT_OF_OLD);
        is_recent && state.held.as_ref().is_some_and(|held| held.is_current(now, self.0.max_age))
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Changes the state, and tells those who wait for a change.
    fn write(&self, change: impl FnOnce(&mut State)) {
        self.update(change);
        self.0.revision.send_modify(|revision| *revision = revision.wrapping_add(1));
    }
}

impl State {
    /// Computes what both allow: the sealed view, and the server's last word.
    fn work_out(&mut self) {
        let Self { held, named, allowed, .. } = self;
        let Some(held) = held else { return allowed.clear() };
        let one = |(agent, keys): (AgentId, Vec<Usable>)| {
            let named = named.get(&agent)?;
            Some((agent, keys.into_iter().filter(|usable| named.contains(&usable.key)).collect()))
        };
        *allowed = held.usable().filter_map(one).collect();
    }
}

/// The agent that `client` proved to be, if the agent still has the credential that was shown.
fn found<'s>(state: &'s State, client: &Agent, now: i64) -> Option<(&'s Arc<Held>, &'s ViewAgent)> {
    let held = state.held.as_ref()?;
    let agent = held.agent(client.id, now).filter(|agent| agent.secret_sha256 == client.credential)?;
    state.named.contains_key(&agent.id).then_some((held, agent))
}

fn client(held: &Held, agent: &ViewAgent) -> Agent {
    Agent { id: agent.id, name: held.name(agent.id), credential: agent.secret_sha256 }
}
