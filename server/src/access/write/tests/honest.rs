//! An honest client, written against the text of CRYPTO.md §2.6 and not against the code under test: it does exactly what
//! a delta makes necessary, and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::access::{Audience, readable};
use keyward_wire::api::IdentityKind;
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::api::write::{AgentState, Base, Delta, NewGrant, NewView, RootKind, WriteRequest};
use keyward_wire::{AgentId, DeploymentId, GroupId, IdentityId, KeyId, Purpose, Sha256, ViewId};

use super::world::{envelope, root};
use crate::access::State;
use crate::access::write::delta;

/// What a view shows: each visible deployment with its visible keys, each key with version and reseal, and of a gateway each
/// agent with its end and its keys.
pub(super) type Content = (
    BTreeMap<DeploymentId, Vec<KeyId>>,
    BTreeMap<KeyId, (u64, u64)>,
    BTreeMap<AgentId, (Option<i64>, BTreeSet<KeyId>)>,
);

/// The smallest write that carries `delta` and a new version of each key of `versions`.
pub(super) fn honest(before: &State, delta: Vec<Delta>, versions: &[KeyId]) -> WriteRequest {
    let mut after = State { seq: before.seq + 1, ..before.clone() };
    delta::apply(before, &delta, &mut after).expect("an honest delta");
    let mut request = empty(before);
    request.secrets = secrets(before, &mut after, versions);
    views(before, &after, &delta, &mut request);
    grants(before, &after, &mut request);
    for (id, identity) in &after.identities {
        let was = before.identities.get(id).map(|was| was.role);
        if identity.role.administers() && !was.is_some_and(keyward_wire::api::Role::administers) {
            request.roots.push(root(RootKind::OrgkeyAdmin, Some(*id), after.epoch));
        }
    }
    request.delta = delta;
    request
}

/// A write that changes nothing.
pub(super) fn empty(before: &State) -> WriteRequest {
    WriteRequest {
        base: Base { seq: before.seq, sha256: Sha256::from_bytes([1; 32]) },
        org: envelope(Purpose::Org),
        delta: Vec::new(),
        secrets: Vec::new(),
        drop_secrets: Vec::new(),
        views: Vec::new(),
        drop_views: Vec::new(),
        grants: Vec::new(),
        credentials: Vec::new(),
        drop_credentials: Vec::new(),
        escrows: Vec::new(),
        roots: Vec::new(),
        epoch: None,
    }
}

pub(super) fn secret(key: KeyId, version: u64, reseal: u64) -> SecretItem {
    SecretItem { key, version, reseal, env: envelope(Purpose::Secret) }
}

/// What `audience` sees of `state`.
pub(super) fn content(state: &State, audience: &Audience) -> Content {
    let (groups, agents) = match audience {
        Audience::Groups(groups) => (groups.clone(), BTreeMap::new()),
        Audience::Gateway(gateway) => (groups_of(state, *gateway), agents(state, *gateway)),
    };
    let readable = readable(&groups, &state.facts());
    let mut shown: BTreeMap<DeploymentId, Vec<KeyId>> =
        readable.deployments().iter().map(|deployment| (*deployment, Vec::new())).collect();
    for mapping in state.mappings.values().filter(|mapping| readable.keys().contains(&mapping.key)) {
        if let Some(keys) = shown.get_mut(&mapping.deployment) {
            keys.push(mapping.key);
            keys.sort_unstable();
        }
    }
    let keys = readable.keys().iter().map(|key| (*key, (state.keys[key].version, state.keys[key].reseal)));
    (shown, keys.collect(), agents)
}

fn agents(state: &State, gateway: IdentityId) -> BTreeMap<AgentId, (Option<i64>, BTreeSet<KeyId>)> {
    let mut agents = BTreeMap::new();
    for (id, agent) in &state.agents {
        if agent.gateway == gateway && agent.state == AgentState::Active {
            let groups = state.agent_members.iter().filter(|(_, member)| member == id);
            let own = readable(&groups.map(|(group, _)| *group).collect(), &state.facts());
            let through = reads(state, gateway);
            let granted = state.agent_keys.iter().filter(|(whose, _)| whose == id).map(|(_, key)| *key);
            let keys = granted.filter(|key| own.keys().contains(key) && through.contains(key)).collect();
            agents.insert(*id, (agent.not_after, keys));
        }
    }
    agents
}

