//! The gateway's source of secrets: verified live state, one value at a time.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use keyward_crypto::agent::ProxyCredential;
use keyward_gateway::{Agent, Closed, Grant, SecretSource, Value};
use keyward_wire::api::agents::Decision;
use keyward_wire::{AgentId, KeyId, Sha256};

use crate::vault::gateway::Live;

/// The source that a running gateway asks.
pub struct Source {
    live: Live,
    sidecar: Option<Sidecar>,
    /// For each credential, what its agent may use, and the revision that this is of.
    grants: Mutex<HashMap<Sha256, Known>>,
}

/// A revision, and the grants as of that revision.
type Known = (u64, Arc<[Grant]>);

/// A credential that the gateway made for the program that it starts, and the agent that the credential belongs to.
pub struct Sidecar {
    agent: AgentId,
    credential: Sha256,
}

impl Sidecar {
    /// Makes a credential for an agent. It lives as long as the gateway.
    pub fn new(agent: &Agent) -> (Self, ProxyCredential) {
        let credential = ProxyCredential::generate(agent.id);
        (Self { agent: agent.id, credential: credential.sha256() }, credential)
    }
}

impl Source {
    /// A source over this state, which somebody else keeps current.
    pub fn new(live: Live, sidecar: Option<Sidecar>) -> Self {
        Self { live, sidecar, grants: Mutex::default() }
    }

    /// The keys with a rule: without one, a value goes nowhere.
    fn look_up(&self, agent: &Agent) -> Arc<[Grant]> {
        let usable = self.live.usable(agent);
        let grants = usable.iter().filter_map(|usable| {
            Some(Grant {
                key: usable.key,
                name: Arc::clone(&usable.name),
                provider: usable.provider.clone(),
                version: usable.version,
                rule: Arc::clone(usable.rule.as_ref()?),
            })
        });
        grants.collect()
    }
}

impl SecretSource for Source {
    fn agent(&self, credential: &str) -> Option<Agent> {
        // Hashes are compared: how much two hashes have in common says nothing about what was hashed.
        let own = self.sidecar.as_ref().filter(|own| own.credential == Sha256::of(credential.as_bytes()));
        match own {
            Some(own) => self.live.agent_of(own.agent),
            None => self.live.agent(credential),
        }
    }

    fn is_current(&self) -> bool {
        self.live.is_current()
    }

    fn stands(&self, agent: &Agent) -> bool {
        self.live.stands(agent)
    }

    fn grants(&self, agent: &Agent) -> Arc<[Grant]> {
        // Read the revision first: if the grants change after this, the cached value is looked up again.
        let revision = self.live.revision();
        if !self.live.stands(agent) {
            return Arc::from([]);
        }
        let mut known = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, grants)) = known.get(&agent.credential)
            && *of == revision
        {
            return Arc::clone(grants);
        }
        let grants = self.look_up(agent);
        known.retain(|_, (of, _)| *of == revision);
        // Grants also end by time, which does not change the revision: if they did so meanwhile, the result is not cached.
        if self.live.stands(agent) {
            known.insert(agent.credential, (revision, Arc::clone(&grants)));
        }
        grants
    }

    fn open(&self, agent: &Agent, key: KeyId) -> Result<Arc<Value>, Closed> {
        let opened = self.live.open(agent, key)?;
        let fields = opened.secret.fields.into_iter().collect();
        Ok(Arc::new(Value::new(key, opened.version, opened.secret.value, fields)))
    }

    fn count(&self, agent: &Agent, key: Option<KeyId>, decision: Decision) {
        self.live.request_counts().add(agent.id, key, decision);
    }

    fn revision(&self) -> u64 {
        self.live.revision()
    }

    fn changed(&self, seen: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.live.changed(seen))
    }
}
