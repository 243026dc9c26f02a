//! What a gateway may do at this moment. Asked at every request, from any thread; nobody waits for the network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use keyward_crypto::state::secret::Secret;
use keyward_crypto::state::view::{ViewAgent, ViewDeployment};
use keyward_wire::api::agents::AgentsAnswer;
use keyward_wire::{AgentId, KeyId, Sha256};
use tokio::sync::watch;

use super::clock::Clock;
use super::held::{Held, Usable};

/// How long the server's last word counts. Longer, and a server that is cut off could not take anything away.
pub const LIMIT: Duration = Duration::from_mins(5);

/// How long a view counts once the server has named a newer one, which does not arrive: the newer one may have another
/// credential of an agent in it, because the former one is in wrong hands.
pub const LIMIT_OF_OLD: Duration = Duration::from_secs(5);

/// A gateway's knowledge. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    max_age: Option<i64>,
    state: RwLock<State>,
    revision: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// What the sealed view says; none once it must not be used any more.
    held: Option<Arc<Held>>,
    /// What the server named last: agents, and of each the keys it does not forbid.
    named: BTreeMap<AgentId, BTreeSet<KeyId>>,
    /// What both allow, by agent: worked out when either changes, and asked at every request.
    allowed: BTreeMap<AgentId, Arc<[Usable]>>,
    /// When the server was asked for the last word that it gave, by [`Clock::elapsed`].
    heard: Duration,
    /// Since when a newer view than the one that is held is known to be there.
    outdated: Option<Duration>,
    /// What time alone changes: whether anything counts, and how many agents have not ended.
    ticked: (bool, usize),
}

/// A client of the gateway, proved by its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: Arc<str>,
    /// Tells this credential from the agent's next one; nothing can be had from it.
    pub credential: Sha256,
}

/// A value, for one request.
pub struct Opened {
    /// Its version.
    pub version: u64,
    /// The value and its fields, wiped when they are dropped.
    pub secret: Secret,
}

/// Why a key is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Unknown, ended, revoked, excluded, not granted: which, an agent is not told.
    #[error("this agent has no such key")]
    NotGranted,
    /// The server was not heard for five minutes, or the gateway's own access has ended: nothing counts any more.
    #[error("the gateway's grants are too old to be used")]
    Stale,
    /// The stored value does not open.
    #[error("this key does not open")]
    Broken,
}

impl Live {
    /// Nothing is allowed yet.
    pub(super) fn new(clock: Arc<dyn Clock>, max_age: Option<i64>) -> Self {
        let revision = watch::Sender::new(0);
        Self(Arc::new(Shared { clock, max_age, state: RwLock::default(), revision }))
    }

