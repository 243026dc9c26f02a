//! A source of secrets with one agent that may use one key.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;

use keyward_gateway::{Agent, Closed, Grant, SecretSource, Value};
use keyward_wire::rule::{Authority, Injection, Rule, Terms};
use keyward_wire::{AgentId, KeyId, Sha256};
use zeroize::Zeroizing;

/// The agent, the key and its value.
pub(super) struct OneKeySource {
    agent: Agent,
    grants: Arc<[Grant]>,
    value: Arc<Value>,
}

impl OneKeySource {
    pub(super) fn new(to: &Authority, credential: &str, secret: &str) -> anyhow::Result<Self> {
        let host = to.to_string().parse().map_err(|error| anyhow::anyhow!("{to}: {error}"))?;
        let rule = Rule::new(Terms::new(vec![host], vec![Injection::bearer()]));
        let rule = Arc::new(rule.map_err(|error| anyhow::anyhow!("{to}: {error}"))?);
        let key = KeyId::from_bytes([1; 16]);
        let value = Value::new(key, 1, Zeroizing::new(secret.as_bytes().to_vec()), Vec::new());
        Ok(Self {
            agent: Agent {
                id: AgentId::from_bytes([1; 16]),
                name: Arc::from(AGENT),
                credential: Sha256::of(credential.as_bytes()),
            },
            grants: Arc::from([Grant { key, name: Arc::from(KEY), provider: None, version: 1, rule }]),
            value: Arc::new(value),
        })
    }
}

impl SecretSource for OneKeySource {
    fn agent(&self, credential: &str) -> Option<Agent> {
        (Sha256::of(credential.as_bytes()) == self.agent.credential).then(|| self.agent.clone())
    }

    fn is_current(&self) -> bool {
        true
    }

    fn stands(&self, agent: &Agent) -> bool {
        *agent == self.agent
    }

    fn grants(&self, _: &Agent) -> Arc<[Grant]> {
        Arc::clone(&self.grants)
    }

    fn open(&self, _: &Agent, _: KeyId) -> Result<Arc<Value>, Closed> {
        Ok(Arc::clone(&self.value))
    }

    fn revision(&self) -> u64 {
        0
    }

    fn changed(&self, _: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(pending())
    }
}

/// The name of the key.
pub(super) const KEY: &str = "TRIAL";
const AGENT: &str = "doctor";
