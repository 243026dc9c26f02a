//! The relations that the server keeps, read off ORG, and the difference of two ORGs as a write's delta (CRYPTO.md §2.12 S1).
//! Both are derived, never written by hand: what the server is told cannot differ from what ORG says.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::api::write::{AgentState, Delta, NewKeys};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::{Email, Name};
use keyward_wire::{AgentId, DeploymentId, GroupId, IdentityId, KeyId, MappingId, Sha256};

use crate::state::org::Org;

/// The changes that lead from one ORG to the other, in an order in which no row refers to one that is not there.
pub(crate) fn delta(before: &Org, after: &Org) -> Vec<Delta> {
    let (old, new) = (Relations::of(before), Relations::of(after));
    let mut delta = Vec::new();

    delta.extend(
        gone(&old.agent_keys, &new.agent_keys).map(|(agent, key)| Delta::RemoveAgentKey { agent, key }),
    );
    delta.extend(
        gone(&old.agent_members, &new.agent_members)
            .map(|(group, agent)| Delta::RemoveAgentMember { group, agent }),
    );
    delta.extend(lost(&old.agents, &new.agents).map(|(id, _)| Delta::RemoveAgent { id }));
    delta.extend(gone(&old.exclusions, &new.exclusions).map(|(g, d, k)| Delta::RemoveExclusion {
        group: g,
        deployment: d,
        key: k,
    }));
    delta
        .extend(gone(&old.members, &new.members).map(|(g, i)| Delta::RemoveMember { group: g, identity: i }));
    delta.extend(
        lost(&old.assignments, &new.assignments)
            .map(|((g, d), _)| Delta::RemoveAssignment { group: g, deployment: d }),
    );
    // A mapping keeps its id if its variable is renamed; one of another key or deployment is another mapping.
    delta.extend(lost(&old.mappings, &new.mappings).map(|(id, _)| Delta::RemoveMapping { id }));
    delta.extend(lost(&old.keys, &new.keys).map(|(id, _)| Delta::RemoveKey { id }));
    delta.extend(lost(&old.deployments, &new.deployments).map(|(id, _)| Delta::RemoveDeployment { id }));
    delta.extend(lost(&old.groups, &new.groups).map(|(id, _)| Delta::RemoveGroup { id }));

    delta.extend(lost(&new.identities, &old.identities).map(|(id, facts)| {
        let IdentityFacts { kind, role, not_after, email } = facts;
        Delta::AddIdentity { id, kind: *kind, role: *role, not_after: *not_after, email: email.clone() }
    }));
    delta.extend(lost(&new.groups, &old.groups).map(|(id, _)| Delta::AddGroup { id }));
    delta.extend(lost(&new.deployments, &old.deployments).map(|(id, _)| Delta::AddDeployment { id }));
    delta.extend(lost(&new.keys, &old.keys).map(|(id, _)| Delta::AddKey { id }));
    delta.extend(lost(&new.mappings, &old.mappings).map(|(id, (deployment, key, _))| Delta::AddMapping {
        id,
        deployment: *deployment,
        key: *key,
    }));
    delta.extend(lost(&new.assignments, &old.assignments).map(|((group, deployment), new_keys)| {
        Delta::AddAssignment { group, deployment, new_keys: *new_keys }
    }));
    delta.extend(gone(&new.members, &old.members).map(|(g, i)| Delta::AddMember { group: g, identity: i }));
    delta.extend(gone(&new.exclusions, &old.exclusions).map(|(g, d, k)| Delta::AddExclusion {
        group: g,
        deployment: d,
        key: k,
    }));

    delta.extend(changed(&old.identities, &new.identities).map(|(id, facts)| Delta::ChangeIdentity {
        id,
        role: facts.role,
        not_after: facts.not_after,
    }));
    delta.extend(changed(&old.groups, &new.groups).map(|(id, _)| Delta::ChangeGroup { id }));
    delta.extend(changed(&old.deployments, &new.deployments).map(|(id, _)| Delta::ChangeDeployment { id }));
    delta.extend(changed(&old.keys, &new.keys).map(|(id, _)| Delta::ChangeKey { id }));
    delta.extend(changed(&old.mappings, &new.mappings).map(|(id, _)| Delta::ChangeMapping { id }));
    delta.extend(changed(&old.assignments, &new.assignments).map(|((group, deployment), new_keys)| {
        Delta::ChangeAssignment { group, deployment, new_keys: *new_keys }
    }));

    delta.extend(lost(&new.agents, &old.agents).map(|(id, facts)| Delta::AddAgent {
        id,
        gateway: facts.gateway,
        state: facts.state,
        not_after: facts.not_after,
    }));
    delta.extend(changed(&old.agents, &new.agents).map(|(id, facts)| Delta::ChangeAgent {
        id,
        gateway: facts.gateway,
        state: facts.state,
        not_after: facts.not_after,
    }));
    delta.extend(
        gone(&new.agent_members, &old.agent_members)
            .map(|(group, agent)| Delta::AddAgentMember { group, agent }),
    );
    delta
        .extend(gone(&new.agent_keys, &old.agent_keys).map(|(agent, key)| Delta::AddAgentKey { agent, key }));
    // Identities are removed last, since the agents of a removed gateway may have been moved to another.
    delta.extend(lost(&old.identities, &new.identities).map(|(id, _)| Delta::RemoveIdentity { id }));
    delta
}

