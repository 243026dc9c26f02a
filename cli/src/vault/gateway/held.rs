//! A gateway's verified view with its sealed values. Only the keys that open the values are open.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyward_crypto::Integrity;
use keyward_crypto::agent::shown_by;
use keyward_crypto::state::secret::Secret;
use keyward_crypto::state::view::{ViewAgent, ViewDeployment, ViewKeyEntry};
use keyward_crypto::verify::{Verified, VerifyError};
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::rule::Rule;
use keyward_wire::{AgentId, Envelope, KeyId};

/// A key that may be used for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usable {
    /// The key's id.
    pub key: KeyId,
    /// The key's name.
    pub name: Arc<str>,
    /// The provider whose service the key is for.
    pub provider: Option<Arc<str>>,
    /// The key's version.
    pub version: u64,
    /// The rule that is sealed with the value: where it may go. `None` if it may go nowhere.
    pub rule: Option<Arc<Rule>>,
}

/// The content of one verified answer.
pub(super) struct Held {
    verified: Verified,
    sealed: BTreeMap<KeyId, Envelope>,
    keys: BTreeMap<KeyId, Usable>,
    names: BTreeMap<AgentId, Arc<str>>,
    unreadable: Vec<(KeyId, String)>,
}

impl Held {
    /// Takes the content of a verified answer, and checks that every value is there and opens.
    pub(super) fn new(verified: Verified, secrets: &[SecretItem]) -> Result<Self, VerifyError> {
        let mut keys = BTreeMap::new();
        let mut unreadable = Vec::new();
        let sealed = verified.sealed(secrets, |entry, secret| {
            // The rule was checked when it was written, perhaps by another version: it is checked again.
            let rule = secret.inject.as_ref().map(|json| Rule::from_json(json.as_bytes()));
            if let Some(Err(error)) = &rule {
                unreadable.push((entry.id, format!("{}: {error}", entry.name)));
            }
            let usable = Usable {
                key: entry.id,
                name: Arc::from(entry.name.as_str()),
                provider: entry.provider.as_deref().map(Arc::from),
                version: entry.version,
                rule: rule.and_then(Result::ok).map(Arc::new),
            };
            keys.insert(entry.id, usable);
        })?;
        let names = verified.view.agents.iter().map(|agent| (agent.id, Arc::from(agent.name.as_str())));
        let names = names.collect();
        Ok(Self { verified, sealed, keys, names, unreadable })
    }

    /// Seq of the gateway's GRANT.
    pub(super) fn seq(&self) -> u64 {
        self.verified.seq
    }

    /// Keys whose rule this version cannot read, each with its name and the reason: their values go nowhere.
    pub(super) fn unreadable(&self) -> &[(KeyId, String)] {
        &self.unreadable
    }

    /// Whether the view may be used at `now` (milliseconds UTC), as far as its own dates go.
    pub(super) fn is_current(&self, now: i64, max_age: Option<i64>) -> bool {
        let ended = self.verified.not_after.is_some_and(|end| end <= now);
        let age = now.saturating_sub(self.verified.issued_at);
        !ended && max_age.is_none_or(|max_age| age <= max_age)
    }

    /// The agent that shows `credential`, if it has not ended.
    pub(super) fn shown_by(&self, credential: &str, now: i64) -> Option<&ViewAgent> {
        shown_by(credential, &self.verified.view.agents).filter(|agent| is_active(agent, now))
    }

    /// The agent of this id, if it has not ended.
    pub(super) fn agent(&self, id: AgentId, now: i64) -> Option<&ViewAgent> {
        self.verified.view.agents.iter().find(|agent| agent.id == id && is_active(agent, now))
    }

    /// The agent of this name, if it has not ended.
    pub(super) fn called(&self, name: &str, now: i64) -> Option<&ViewAgent> {
        self.verified.view.agents.iter().find(|agent| agent.name.as_str() == name && is_active(agent, now))
    }

    /// The agents that have not ended.
    pub(super) fn agents(&self, now: i64) -> impl Iterator<Item = &ViewAgent> {
        self.verified.view.agents.iter().filter(move |agent| is_active(agent, now))
    }

    /// Deployments of the gateway's groups.
    pub(super) fn deployments(&self) -> &[ViewDeployment] {
        &self.verified.view.deployments
    }

    /// The name of an agent, for the gateway's own log.
    pub(super) fn name(&self, id: AgentId) -> Arc<str> {
        self.names.get(&id).map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// For each agent, the keys that may be used for it: those that the view lists for the agent and contains.
    pub(super) fn usable(&self) -> impl Iterator<Item = (AgentId, Vec<Usable>)> {
        self.verified.view.agents.iter().map(|agent| {
            let keys = agent.keys.iter().filter_map(|key| self.keys.get(&key.key));
            (agent.id, keys.cloned().collect())
        })
    }

    /// The key of this id.
    pub(super) fn key(&self, id: KeyId) -> Option<&ViewKeyEntry> {
        self.verified.view.key(id)
    }

    /// Opens one value.
    pub(super) fn open(&self, key: &ViewKeyEntry) -> Result<Secret, Integrity> {
        self.verified.open(key, self.sealed.get(&key.id).ok_or(Integrity)?)
    }

    /// The number of agents that have not ended at `now`. It only falls while a view is held.
    pub(super) fn active(&self, now: i64) -> usize {
        self.agents(now).count()
    }
}

fn is_active(agent: &ViewAgent, now: i64) -> bool {
    agent.not_after.is_none_or(|end| now < end)
}
