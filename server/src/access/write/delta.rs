//! Applies the delta of a write to the relations, step by step in its order.
//!
//! An added row must be new, and the rows that it refers to must be there by then; a removed or changed row must be there. At the
//! end, rows that refer to something removed are removed too; a client may also list them itself.
//!
//! A view is stored under the ids of its groups, or under the id of its gateway, so no group may have the id of an identity.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::api::write::{Delta, NewKeys};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{DeploymentId, GroupId, IdentityId, KeyId};

use crate::access::state::{Agent, Identity, Key, Mapping};
use crate::access::{Refusal, State, ensure};

type Reason = &'static str;

/// Applies `delta` to `after`, which starts as `before`.
pub(super) fn apply(before: &State, delta: &[Delta], after: &mut State) -> Result<(), Refusal> {
    for (i, change) in delta.iter().enumerate() {
        step(before, after, change).map_err(|reason| Refusal::at(format!("delta[{i}]"), reason))?;
    }
    cascade(after);
    new_keys_stay_denied(before, delta, after)
}

fn step(before: &State, after: &mut State, change: &Delta) -> Result<(), Reason> {
    match change {
        Delta::AddKey { id } => add(&before.keys, &mut after.keys, *id, Key::default()),
        Delta::ChangeKey { id } => known(after.keys.contains_key(id)),
        Delta::RemoveKey { id } => known(after.keys.remove(id).is_some()),

        Delta::AddDeployment { id } => {
            unknown(before.deployments.contains(id) || !after.deployments.insert(*id))
        }
        Delta::ChangeDeployment { id } => known(after.deployments.contains(id)),
        Delta::RemoveDeployment { id } => known(after.deployments.remove(id)),

        Delta::AddMapping { id, deployment, key } => {
            known(after.deployments.contains(deployment) && after.keys.contains_key(key))?;
            add(&before.mappings, &mut after.mappings, *id, Mapping { deployment: *deployment, key: *key })
        }
        Delta::ChangeMapping { id } => known(after.mappings.contains_key(id)),
        Delta::RemoveMapping { id } => known(after.mappings.remove(id).is_some()),

        Delta::AddGroup { id } => {
            let identity = IdentityId::from_bytes(*id.as_bytes());
            unknown(before.identities.contains_key(&identity) || after.identities.contains_key(&identity))?;
            unknown(before.groups.contains(id) || !after.groups.insert(*id))
        }
        Delta::ChangeGroup { id } => known(after.groups.contains(id)),
        Delta::RemoveGroup { id } => known(after.groups.remove(id)),

        Delta::AddMember { group, identity } => {
            known(after.groups.contains(group) && after.identities.contains_key(identity))?;
            unknown(!after.members.insert((*group, *identity)))
        }
        Delta::RemoveMember { group, identity } => known(after.members.remove(&(*group, *identity))),

        Delta::AddAssignment { group, deployment, new_keys } => {
            known(after.groups.contains(group) && after.deployments.contains(deployment))?;
            unknown(after.assignments.insert((*group, *deployment), *new_keys).is_some())
        }
        Delta::ChangeAssignment { group, deployment, new_keys } => {
            known(after.assignments.insert((*group, *deployment), *new_keys).is_some())
        }
        Delta::RemoveAssignment { group, deployment } => {
            known(after.assignments.remove(&(*group, *deployment)).is_some())
        }

        Delta::AddExclusion { group, deployment, key } => {
            let assigned = after.assignments.contains_key(&(*group, *deployment));
            known(assigned && after.keys.contains_key(key))?;
            unknown(!after.exclusions.insert((*group, *deployment, *key)))
        }
        Delta::RemoveExclusion { group, deployment, key } => {
            known(after.exclusions.remove(&(*group, *deployment, *key)))
        }

        Delta::AddIdentity { id, kind, role, not_after, email } => {
            let identity = Identity { kind: *kind, role: *role, not_after: *not_after, email: email.clone() };
            well_formed(&identity)?;
            let group = GroupId::from_bytes(*id.as_bytes());
            unknown(before.groups.contains(&group) || after.groups.contains(&group))?;
            add(&before.identities, &mut after.identities, *id, identity)
        }
        Delta::ChangeIdentity { id, role, not_after } => {
            let identity = after.identities.get_mut(id).ok_or(MISSING)?;
            (identity.role, identity.not_after) = (*role, *not_after);
            well_formed(identity)
        }
        Delta::RemoveIdentity { id } => known(after.identities.remove(id).is_some()),

        Delta::AddAgent { id, gateway, state, not_after } => {
            let agent = Agent { gateway: *gateway, state: *state, not_after: *not_after };
            serves(after, *gateway)?;
            add(&before.agents, &mut after.agents, *id, agent)
        }
        Delta::ChangeAgent { id, gateway, state, not_after } => {
            serves(after, *gateway)?;
            let agent = after.agents.get_mut(id).ok_or(MISSING)?;
            *agent = Agent { gateway: *gateway, state: *state, not_after: *not_after };
            Ok(())
        }
        Delta::RemoveAgent { id } => known(after.agents.remove(id).is_some()),

        Delta::AddAgentMember { group, agent } => {
            known(after.groups.contains(group) && after.agents.contains_key(agent))?;
            unknown(!after.agent_members.insert((*group, *agent)))
        }
        Delta::RemoveAgentMember { group, agent } => known(after.agent_members.remove(&(*group, *agent))),

        Delta::AddAgentKey { agent, key } => {
            known(after.agents.contains_key(agent) && after.keys.contains_key(key))?;
            unknown(!after.agent_keys.insert((*agent, *key)))
        }
        Delta::RemoveAgentKey { agent, key } => known(after.agent_keys.remove(&(*agent, *key))),
    }
}