/// Rows by id, with what may change about them. Sealed words stand here as one text each, only to see whether they changed.
struct Relations {
    identities: BTreeMap<IdentityId, IdentityFacts>,
    groups: BTreeMap<GroupId, String>,
    members: BTreeSet<(GroupId, IdentityId)>,
    deployments: BTreeMap<DeploymentId, String>,
    mappings: BTreeMap<MappingId, (DeploymentId, KeyId, String)>,
    assignments: BTreeMap<(GroupId, DeploymentId), NewKeys>,
    exclusions: BTreeSet<(GroupId, DeploymentId, KeyId)>,
    keys: BTreeMap<KeyId, String>,
    agents: BTreeMap<AgentId, AgentFacts>,
    agent_members: BTreeSet<(GroupId, AgentId)>,
    agent_keys: BTreeSet<(AgentId, KeyId)>,
}

#[derive(PartialEq)]
struct AgentFacts {
    gateway: IdentityId,
    state: AgentState,
    not_after: Option<i64>,
    sealed: (Name, Sha256),
}

#[derive(PartialEq)]
struct IdentityFacts {
    kind: IdentityKind,
    role: Role,
    not_after: Option<i64>,
    email: Option<Email>,
}

impl Relations {
    fn of(org: &Org) -> Self {
        let facts = org.facts();
        let mappings = org.deployments.iter().flat_map(|deployment| {
            let of_deployment = move |mapping: &crate::state::org::Mapping| {
                (mapping.id, (deployment.id, mapping.key, mapping.env.to_string()))
            };
            deployment.mappings.iter().map(of_deployment)
        });
        let members = org.identities.iter().flat_map(|i| i.groups.iter().map(|group| (*group, i.id)));
        let identities = org.identities.iter().map(|i| {
            let facts =
                IdentityFacts { kind: i.kind, role: i.role, not_after: i.not_after, email: i.email.clone() };
            (i.id, facts)
        });
        let words = |key: &crate::state::org::KeyEntry| {
            format!("{:?}", (&key.name, &key.alias, &key.provider, &key.tags, &key.set))
        };
        let agents = org.agents.iter().map(|agent| {
            let sealed = (agent.name.clone(), agent.secret_sha256);
            let (gateway, state, not_after) = (agent.gateway, agent.state, agent.not_after);
            (agent.id, AgentFacts { gateway, state, not_after, sealed })
        });
        let agent_members = org.agents.iter().flat_map(|a| a.groups.iter().map(|group| (*group, a.id)));
        let agent_keys = org.agents.iter().flat_map(|a| a.granted.iter().map(|key| (a.id, *key)));
        Self {
            agents: agents.collect(),
            agent_members: agent_members.collect(),
            agent_keys: agent_keys.collect(),
            identities: identities.collect(),
            groups: org.groups.iter().map(|g| (g.id, g.name.to_string())).collect(),
            members: members.collect(),
            deployments: org
                .deployments
                .iter()
                .map(|d| (d.id, format!("{:?}", (&d.name, &d.provider))))
                .collect(),
            mappings: mappings.collect(),
            assignments: org.assignments.iter().map(|a| ((a.group, a.deployment), a.new_keys)).collect(),
            exclusions: facts.exclusions,
            keys: org.keys.iter().map(|k| (k.id, words(k))).collect(),
        }
    }
}

/// The elements of `a` that are not in `b`.
fn gone<'a, T: Ord + Copy>(a: &'a BTreeSet<T>, b: &'a BTreeSet<T>) -> impl Iterator<Item = T> {
    a.difference(b).copied()
}

/// The entries of `a` whose key is not in `b`.
fn lost<'a, K: Ord + Copy, V>(
    a: &'a BTreeMap<K, V>,
    b: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (K, &'a V)> {
    a.iter().filter(|(key, _)| !b.contains_key(key)).map(|(key, value)| (*key, value))
}

/// The entries whose key is in both, with the new value where it differs.
fn changed<'a, K: Ord + Copy, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (K, &'a V)> {
    new.iter()
        .filter(|(key, value)| old.get(key).is_some_and(|was| was != *value))
        .map(|(key, value)| (*key, value))
}

#[cfg(test)]
mod tests;
