//! Agents: clients of a gateway. The gateway uses keys for them and never tells them a value (CRYPTO.md §2.10).
//!
//! An agent holds a [`ProxyCredential`]. ORG and the gateway's view keep the credential's SHA-256; the server has nothing of it.

use std::collections::BTreeSet;

use keyward_wire::api::IdentityKind;
use keyward_wire::api::write::AgentState;
use keyward_wire::name::Name;
use keyward_wire::{AgentId, GroupId, IdentityId, KeyId, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::absent::assert_secret;
use crate::edit::{EditError, check_name_free, remove_where};
use crate::state::org::{Agent, Org};
use crate::state::view::ViewAgent;
use crate::{CredentialSecret, new_id, token};

/// `kwp1_<agent 26>_<secret 52>_<check 6>`: the credential that an agent shows its gateway. It has the form of a
/// [token](crate::Token), with 256 random bits; it derives nothing and opens nothing.
pub struct ProxyCredential {
    text: Zeroizing<String>,
}

assert_secret!(ProxyCredential);

/// The four characters before the first `_` of a proxy credential.
pub const PROXY_PREFIX: &str = "kwp1";

impl ProxyCredential {
    /// A new proxy credential of this agent.
    pub fn generate(agent: AgentId) -> Self {
        let secret = CredentialSecret::generate();
        Self { text: token::encode(PROXY_PREFIX, &[agent.as_bytes(), secret.bytes()]) }
    }

    /// The credential's text. Shown once.
    pub fn encode(&self) -> Zeroizing<String> {
        self.text.clone()
    }

    /// SHA-256 of the credential's text, by which a gateway knows it.
    pub fn sha256(&self) -> Sha256 {
        Sha256::of(self.text.as_bytes())
    }
}

/// The agent of `agents` that shows `credential`. All agents are compared, in constant time, so the time tells nothing of which
/// exist. A text that is no proxy credential is as unknown as a wrong one.
pub fn shown_by<'a>(credential: &str, agents: &'a [ViewAgent]) -> Option<&'a ViewAgent> {
    let shown = Sha256::of(credential.as_bytes());
    let mut found = None;
    for agent in agents {
        if bool::from(shown.as_bytes().ct_eq(agent.secret_sha256.as_bytes())) {
            found = Some(agent);
        }
    }
    found
}

/// A new agent, as the owner or admin asks for it.
pub struct NewAgent {
    /// The agent's name, unique among agents.
    pub name: Name,
    /// The gateway that serves the agent.
    pub gateway: IdentityId,
    /// The agent's groups.
    pub groups: BTreeSet<GroupId>,
    /// The keys granted to the agent.
    pub granted: BTreeSet<KeyId>,
    /// When the agent ends, in milliseconds UTC. `None` if it never ends.
    pub not_after: Option<i64>,
}

impl Org {
    /// Adds an agent. Show its credential only once the write is confirmed.
    ///
    /// # Errors
    /// [`EditError::NameTaken`]; [`EditError::NotThere`] if the gateway is no gateway, or a group or key is not in ORG.
    pub fn add_agent(&mut self, new: NewAgent) -> Result<(AgentId, ProxyCredential), EditError> {
        let NewAgent { name, gateway, groups, granted, not_after } = new;
        check_name_free("an agent", &name, self.agents.iter().map(|agent| &agent.name))?;
        let serves = self.identity(gateway).is_some_and(|identity| identity.kind == IdentityKind::Gateway);
        if !serves || groups.iter().any(|group| self.group(*group).is_none()) {
            return Err(EditError::NotThere);
        }
        self.check_keys_exist(&granted)?;
        let id = new_id();
        let credential = ProxyCredential::generate(id);
        let (secret_sha256, state) = (credential.sha256(), AgentState::Active);
        self.agents.push(Agent { id, gateway, name, groups, granted, secret_sha256, not_after, state });
        Ok((id, credential))
    }

    /// Removes an agent.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if it is not in ORG.
    pub fn remove_agent(&mut self, id: AgentId) -> Result<(), EditError> {
        remove_where(&mut self.agents, |agent| agent.id == id)
    }

    /// Grants keys to an agent, beside those that it has.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the agent or a key is not in ORG.
    pub fn grant_agent(&mut self, id: AgentId, keys: &BTreeSet<KeyId>) -> Result<(), EditError> {
        self.check_keys_exist(keys)?;
        self.agent_mut(id)?.granted.extend(keys);
        Ok(())
    }

    /// Revokes these keys of an agent, and no others. A key that was not granted is no error.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the agent is not in ORG.
    pub fn revoke_agent(&mut self, id: AgentId, keys: &BTreeSet<KeyId>) -> Result<(), EditError> {
        self.agent_mut(id)?.granted.retain(|key| !keys.contains(key));
        Ok(())
    }

    /// Gives an agent a new credential; the former one ends with this write.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the agent is not in ORG.
    pub fn rotate_agent(&mut self, id: AgentId) -> Result<ProxyCredential, EditError> {
        let agent = self.agent_mut(id)?;
        let credential = ProxyCredential::generate(id);
        agent.secret_sha256 = credential.sha256();
        Ok(credential)
    }

    /// Stops or starts serving an agent. The agent keeps its credential, groups and keys.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the agent is not in ORG.
    pub fn set_agent_state(&mut self, id: AgentId, state: AgentState) -> Result<(), EditError> {
        self.agent_mut(id)?.state = state;
        Ok(())
    }

    /// Puts an agent into a group.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the agent or the group is not in ORG.
    pub fn add_agent_member(&mut self, group: GroupId, id: AgentId) -> Result<(), EditError> {
        self.group(group).ok_or(EditError::NotThere)?;
        self.agent_mut(id)?.groups.insert(group);
        Ok(())
    }

    /// Takes an agent out of a group.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the agent is not in ORG, or not in the group.
    pub fn remove_agent_member(&mut self, group: GroupId, id: AgentId) -> Result<(), EditError> {
        if self.agent_mut(id)?.groups.remove(&group) { Ok(()) } else { Err(EditError::NotThere) }
    }

    /// Moves the agents of one gateway to another, unchanged.
    pub fn move_agents(&mut self, from: IdentityId, to: IdentityId) {
        for agent in self.agents.iter_mut().filter(|agent| agent.gateway == from) {
            agent.gateway = to;
        }
    }

    fn agent_mut(&mut self, id: AgentId) -> Result<&mut Agent, EditError> {
        self.agents.iter_mut().find(|agent| agent.id == id).ok_or(EditError::NotThere)
    }
}

#[cfg(test)]
mod tests;
