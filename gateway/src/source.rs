//! Where agents, rules and values come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use keyward_wire::rule::{Authority, HostPattern, Rule};
use keyward_wire::{AgentId, KeyId, Sha256};
use zeroize::Zeroizing;

/// What a gateway knows of the world: who its agents are, and the values that they may use.
///
/// Implementations answer from verified memory. They grant nothing themselves: what they say is what the sealed state says
/// and the server has not taken away since (CRYPTO.md §2.10).
pub trait SecretSource: Send + Sync + 'static {
    /// The agent whose proxy credential this is. None for an unknown, wrong, revoked or expired one, told apart by nothing,
    /// in constant time.
    fn agent(&self, credential: &str) -> Option<Agent>;

    /// Whether what is known is recent enough to be used at all.
    fn is_current(&self) -> bool;

    /// Whether this agent may still act: false once it was revoked, its credential was replaced, or it expired.
    fn stands(&self, agent: &Agent) -> bool;

    /// What this agent may use: mapped, assigned, granted, not excluded, and sealed with a rule. Without the values.
    fn grants(&self, agent: &Agent) -> Arc<[Grant]>;

    /// Opens one secret: after the decision, or so that it is kept out of what the agent is told. Nothing is kept here. The gateway
    /// keeps what it is given for as long as it must keep it out of answers, and uses it again for the same agent until
    /// [`Self::revision`] is another one: every request is judged by [`Self::is_current`], [`Self::stands`] and [`Self::grants`]
    /// all the same.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the agent may not use it now.
    fn open(&self, agent: &Agent, key: KeyId) -> Result<Arc<Value>, Closed>;

    /// A number that is another one after every change of agents, grants, rules or values.
    fn revision(&self) -> u64;

    /// Ends when [`Self::revision`] is no longer `seen`. Open tunnels wait for it, and are judged again.
    fn changed(&self, seen: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// What `make` makes of what `source` says now, and the revision that it is of, for as long as that is the source's: it may be
/// used again. None: time was ending what is granted, which is no other revision, and what was made then is not what counts
/// once the source is heard.
pub(crate) fn made_of<T>(source: &dyn SecretSource, make: impl FnOnce(u64) -> T) -> (T, Option<u64>) {
    // Read before what belongs to it: a change meanwhile is looked up once more.
    let revision = source.revision();
    let was_current = source.is_current();
    let made = make(revision);
    (made, Some(revision).filter(|_| was_current && source.is_current()))
}

/// A client of the gateway, proved by its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its name, for the gateway's own log.
    pub name: Arc<str>,
    /// Tells this credential from the agent's next one; nothing can be had from it.
    pub credential: Sha256,
}

/// One key that an agent may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The key.
    pub key: KeyId,
    /// Its name: what base-URL mode and the log call it.
    pub name: Arc<str>,
    /// The service it is for, as its owner named it: placeholders are shaped like that service's keys.
    pub provider: Option<Arc<str>>,
    /// The version that a request made now would get.
    pub version: u64,
    /// Where it may go.
    pub rule: Arc<Rule>,
}

impl Grant {
    /// Where base-URL mode leads with this key: the first of its hosts that is one host.
    pub fn destination(&self) -> Option<Authority> {
        self.rule.terms().hosts.iter().find_map(HostPattern::exact)
    }
}

/// Why a secret is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// Not granted, excluded, or not there. One answer: an agent cannot tell which.
    #[error("this agent has no such key")]
    NotGranted,
    /// The server has not been heard for so long that grants no longer count, or injection is switched off.
    #[error("the gateway's grants are too old to be used")]
    Stale,
    /// What is stored does not open. Somebody changed it, or it is not for this gateway.
    #[error("this key does not open")]
    Broken,
}

/// The secret of one version of one key. Wiped when the last holder lets go.
pub struct Value {
    key: KeyId,
    version: u64,
    bytes: Zeroizing<Vec<u8>>,
    fields: Vec<(String, Zeroizing<String>)>,
}

impl Value {
    /// The value, and the named fields that stand beside it (`user`, `account`, …).
    pub fn new(
        key: KeyId,
        version: u64,
        bytes: Zeroizing<Vec<u8>>,
        fields: Vec<(String, Zeroizing<String>)>,
    ) -> Self {
        Self { key, version, bytes, fields }
    }

    /// Whose value this is.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The secret itself: `{v}` of a template.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The field of this name: `{name}` of a template.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All fields.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Says which, never what.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} version {})", self.key, self.version)
    }
}
