//! The rows in which two states differ.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::{AgentId, CredentialId, DeploymentId, GroupId, IdentityId, KeyId, MappingId, ViewId};

use crate::access::State;

/// What differs, table by table. Parents stand before children: delete from the last field to the first, put from the
/// first to the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// Identities. With one go its sessions.
    pub identities: Rows<IdentityId>,
    /// Credentials. With one go its sessions.
    pub credentials: Rows<CredentialId>,
    /// Escrows, by whose key they hold.
    pub escrows: Rows<IdentityId>,
    /// Groups.
    pub groups: Rows<GroupId>,
    /// Memberships.
    pub members: Rows<(GroupId, IdentityId)>,
    /// Keys: changed when the current version or its reseal is another.
    pub keys: Rows<KeyId>,
    /// Stored versions: changed when resealed.
    pub secrets: Rows<(KeyId, u64)>,
    /// Deployments.
    pub deployments: Rows<DeploymentId>,
    /// Mappings: never changed.
    pub mappings: Rows<MappingId>,
    /// Assignments.
    pub assignments: Rows<(GroupId, DeploymentId)>,
    /// Exclusions.
    pub exclusions: Rows<(GroupId, DeploymentId, KeyId)>,
    /// Agents.
    pub agents: Rows<AgentId>,
    /// Their memberships.
    pub agent_members: Rows<(GroupId, AgentId)>,
    /// Their granted keys.
    pub agent_keys: Rows<(AgentId, KeyId)>,
    /// Views: changed when rebuilt.
    pub views: Rows<ViewId>,
    /// Grants, by identity: changed when replaced.
    pub grants: Rows<IdentityId>,
}

impl Diff {
    /// What differs between the two.
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

/// The ids of one table's rows that are new, other, or gone; each list sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<K> {
    /// In the state after only.
    pub added: Vec<K>,
    /// In both, with other values.
    pub changed: Vec<K>,
    /// In the state before only.
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

    /// Added or changed: what is to be put.
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
