//! The rows in which two states differ.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::{AgentId, CredentialId, DeploymentId, GroupId, IdentityId, KeyId, MappingId, ViewId};

use crate::access::State;

/// The differences, table by table. Parents stand before children: delete from the last field to the first, put from the first to
/// the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// Identities. Removing one removes its sessions.
    pub identities: Rows<IdentityId>,
    /// Credentials. Removing one removes its sessions.
    pub credentials: Rows<CredentialId>,
    /// Escrows, by the identity whose key they hold.
    pub escrows: Rows<IdentityId>,
    /// Groups.
    pub groups: Rows<GroupId>,
    /// Memberships.
    pub members: Rows<(GroupId, IdentityId)>,
    /// Keys: changed if the current version or its number of reseals differs.
    pub keys: Rows<KeyId>,
    /// Stored versions of keys: changed if resealed.
    pub secrets: Rows<(KeyId, u64)>,
    /// Deployments.
    pub deployments: Rows<DeploymentId>,
    /// Mappings: added or removed, never changed.
    pub mappings: Rows<MappingId>,
    /// Assignments.
    pub assignments: Rows<(GroupId, DeploymentId)>,
    /// Exclusions.
    pub exclusions: Rows<(GroupId, DeploymentId, KeyId)>,
    /// Agents.
    pub agents: Rows<AgentId>,
    /// Memberships of agents.
    pub agent_members: Rows<(GroupId, AgentId)>,
    /// Grants of keys to agents.
    pub agent_keys: Rows<(AgentId, KeyId)>,
    /// Views: changed if rebuilt.
    pub views: Rows<ViewId>,
    /// Grants, by identity: changed if replaced.
    pub grants: Rows<IdentityId>,
}

impl Diff {
    /// The difference between two states.
    pub fn between(before: &State, after: &State) -> Self {
        Self {
            identities: Rows::of_maps(&before.identities, &after.identities),
            credentials: Rows::of_maps(&before.credentials, &after.credentials),
            escrows: Rows::of_maps(&before.escrows, &after.escrows),
            groups: Rows::of_sets(&before.groups, &after.groups),
            members: Rows::of_sets(&before.members, &after.members),
            keys: Rows::of_maps(&current(before), &current(after)),
            secrets: Rows::of_maps(&stored(before), &stored(after)),
            deployments: Rows::of_sets(&before.deployments, &after.deployments),
            mappings: Rows::of_maps(&before.mappings, &after.mappings),
            assignments: Rows::of_maps(&before.assignments, &after.assignments),
            exclusions: Rows::of_sets(&before.exclusions, &after.exclusions),
            agents: Rows::of_maps(&before.agents, &after.agents),
            agent_members: Rows::of_sets(&before.agent_members, &after.agent_members),
            agent_keys: Rows::of_sets(&before.agent_keys, &after.agent_keys),
            views: Rows::of_maps(&before.views, &after.views),
            grants: Rows::of_maps(&before.grants, &after.grants),
        }
    }
}

/// The ids of one table's rows that are new, changed, or gone; each list is sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<K> {
    /// Rows that are in the state after only.
    pub added: Vec<K>,
    /// Rows that are in both states, with different values.
    pub changed: Vec<K>,
    /// Rows that are in the state before only.
    pub removed: Vec<K>,
}

impl<K: Ord + Copy> Rows<K> {
    fn of_maps<V: PartialEq>(before: &BTreeMap<K, V>, after: &BTreeMap<K, V>) -> Self {
        let other =
            |(key, value): (&K, &V)| before.get(key).is_some_and(|former| former != value).then_some(*key);
        Self {
            added: after.keys().filter(|key| !before.contains_key(key)).copied().collect(),
            changed: after.iter().filter_map(other).collect(),
            removed: before.keys().filter(|key| !after.contains_key(key)).copied().collect(),
        }
    }

    fn of_sets(before: &BTreeSet<K>, after: &BTreeSet<K>) -> Self {
        Self {
            added: after.difference(before).copied().collect(),
            changed: Vec::new(),
            removed: before.difference(after).copied().collect(),
        }
    }

    /// The rows to put: those added or changed.
    pub fn put(&self) -> impl Iterator<Item = K> {
        self.added.iter().chain(&self.changed).copied()
    }
}

impl<K> Default for Rows<K> {
    fn default() -> Self {
        Self { added: Vec::new(), changed: Vec::new(), removed: Vec::new() }
    }
}

fn current(state: &State) -> BTreeMap<KeyId, (u64, u64)> {
    state.keys.iter().map(|(id, key)| (*id, (key.version, key.reseal))).collect()
}

fn stored(state: &State) -> BTreeMap<(KeyId, u64), u64> {
    let versions = state.keys.iter().flat_map(|(id, key)| {
        let old = key.old.iter().map(|(version, reseal)| ((*id, *version), *reseal));
        old.chain([((*id, key.version), key.reseal)])
    });
    versions.collect()
}
