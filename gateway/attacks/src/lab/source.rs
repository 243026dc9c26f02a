//! A source of secrets in memory.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use keyward_gateway::{Agent, Closed, Grant, SecretSource, Value};
use keyward_wire::rule::{Injection, Rule, Terms};
use keyward_wire::{AgentId, KeyId, Sha256};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::lab::record;

pub(crate) struct Memory {
    state: Mutex<State>,
    revision: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    agents: HashMap<String, Agent>,
    granted: HashMap<AgentId, Vec<(Grant, Arc<Value>)>>,
    stale: bool,
    silent: bool,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), revision: watch::Sender::new(0) })
    }

    /// An agent, and its credential.
    pub(crate) fn agent(&self, name: &str) -> (Agent, String) {
        let mut state = self.state.lock().unwrap();
        let number = u8::try_from(state.agents.len()).unwrap() + 1;
        let id = AgentId::from_bytes([number; 16]);
        let agent = Agent { id, name: name.into(), credential: Sha256::from_bytes([number; 32]) };
        let credential = format!("kwp1_{name:a<26}_{:c<52}_{:d<6}", "", "");
        record::secret("an agent's credential", credential.as_bytes(), []);
        state.agents.insert(credential.clone(), agent.clone());
        drop(state);
        self.tell();
        (agent, credential)
    }

    pub(crate) fn revoke(&self, credential: &str) {
        self.state.lock().unwrap().agents.remove(credential);
        self.tell();
    }

    /// Grants a key that `change` has the last word on.
    pub(crate) fn grant(
        &self,
        agent: &Agent,
        name: &str,
        secret: &str,
        hosts: &[&str],
        into: Vec<Injection>,
        change: impl FnOnce(&mut Terms),
    ) {
        let mut terms = Terms::new(hosts.iter().map(|host| host.parse().unwrap()).collect(), into);
        change(&mut terms);
        let mut id = [0; 16];
        for (place, byte) in id.iter_mut().zip(name.bytes()) {
            *place = byte;
        }
        let key = KeyId::from_bytes(id);
        record::secret(name, secret.as_bytes(), hosts.iter().copied());
        let rule = Arc::new(Rule::new(terms).unwrap());
        let fields = vec![("user".to_owned(), Zeroizing::new("somebody".to_owned()))];
        let value = Value::new(key, 1, Zeroizing::new(secret.as_bytes().to_vec()), fields);
        let grant = Grant { key, name: name.into(), provider: None, version: 1, rule };
        let mut state = self.state.lock().unwrap();
        state.granted.entry(agent.id).or_default().push((grant, Arc::new(value)));
        drop(state);
        self.tell();
    }

    /// Takes a key away.
    pub(crate) fn exclude(&self, agent: &Agent, name: &str) {
        let mut state = self.state.lock().unwrap();
        state.granted.get_mut(&agent.id).unwrap().retain(|(grant, _)| &*grant.name != name);
        drop(state);
        self.tell();
    }

    /// The next version of a key, with this value.
    pub(crate) fn renew(&self, agent: &Agent, name: &str, secret: &str) {
        let mut state = self.state.lock().unwrap();
        let all = state.granted.get_mut(&agent.id).unwrap();
        let (grant, value) = all.iter_mut().find(|(grant, _)| &*grant.name == name).unwrap();
        grant.version += 1;
        let hosts: Vec<String> = grant.rule.terms().hosts.iter().map(ToString::to_string).collect();
        record::secret(name, secret.as_bytes(), hosts.iter().map(String::as_str));
        let bytes = Zeroizing::new(secret.as_bytes().to_vec());
        *value = Arc::new(Value::new(grant.key, grant.version, bytes, Vec::new()));
        drop(state);
        self.tell();
    }

    /// Grants are too old from now on.
    pub(crate) fn go_stale(&self) {
        self.state.lock().unwrap().stale = true;
    }

    /// Makes grants too old; while they are, the source does not say who the agents are.
    pub(crate) fn go_silent(&self) {
        let mut state = self.state.lock().unwrap();
        (state.stale, state.silent) = (true, true);
    }

    /// Grants are recent again.
    pub(crate) fn come_back(&self) {
        let mut state = self.state.lock().unwrap();
        (state.stale, state.silent) = (false, false);
    }

    fn tell(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }
}

impl SecretSource for Memory {
    fn agent(&self, credential: &str) -> Option<Agent> {
        self.state.lock().unwrap().agents.get(credential).cloned()
    }

    fn is_current(&self) -> bool {
        !self.state.lock().unwrap().stale
    }

    fn stands(&self, agent: &Agent) -> bool {
        let state = self.state.lock().unwrap();
        !state.silent && state.agents.values().any(|own| own == agent)
    }

    fn grants(&self, agent: &Agent) -> Arc<[Grant]> {
        let state = self.state.lock().unwrap();
        let granted = state.granted.get(&agent.id).into_iter().flatten();
        granted.map(|(grant, _)| grant.clone()).collect()
    }

    fn open(&self, agent: &Agent, key: KeyId) -> Result<Arc<Value>, Closed> {
        let state = self.state.lock().unwrap();
        if state.stale {
            return Err(Closed::Stale);
        }
        let mut granted = state.granted.get(&agent.id).into_iter().flatten();
        let found = granted.find(|(grant, _)| grant.key == key);
        found.map(|(_, value)| Arc::clone(value)).ok_or(Closed::NotGranted)
    }

    fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    fn changed(&self, seen: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut revision = self.revision.subscribe();
        Box::pin(async move {
            let _ = revision.wait_for(|revision| *revision != seen).await;
        })
    }
}