fn serves(state: &State, gateway: IdentityId) -> Result<(), Reason> {
    let identity = state.identities.get(&gateway).ok_or(MISSING)?;
    if identity.kind == IdentityKind::Gateway { Ok(()) } else { Err("an agent is served by a gateway") }
}

/// Adds a row. An id that this write removes cannot be added in the same write: rows that referred to the old one would refer to
/// the new one.
fn add<K: Ord, V>(
    before: &BTreeMap<K, V>,
    after: &mut BTreeMap<K, V>,
    id: K,
    value: V,
) -> Result<(), Reason> {
    unknown(before.contains_key(&id) || after.insert(id, value).is_some())
}

fn known(is: bool) -> Result<(), Reason> {
    if is { Ok(()) } else { Err(MISSING) }
}

fn unknown(is_known: bool) -> Result<(), Reason> {
    if is_known { Err(TAKEN) } else { Ok(()) }
}

fn well_formed(identity: &Identity) -> Result<(), Reason> {
    let human = identity.kind == IdentityKind::Human;
    if matches!(identity.role, Role::Owner | Role::Admin) && !human {
        return Err("owners and admins are people");
    }
    if identity.email.is_some() != human {
        return Err("people have an e-mail address, and nobody else has");
    }
    Ok(())
}

/// Removes rows that refer to something removed. An exclusion stays as long as its key and its assignment: if the key is unmapped
/// and mapped again, it is still excluded.
fn cascade(state: &mut State) {
    let State { identities, groups, keys, deployments, assignments, agents, .. } = state;
    state.members.retain(|(group, member)| groups.contains(group) && identities.contains_key(member));
    state.mappings.retain(|_, m| deployments.contains(&m.deployment) && keys.contains_key(&m.key));
    assignments.retain(|(group, deployment), _| groups.contains(group) && deployments.contains(deployment));
    state.exclusions.retain(|(g, d, key)| assignments.contains_key(&(*g, *d)) && keys.contains_key(key));
    state.credentials.retain(|_, credential| identities.contains_key(&credential.identity));
    state.escrows.retain(|identity, _| identities.contains_key(identity));
    agents.retain(|_, agent| identities.contains_key(&agent.gateway));
    state.agent_members.retain(|(group, agent)| groups.contains(group) && agents.contains_key(agent));
    state.agent_keys.retain(|(agent, key)| agents.contains_key(agent) && keys.contains_key(key));
}

/// Checks `new_keys: deny` (CRYPTO.md §2.6): a key that is newly mapped in a deployment is excluded for each group that does not
/// take new keys by itself, unless this same write assigned the deployment to the group or changed the group's choice.
fn new_keys_stay_denied(before: &State, delta: &[Delta], after: &State) -> Result<(), Refusal> {
    let mapped: BTreeSet<(DeploymentId, KeyId)> =
        before.mappings.values().map(|mapping| (mapping.deployment, mapping.key)).collect();
    let denying = |state: &State, group, deployment| {
        state.assignments.get(&(group, deployment)) == Some(&NewKeys::Deny)
    };
    for (i, change) in delta.iter().enumerate() {
        let Delta::AddMapping { deployment, key, .. } = change else { continue };
        if mapped.contains(&(*deployment, *key)) {
            continue;
        }
        let excluded = |group| {
            let denied = denying(before, group, *deployment) && denying(after, group, *deployment);
            !denied || after.exclusions.contains(&(group, *deployment, *key))
        };
        let assigned = after.assignments.keys().filter(|(_, at)| at == deployment);
        let closed = assigned.map(|(group, _)| *group).all(excluded);
        ensure(
            closed,
            || format!("delta[{i}]"),
            "a group that takes no new keys excludes this one in the same write",
        )?;
    }
    Ok(())
}

const MISSING: Reason = "it, or what it refers to, is not in this organisation";
const TAKEN: Reason = "it is already there";
