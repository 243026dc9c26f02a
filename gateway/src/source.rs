//! Where agents, rules and values come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use keyward_wire::api::agents::Decision;
use keyward_wire::rule::{Authority, HostPattern, Rule};
use keyward_wire::{AgentId, KeyId, Sha256};
use zeroize::Zeroizing;

/// What a gateway knows of the world: who its agents are, and the values that they may use.
///
/// Implementations answer from verified memory. They grant nothing themselves: they say what the sealed state grants and the
/// server has not taken away since (CRYPTO.md §2.10).
pub trait SecretSource: Send + Sync + 'static {
    /// The agent whose proxy credential this is. `None` if the credential is unknown, wrong, revoked or expired; these cases are
    /// not told apart, and the comparison takes constant time.
    fn agent(&self, credential: &str) -> Option<Agent>;

    /// Whether the grants were confirmed recently enough to be used at all.
    fn is_current(&self) -> bool;

    /// Whether this agent may still act: false once it was revoked, its credential was replaced, or it expired.
    fn stands(&self, agent: &Agent) -> bool;

    /// The keys that this agent may use, without their values: mapped, assigned, granted, not excluded, and sealed with a rule.
    fn grants(&self, agent: &Agent) -> Arc<[Grant]>;

    /// Opens one secret: after a request was judged, or so that the value is kept out of what the agent is told. The source keeps
    /// no copy. The gateway keeps the value for as long as it must be kept out of answers, and uses it again for the same agent
    /// while [`Self::revision`] stays the same. Every request is judged by [`Self::is_current`], [`Self::stands`] and
    /// [`Self::grants`] all the same.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the agent may not use it now.
    fn open(&self, agent: &Agent, key: KeyId) -> Result<Arc<Value>, Closed>;

    /// Is told of each request of an agent once it is decided, with the key that it was for. Whoever answers for the secrets may
    /// count them.
    fn count(&self, _agent: &Agent, _key: Option<KeyId>, _decision: Decision) {}

    /// A number that differs after every change of agents, grants, rules or values.
    fn revision(&self) -> u64;

    /// Ends when [`Self::revision`] differs from `seen`. Open tunnels wait for this, and are judged again.
    fn changed(&self, seen: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The result of `make`, and the revision it may be cached under. `None` if the grants expired while `make` ran: expiry does not
/// change the revision, so the result must not be cached.
pub(crate) fn made_of<T>(source: &dyn SecretSource, make: impl FnOnce(u64) -> T) -> (T, Option<u64>) {
    // Read the revision first: if the grants change after this, the cached value is looked up again.
    let revision = source.revision();
    let was_current = source.is_current();
    let made = make(revision);
    (made, Some(revision).filter(|_| was_current && source.is_current()))
}

/// A client of the gateway, proved by its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The agent's id.
    pub id: AgentId,
    /// The agent's name, for the gateway's own log.
    pub name: Arc<str>,
    /// The hash of the credential, which tells it from the agent's next one. The credential cannot be had from it.
    pub credential: Sha256,
}

/// One key that an agent may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The key.
    pub key: KeyId,
    /// The key's name, as base-URL mode and the log call it.
    pub name: Arc<str>,
    /// The service that the key is for, as the key's owner named it: placeholders are shaped like that service's keys.
    pub provider: Option<Arc<str>>,
    /// The version that a request made now would get.
    pub version: u64,
    /// The rule: where the value may go.
    pub rule: Arc<Rule>,
}

impl Grant {
    /// Where base-URL mode leads with this key: the first of the rule's hosts that is a single host and not a pattern.
    pub fn destination(&self) -> Option<Authority> {
        self.rule.terms().hosts.iter().find_map(HostPattern::exact)
    }
}

/// Why a secret cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The key is not granted, excluded, or not there. One answer for all: an agent cannot tell which.
    #[error("this agent has no such key")]
    NotGranted,
    /// The server was not heard from for so long that grants do not count, or injection is switched off.
    #[error("the gateway's grants are too old to be used")]
    Stale,
    /// The stored secret does not open. Somebody changed it, or it is not for this gateway.
    #[error("this key does not open")]
    Broken,
}

/// The secret of one version of one key. Wiped when the last holder drops it.
pub struct Value {
    key: KeyId,
    version: u64,
    bytes: Zeroizing<Vec<u8>>,
    fields: Vec<(String, Zeroizing<String>)>,
}

impl Value {
    /// Makes a value of the secret and of the named fields beside it (`user`, `account`, …).
    pub fn new(
        key: KeyId,
        version: u64,
        bytes: Zeroizing<Vec<u8>>,
        fields: Vec<(String, Zeroizing<String>)>,
    ) -> Self {
        Self { key, version, bytes, fields }
    }

    /// The key whose value this is.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The key's version that this value is of.
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

    /// All fields: name and content.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Names the key and version, never the secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} version {})", self.key, self.version)
    }
}
