//! What a gateway's agents may use now (CRYPTO.md §2.10). The gateway takes this as a limit, never as a grant.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::access::{Facts, UsableKeys, readable};
use keyward_wire::api::agents::ServedAgent;
use keyward_wire::{AgentId, GroupId, KeyId};

use super::state::Agent;

/// An agent with its groups and the keys granted to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relations {
    /// The agent.
    pub agent: Agent,
    /// The agent's groups.
    pub groups: BTreeSet<GroupId>,
    /// The keys granted to the agent.
    pub granted: BTreeSet<KeyId>,
}

impl Relations {
    /// An agent in no group, with nothing granted.
    pub fn of(agent: Agent) -> Self {
        Self { agent, groups: BTreeSet::new(), granted: BTreeSet::new() }
    }
}

/// Those of a gateway's `agents` that are served at `now` (milliseconds UTC), and the keys that each may use. `groups` are the
/// gateway's.
pub fn served(
    agents: &BTreeMap<AgentId, Relations>,
    groups: &BTreeSet<GroupId>,
    facts: &Facts,
    now: i64,
) -> Vec<ServedAgent> {
    let gateway = readable(groups, facts);
    let mut usable = UsableKeys::new(&gateway, facts);
    let active = agents.iter().filter(|(_, relations)| relations.agent.is_served(now));
    active
        .map(|(id, Relations { groups, granted, .. })| ServedAgent {
            id: *id,
            keys: usable.of(groups, granted).into_iter().collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use keyward_wire::access::MappingFact;
    use keyward_wire::api::write::AgentState;
    use keyward_wire::{DeploymentId, IdentityId, MappingId};

    use super::*;

    const NOW: i64 = 1_000;

    const fn key(n: u8) -> KeyId {
        KeyId::from_bytes([n; 16])
    }
    const fn group(n: u8) -> GroupId {
        GroupId::from_bytes([n; 16])
    }

    /// Group 1 may read keys 1 and 2, group 2 keys 2 and 3.
    fn facts() -> Facts {
        let deployment = |n| DeploymentId::from_bytes([n; 16]);
        let mapping = |n, d, k| MappingFact {
            id: MappingId::from_bytes([n; 16]),
            deployment: deployment(d),
            key: key(k),
        };
        Facts {
            mappings: vec![mapping(1, 1, 1), mapping(2, 1, 2), mapping(3, 2, 2), mapping(4, 2, 3)],
            assignments: [(group(1), deployment(1)), (group(2), deployment(2))].into(),
            exclusions: BTreeSet::new(),
        }
    }

    fn agent(state: AgentState, not_after: Option<i64>, groups: &[u8], granted: &[u8]) -> Relations {
        let agent = Agent { gateway: IdentityId::from_bytes([9; 16]), state, not_after };
        Relations {
            agent,
            groups: groups.iter().map(|n| group(*n)).collect(),
            granted: granted.iter().map(|n| key(*n)).collect(),
        }
    }

    fn served_keys(one: Relations) -> Option<Vec<KeyId>> {
        let agents = [(AgentId::from_bytes([1; 16]), one)].into();
        let mut served = served(&agents, &[group(1)].into(), &facts(), NOW);
        assert!(served.len() <= 1);
        served.pop().map(|agent| agent.keys)
    }

    #[test]
    fn who_is_suspended_or_has_ended_is_not_served() {
        use AgentState::{Active, Suspended};
        assert_eq!(served_keys(agent(Active, None, &[1], &[1])), Some(vec![key(1)]));
        assert_eq!(served_keys(agent(Active, Some(NOW + 1), &[1], &[1])), Some(vec![key(1)]));
        assert_eq!(served_keys(agent(Active, Some(NOW), &[1], &[1])), None);
        assert_eq!(served_keys(agent(Suspended, None, &[1], &[1])), None);
    }

    #[test]
    fn a_key_needs_a_grant_and_both_who_may_read_it() {
        let keys = |groups: &[u8], granted: &[u8]| {
            served_keys(agent(AgentState::Active, None, groups, granted)).unwrap()
        };
        assert_eq!(keys(&[1], &[]), []);
        assert_eq!(keys(&[], &[1, 2, 3]), []);
        assert_eq!(keys(&[1], &[1, 2, 3]), [key(1), key(2)]);
        assert_eq!(keys(&[2], &[1, 2, 3]), [key(2)], "key 3 is not the gateway's");
        assert_eq!(keys(&[1, 2], &[2]), [key(2)]);
    }
}
