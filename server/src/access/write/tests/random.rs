//! Random organisations live through random honest writes. After each: everybody's grant and view are what the rule says;
//! and the same write, less any one part of it, was refused.

use std::collections::BTreeMap;

use keyward_wire::api::write::{AgentState, Delta, NewGrant, NewKeys, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{AgentId, ViewId};
use proptest::prelude::*;

use super::check;
use super::honest::{Content, audience, content, groups_of, honest, reads};
use super::world::*;
use crate::access::State;
use crate::access::write::delta::apply;

/// A wish: which kind of step, on what. Read against the state it becomes a step that makes sense there, or none.
type Wish = (u8, u8, u8, u8);

fn step(state: &State, (what, a, b, c): Wish, seq: u64) -> Option<Delta> {
    let fresh = u8::try_from(seq % 200).ok()?.wrapping_mul(5).wrapping_add(20).wrapping_add(what);
    let key = *state.keys.keys().nth(usize::from(a) % state.keys.len().max(1)).unwrap_or(&key(1));
    let group = *state.groups.iter().nth(usize::from(b) % state.groups.len().max(1)).unwrap_or(&group(1));
    let deployment = *state
        .deployments
        .iter()
        .nth(usize::from(c) % state.deployments.len().max(1))
        .unwrap_or(&deployment(1));
    let others: Vec<_> = state.identities.iter().filter(|(id, _)| **id != OWNER).collect();
    let somebody = others.get(usize::from(a) % others.len().max(1));
    let mapped = state.mappings.iter().nth(usize::from(a) % state.mappings.len().max(1)).map(|(id, _)| *id);
    let new_keys = if a % 2 == 0 { NewKeys::Allow } else { NewKeys::Deny };
    let not_after = (c % 3 == 0).then(|| NOW + i64::from(b) * 50);
    let gateways: Vec<_> = state
        .identities
        .iter()
        .filter(|(_, one)| one.kind == IdentityKind::Gateway)
        .map(|(id, _)| *id)
        .collect();
    let gateway = gateways.get(usize::from(b) % gateways.len().max(1)).copied();
    let agent: Option<AgentId> = state.agents.keys().nth(usize::from(c) % state.agents.len().max(1)).copied();
    let agent_state = if a % 4 == 0 { AgentState::Suspended } else { AgentState::Active };
    Some(match what {
        0 => Delta::AddKey { id: super::world::key(fresh) },
        1 => Delta::RemoveKey { id: key },
        2 => Delta::AddGroup { id: super::world::group(fresh) },
        3 => Delta::RemoveGroup { id: group },
        4 => Delta::AddDeployment { id: super::world::deployment(fresh) },
        5 => Delta::RemoveDeployment { id: deployment },
        6..=8 => Delta::AddMapping { id: mapping(fresh), deployment, key },
        9 => Delta::RemoveMapping { id: mapped? },
        10..=11 => Delta::AddAssignment { group, deployment, new_keys },
        12 => Delta::ChangeAssignment { group, deployment, new_keys },
        13 => Delta::RemoveAssignment { group, deployment },
        14..=15 => Delta::AddExclusion { group, deployment, key },
        16 => Delta::RemoveExclusion { group, deployment, key },
        17..=19 => Delta::AddMember { group, identity: *somebody?.0 },
        20 => Delta::RemoveMember { group, identity: *somebody?.0 },
        21 => api(identity(fresh), not_after),
        22 => Delta::AddIdentity {
            id: identity(fresh),
            kind: IdentityKind::Human,
            role: if b % 2 == 0 { Role::Viewer } else { Role::Admin },
            not_after,
            email: Some(format!("u{fresh}@example.com").parse().unwrap()),
        },
        23 => Delta::RemoveIdentity { id: *somebody?.0 },
        26..=27 => {
            let (kind, role) = (IdentityKind::Gateway, Role::Viewer);
            Delta::AddIdentity { id: identity(fresh), kind, role, not_after, email: None }
        }
        28..=30 => Delta::AddAgent {
            id: super::world::agent(fresh),
            gateway: gateway?,
            state: agent_state,
            not_after,
        },
        31 => Delta::ChangeAgent { id: agent?, gateway: gateway?, state: agent_state, not_after },
        32 => Delta::RemoveAgent { id: agent? },
        33..=35 => Delta::AddAgentMember { group, agent: agent? },
        36 => Delta::RemoveAgentMember { group, agent: agent? },
        37..=39 => Delta::AddAgentKey { agent: agent?, key },
        40 => Delta::RemoveAgentKey { agent: agent?, key },
        _ => {
            let (id, identity) = somebody?;
            let human = identity.kind == IdentityKind::Human;
            let role = if human && b % 2 == 0 { Role::Admin } else { Role::User };
            Delta::ChangeIdentity { id: **id, role, not_after }
        }
    })
}

/// The steps that can follow one another, with the exclusions that `new_keys: deny` asks for.
fn delta(state: &State, wishes: &[Wish]) -> Vec<Delta> {
    let mut delta: Vec<Delta> = Vec::new();
    for (n, wish) in wishes.iter().enumerate() {
        let mut longer = delta.clone();
        longer.extend(step(state, *wish, state.seq * 3 + n as u64));
        if let Some(Delta::AddMapping { deployment, key, .. }) = longer.last().cloned() {
            let denying =
                state.assignments.iter().filter(|((_, d), new)| *d == deployment && **new == NewKeys::Deny);
            let open = denying.filter(|((g, d), _)| !state.exclusions.contains(&(*g, *d, key)));
            longer.extend(open.map(|((group, _), _)| Delta::AddExclusion { group: *group, deployment, key }));
        }
        let mut after = State { seq: state.seq + 1, ..state.clone() };
        if apply(state, &longer, &mut after).is_ok() {
            delta = longer;
        }
    }
    delta
}

/// The write without each of its parts that somebody needs who is active before and after it; expiry is nobody's fault.
fn less_one_part(request: &WriteRequest, now: i64, state: &State) -> Vec<(String, WriteRequest)> {
    let mut after = State { seq: state.seq + 1, ..state.clone() };
    apply(state, &request.delta, &mut after).unwrap();
    let active = |state: &State, id| state.identities.get(id).is_some_and(|identity| identity.is_active(now));
    let stay = || state.identities.keys().filter(|id| active(state, id) && active(&after, id));
    let lost = |key| stay().any(|id| reads(state, *id).contains(&key) && !reads(&after, *id).contains(&key));

    let mut partial = Vec::new();
    let mut less = |what: String, change: &dyn Fn(&mut WriteRequest)| {
        let mut request = request.clone();
        change(&mut request);
        partial.push((what, request));
    };
    for (n, secret) in request.secrets.iter().enumerate() {
        if request.delta.contains(&Delta::AddKey { id: secret.key }) || lost(secret.key) {
            less(format!("secret {n}"), &|request| drop(request.secrets.remove(n)));
        }
    }
    for n in 0..request.views.len() {
        less(format!("view {n}"), &|request| drop(request.views.remove(n)));
    }
    for n in 0..request.drop_views.len() {
        less(format!("dropped view {n}"), &|request| {
            request.drop_views.remove(n);
        });
    }
    for (n, NewGrant { identity, view, .. }) in request.grants.iter().enumerate() {
        let rebuilt = request.views.iter().any(|new| new.id == *view);
        let kept = state.grants.get(identity).is_some_and(|grant| grant.view == *view) && !rebuilt;
        if active(&after, identity) && !kept {
            less(format!("grant {n}"), &|request| drop(request.grants.remove(n)));
        }
    }
    partial
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn honest_writes_pass_and_no_part_of_them_can_be_left_out(
        writes in proptest::collection::vec(
            (proptest::collection::vec((0_u8..41, any::<u8>(), any::<u8>(), any::<u8>()), 0..4), any::<u8>()),
            1..14,
        ),
    ) {
        let mut state = world();
        let mut now = NOW + 2;
        // What each stored view held when it was built.
        let mut built: BTreeMap<ViewId, Content> =
            state.views.iter().map(|(id, view)| (*id, content(&state, &view.audience))).collect();
        for (wishes, version) in writes {
            now += 97;
            let delta = delta(&state, &wishes);
            let versions: Vec<_> = state.keys.keys().filter(|key| {
                version % 4 == 0 && key.as_bytes()[0] % 5 == version % 5 && !delta.contains(&Delta::RemoveKey { id: **key })
            }).copied().collect();
            let request = honest(&state, delta, &versions);
            let change = check(&fresh(now), now, &state, &request);
            let change = match change { Ok(change) => change, Err(why) => return Err(TestCaseError::fail(format!("{why}: {request:?}"))) };

            for (what, partial) in less_one_part(&request, now, &state) {
                prop_assert!(check(&fresh(now), now, &state, &partial).is_err(), "accepted without {}", what);
            }
            state = change.after().clone();
            for view in &request.views {
                built.insert(view.id, content(&state, &state.views[&view.id].audience));
            }
            for (id, view) in &state.views {
                prop_assert_eq!(&built[id], &content(&state, &view.audience), "a stored view is out of date");
            }
            for (id, identity) in &state.identities {
                let grant = state.grants.get(id);
                let reads = !identity.role.administers() && identity.is_active(now);
                prop_assert_eq!(grant.is_some(), reads);
                if let Some(grant) = grant {
                    let own = audience(&state, *id, &groups_of(&state, *id));
                    prop_assert_eq!(&state.views[&grant.view].audience, &own);
                    prop_assert!(grant.seq >= state.views[&grant.view].seq);
                }
            }
            prop_assert!(state.grants.keys().all(|id| state.identities.contains_key(id)));
        }
    }
}

fn fresh(now: i64) -> crate::access::Actor {
    crate::access::Actor { session: Some(crate::access::Session { signed_in_at: now }), ..by(OWNER) }
}