    /// The agent whose proxy credential this is. Unknown, wrong, ended and revoked are one answer.
    pub fn agent(&self, credential: &str) -> Option<Client> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let held = state.held.as_ref()?;
            let agent = held.shown_by(credential, now).filter(|agent| state.named.contains_key(&agent.id))?;
            Some(client(held, agent))
        })
    }

    /// The agent of this id: for a program that the gateway itself started, as that agent's. Its name may become another's.
    pub fn agent_of(&self, id: AgentId) -> Option<Client> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let held = state.held.as_ref()?;
            let agent = held.agent(id, now).filter(|agent| state.named.contains_key(&agent.id))?;
            Some(client(held, agent))
        })
    }

    /// The agent of this name: for a program that the gateway itself starts, as that agent's.
    pub fn agent_named(&self, name: &str) -> Option<Client> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let held = state.held.as_ref()?;
            let agent = held.called(name, now).filter(|agent| state.named.contains_key(&agent.id))?;
            Some(client(held, agent))
        })
    }

    /// The agents that are served, by name.
    pub fn agents(&self) -> Vec<Client> {
        let now = self.0.clock.wall();
        let mut agents: Vec<Client> = self.read(|state| {
            let Some(held) = &state.held else { return Vec::new() };
            let served = held.agents(now).filter(|agent| state.named.contains_key(&agent.id));
            served.map(|agent| client(held, agent)).collect()
        });
        agents.sort_by(|one, other| one.name.cmp(&other.name));
        agents
    }

    /// Which variables its deployments map keys to.
    pub fn deployments(&self) -> Vec<ViewDeployment> {
        self.read(|state| state.held.as_ref().map(|held| held.deployments().to_vec()).unwrap_or_default())
    }

    /// Whether `client` is still served with the credential that it showed. False also when nothing counts any more.
    pub fn stands(&self, client: &Client) -> bool {
        let now = self.0.clock.wall();
        self.read(|state| self.counts(state, now) && found(state, client, now).is_some())
    }

    /// The keys that may be used for `client` now; none when nothing counts.
    pub fn usable(&self, client: &Client) -> Arc<[Usable]> {
        let now = self.0.clock.wall();
        self.read(|state| {
            let stands = self.counts(state, now) && found(state, client, now).is_some();
            let allowed = state.allowed.get(&client.id).filter(|_| stands);
            allowed.map_or_else(|| Arc::from([]), Arc::clone)
        })
    }

    /// Opens one value for one request, after the decision.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn open(&self, client: &Client, key: KeyId) -> Result<Opened, Denied> {
        let now = self.0.clock.wall();
        let held = self.read(|state| {
            if !self.counts(state, now) {
                return Err(Denied::Stale);
            }
            let (held, agent) = found(state, client, now).ok_or(Denied::NotGranted)?;
            let allowed =
                state.allowed.get(&agent.id).is_some_and(|all| all.iter().any(|one| one.key == key));
            if allowed { Ok(Arc::clone(held)) } else { Err(Denied::NotGranted) }
        })?;
        let entry = held.key(key).ok_or(Denied::NotGranted)?;
        let secret = held.open(entry).map_err(|_| Denied::Broken)?;
        Ok(Opened { version: entry.version, secret })
    }

    /// A number that is another one after every change.
    pub fn revision(&self) -> u64 {
        *self.0.revision.borrow()
    }

    /// Ends when [`revision`](Self::revision) is no longer `seen`. Whoever holds something open for an agent judges it again
    /// then.
    pub async fn changed(&self, seen: u64) {
        let mut revision = self.0.revision.subscribe();
        // The sender lives as long as `self`.
        let _never_closed = revision.wait_for(|revision| *revision != seen).await;
    }

    /// Seq of the GRANT that counts, if one does.
    pub fn seq(&self) -> Option<u64> {
        self.read(|state| state.held.as_ref().map(|held| held.seq()))
    }

    /// Whether anything counts: what the server said last is not too old, and the gateway's own access has not ended.
    pub fn is_current(&self) -> bool {
        let now = self.0.clock.wall();
        self.read(|state| self.counts(state, now))
    }

    /// The server's word, which can only narrow: before what it belongs to has arrived, it counts already.
    pub(super) fn narrow(&self, answer: &AgentsAnswer) {
        let named = answer.agents.iter().map(|agent| (agent.id, agent.keys.iter().copied().collect()));
        let named = named.collect();
        self.write(|state| {
            state.named = named;
            state.work_out();
        });
    }

    /// Another verified view.
    pub(super) fn hold(&self, held: Held) {
        self.write(|state| {
            state.held = Some(Arc::new(held));
            state.outdated = None;
            state.work_out();
        });
    }

    /// What is held is no longer the newest: it counts for a little while, in which the newer one should arrive.
    pub(super) fn outdated(&self) {
        let now = self.0.clock.elapsed();
        self.update(|state| state.outdated = state.outdated.or(Some(now)));
    }

    /// Whether that is so.
    pub(super) fn is_outdated(&self) -> bool {
        self.read(|state| state.outdated.is_some())
    }

    /// The server was heard, and everything it has said is applied. It was asked at `asked`: what it said then is no newer.
    pub(super) fn heard(&self, asked: Duration) {
        self.update(|state| state.heard = asked);
        self.tick();
    }

    /// Nothing counts any more, for good.
    pub(super) fn end(&self) {
        self.write(|state| *state = State::default());
    }

    /// Notices what time alone has changed.
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

    /// Changes what is answered, and says so.
    fn write(&self, change: impl FnOnce(&mut State)) {
        self.update(change);
        self.0.revision.send_modify(|revision| *revision = revision.wrapping_add(1));
    }
}

impl State {
    /// Both say so: the sealed view, and the server's last word.
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

/// The agent that `client` proved to be, if its credential still is the one it showed.
fn found<'s>(state: &'s State, client: &Client, now: i64) -> Option<(&'s Arc<Held>, &'s ViewAgent)> {
    let held = state.held.as_ref()?;
    let agent = held.agent(client.id, now).filter(|agent| agent.secret_sha256 == client.credential)?;
    state.named.contains_key(&agent.id).then_some((held, agent))
}

fn client(held: &Held, agent: &ViewAgent) -> Client {
    Client { id: agent.id, name: held.name(agent.id), credential: agent.secret_sha256 }
}