/// Whose view somebody in `groups` reads.
pub(super) fn audience(state: &State, id: IdentityId, groups: &BTreeSet<GroupId>) -> Audience {
    match state.identities[&id].kind {
        IdentityKind::Gateway => Audience::Gateway(id),
        _ => Audience::Groups(groups.clone()),
    }
}

/// The groups that `id` is in.
pub(super) fn groups_of(state: &State, id: IdentityId) -> BTreeSet<GroupId> {
    state.members.iter().filter(|(_, member)| *member == id).map(|(group, _)| *group).collect()
}

/// Keys that `id` reads, owners and admins all of them.
pub(super) fn reads(state: &State, id: IdentityId) -> BTreeSet<KeyId> {
    match state.identities.get(&id) {
        Some(identity) if identity.role.administers() => state.keys.keys().copied().collect(),
        Some(_) => readable(&groups_of(state, id), &state.facts()).keys().clone(),
        None => BTreeSet::new(),
    }
}

fn secrets(before: &State, after: &mut State, versions: &[KeyId]) -> Vec<SecretItem> {
    let mut lost = BTreeSet::new();
    for id in before.identities.keys().filter(|id| after.identities.contains_key(id)) {
        lost.extend(&reads(before, *id) - &reads(after, *id));
    }
    let mut secrets = Vec::new();
    for (id, key) in &mut after.keys {
        if key.version == 0 || versions.contains(id) {
            (key.version, key.reseal) = (key.version + 1, 0);
        } else if lost.contains(id) {
            key.reseal += 1;
        } else {
            continue;
        }
        secrets.push(secret(*id, key.version, key.reseal));
    }
    secrets
}

fn views(before: &State, after: &State, delta: &[Delta], request: &mut WriteRequest) {
    let readers = after.readers();
    let in_use: BTreeSet<Audience> =
        readers.iter().map(|(id, groups)| audience(after, *id, groups)).collect();
    let unused = before.views.iter().filter(|(_, view)| !in_use.contains(&view.audience));
    request.drop_views = unused.map(|(id, _)| *id).collect();
    for (n, audience) in in_use.into_iter().enumerate() {
        let former = before.views.iter().find(|(_, view)| view.audience == audience).map(|(id, _)| *id);
        // A name or credential that is sealed changed, and the view shows both.
        let resealed = delta.iter().any(|change| match change {
            Delta::ChangeAgent { id, .. } => after.agents.get(id).is_some_and(|agent| {
                audience == Audience::Gateway(agent.gateway) && agent.state == AgentState::Active
            }),
            _ => false,
        });
        if former.is_some() && !resealed && content(before, &audience) == content(after, &audience) {
            continue;
        }
        let fresh = || {
            let mut bytes = [0xf0; 16];
            bytes[..8].copy_from_slice(&after.seq.to_be_bytes());
            bytes[8] = u8::try_from(n).unwrap();
            ViewId::from_bytes(bytes)
        };
        let (id, seq) = (former.unwrap_or_else(fresh), after.seq);
        let (groups, gateway) = match audience {
            Audience::Groups(groups) => (groups.into_iter().collect(), None),
            Audience::Gateway(gateway) => (Vec::new(), Some(gateway)),
        };
        request.views.push(NewView { id, groups, gateway, seq, env: envelope(Purpose::View) });
    }
}

fn grants(before: &State, after: &State, request: &mut WriteRequest) {
    let were = before.readers();
    for (identity, groups) in after.readers() {
        let audience = audience(after, identity, &groups);
        let of_it = |view: &&NewView| match &audience {
            Audience::Groups(groups) => view.gateway.is_none() && view.groups.iter().eq(groups),
            Audience::Gateway(gateway) => view.gateway == Some(*gateway),
        };
        let rebuilt = request.views.iter().find(of_it).map(|view| view.id);
        let kept = before.views.iter().find(|(_, view)| view.audience == audience).map(|(id, _)| *id);
        let view = rebuilt.or(kept).expect("every set of groups in use, and every gateway, has a view");
        let same = were.get(&identity) == Some(&groups)
            && before.identities.get(&identity) == after.identities.get(&identity);
        if rebuilt.is_some() || !same {
            request.grants.push(NewGrant { identity, view, seq: after.seq, env: envelope(Purpose::Grant) });
        }
    }
}
