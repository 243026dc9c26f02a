//! Agents of a gateway, with their groups and granted keys.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::{AgentId, KeyId};

use super::engine::{Tx, id, statements};
use super::{StoreError, state};
use crate::access::Permit;
use crate::access::agents::Relations;

impl Tx {
    /// The agents of the gateway that the permit is for, the suspended and expired included.
    pub async fn own_agents(&mut self, permit: &Permit) -> Result<BTreeMap<AgentId, Relations>, StoreError> {
        let own = || vec![id(permit.org()), id(permit.identity())];
        let mut agents = BTreeMap::new();
        for row in self.all(AGENTS, own()).await? {
            agents.insert(row.id("id")?, Relations::of(state::agent(&row)?));
        }
        for row in self.all(MEMBERS, own()).await? {
            if let Some(agent) = agents.get_mut(&row.id("agent_id")?) {
                agent.groups.insert(row.id("group_id")?);
            }
        }
        for row in self.all(KEYS, own()).await? {
            if let Some(agent) = agents.get_mut(&row.id("agent_id")?) {
                agent.granted.insert(row.id("key_id")?);
            }
        }
        Ok(agents)
    }

    /// The agents of the organisation that are other gateways' now.
    pub async fn agents_of_others(&mut self, permit: &Permit) -> Result<BTreeSet<AgentId>, StoreError> {
        let rows = self.all(OTHERS, vec![id(permit.org()), id(permit.identity())]).await?;
        rows.iter().map(|row| row.id("id")).collect()
    }

    /// The keys of the organisation.
    pub async fn keys_of(&mut self, permit: &Permit) -> Result<BTreeSet<KeyId>, StoreError> {
        self.all(ALL_KEYS, vec![id(permit.org())]).await?.iter().map(|row| row.id("id")).collect()
    }
}

statements! {
    OTHERS = "select id from agents where org_id = $1 and gateway_id <> $2";
    ALL_KEYS = "select id from keys where org_id = $1";
    AGENTS = "select id, gateway_id, state, not_after from agents where org_id = $1 and gateway_id = $2";
    MEMBERS = "
        select m.agent_id, m.group_id
        from agents a
        join agent_members m on m.org_id = a.org_id and m.agent_id = a.id
        where a.org_id = $1 and a.gateway_id = $2";
    KEYS = "
        select k.agent_id, k.key_id
        from agents a
        join agent_keys k on k.org_id = a.org_id and k.agent_id = a.id
        where a.org_id = $1 and a.gateway_id = $2";
}
