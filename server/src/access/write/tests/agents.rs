//! Gateways and their agents: whoever leaves something out is refused, and what is left is what the rule says.

use keyward_wire::access::Audience;
use keyward_wire::api::write::{AgentState, Delta, NewView, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{AgentId, IdentityId, ViewId};

use super::honest::honest;
use super::world::*;
use crate::access::State;
use crate::access::write::size;

/// A gateway in groups 1 and 2, and another in none.
const EDGE: IdentityId = identity(21);
const IDLE_EDGE: IdentityId = identity(22);
/// An agent of `EDGE` in group 1, granted keys 1 and 4; it may use key 1.
const BOT: AgentId = agent(31);

fn gateway(id: IdentityId) -> Delta {
    Delta::AddIdentity { id, kind: IdentityKind::Gateway, role: Role::Viewer, not_after: None, email: None }
}

fn bot(id: AgentId, gateway: IdentityId) -> Delta {
    Delta::AddAgent { id, gateway, state: AgentState::Active, not_after: None }
}

fn edge() -> State {
    let member = |g, identity| Delta::AddMember { group: group(g), identity };
    let delta = vec![
        gateway(EDGE),
        gateway(IDLE_EDGE),
        member(1, EDGE),
        member(2, EDGE),
        bot(BOT, EDGE),
        Delta::AddAgentMember { group: group(1), agent: BOT },
        Delta::AddAgentKey { agent: BOT, key: key(1) },
        Delta::AddAgentKey { agent: BOT, key: key(4) },
    ];
    let world = world();
    let mut request = honest(&world, delta, &[]);
    request.credentials = vec![token(credential(21), EDGE), token(credential(22), IDLE_EDGE)];
    applied(&world, &request, NOW + 1)
}

fn own_view(state: &State, gateway: IdentityId) -> ViewId {
    *state.views.iter().find(|(_, view)| view.audience == Audience::Gateway(gateway)).expect("a view").0
}

/// Asserts that the write is accepted, and refused without the gateway's view.
fn needs_the_view(state: &State, delta: Vec<Delta>, gateway: IdentityId) -> State {
    let request = honest(state, delta, &[]);
    let view = own_view(state, gateway);
    let built = |view| request.views.iter().any(|new: &NewView| new.id == view);
    assert!(built(view), "{:?} changes nothing of the view", request.delta);
    let mut partial = request.clone();
    partial.views.retain(|new| new.id != view);
    partial.grants.retain(|grant| grant.identity != gateway);
    let why = "views: a view whose contents change is rebuilt in the same write";
    assert_eq!(refused(state, &partial), why, "{:?}", request.delta);
    applied(state, &request, NOW + 1)
}

#[test]
fn a_gateway_has_a_view_of_its_own_even_with_the_groups_of_others() {
    let state = edge();
    assert_ne!(state.grants[&EDGE].view, state.grants[&BOTH].view);
    assert_ne!(state.grants[&IDLE_EDGE].view, state.grants[&IDLE].view);
    assert_eq!(state.grants[&EDGE].view, own_view(&state, EDGE));
}

#[test]
fn every_change_of_an_agent_that_its_gateway_would_see_rebuilds_its_view() {
    let state = edge();
    let change = |state, not_after| Delta::ChangeAgent { id: BOT, gateway: EDGE, state, not_after };
    let state = needs_the_view(&state, vec![change(AgentState::Active, Some(NOW + 999))], EDGE);
    let state = needs_the_view(&state, vec![change(AgentState::Suspended, None)], EDGE);
    let state = needs_the_view(&state, vec![change(AgentState::Active, None)], EDGE);
    let state = needs_the_view(&state, vec![Delta::RemoveAgentKey { agent: BOT, key: key(1) }], EDGE);
    let state = needs_the_view(&state, vec![Delta::AddAgentKey { agent: BOT, key: key(1) }], EDGE);
    let exclusion = |key| Delta::AddExclusion { group: group(1), deployment: deployment(1), key };
    let state = needs_the_view(&state, vec![exclusion(key(1))], EDGE);
    let state = needs_the_view(&state, vec![bot(agent(32), EDGE)], EDGE);
    let state = needs_the_view(&state, vec![Delta::RemoveAgent { id: agent(32) }], EDGE);
    let moved =
        Delta::ChangeAgent { id: BOT, gateway: IDLE_EDGE, state: AgentState::Active, not_after: None };
    let state = needs_the_view(&state, vec![moved], IDLE_EDGE);
    assert_eq!(state.agents[&BOT].gateway, IDLE_EDGE);
}

/// The server cannot see that a credential was replaced, but the client says that something was.
#[test]
fn a_sealed_change_of_an_agent_rebuilds_its_gateways_view() {
    let state = edge();
    let same = Delta::ChangeAgent { id: BOT, gateway: EDGE, state: AgentState::Active, not_after: None };
    needs_the_view(&state, vec![same.clone()], EDGE);
    let request = honest(&state, vec![same], &[]);
    let actions: Vec<_> = accepted(&by(OWNER), &state, &request, NOW + 1).events().to_vec();
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0].action, "agent.changed");
    assert_eq!(actions[0].objects, [format!("identity:{EDGE}"), format!("agent:{BOT}")]);
}

/// It is not in the view.
#[test]
fn a_sealed_change_of_a_suspended_agent_rebuilds_nothing() {
    let suspended =
        Delta::ChangeAgent { id: BOT, gateway: EDGE, state: AgentState::Suspended, not_after: None };
    let state = needs_the_view(&edge(), vec![suspended.clone()], EDGE);
    let request = honest(&state, vec![suspended], &[]);
    assert!(request.views.is_empty());
    applied(&state, &request, NOW + 1);
}

#[test]
fn agents_are_of_gateways_and_refer_to_what_is_there() {
    let state = edge();
    let refused_delta = |delta: Delta| {
        let mut request: WriteRequest = super::honest::empty(&state);
        request.delta = vec![delta];
        refused(&state, &request)
    };
    let missing = "delta[0]: it, or what it refers to, is not in this organisation";
    assert_eq!(refused_delta(bot(agent(40), CI)), "delta[0]: an agent is served by a gateway");
    assert_eq!(refused_delta(bot(agent(40), identity(99))), missing);
    assert_eq!(refused_delta(bot(BOT, EDGE)), "delta[0]: it is already there");
    assert_eq!(refused_delta(Delta::RemoveAgent { id: agent(40) }), missing);
    assert_eq!(refused_delta(Delta::AddAgentKey { agent: BOT, key: key(99) }), missing);
    assert_eq!(refused_delta(Delta::AddAgentKey { agent: agent(40), key: key(1) }), missing);
    assert_eq!(
        refused_delta(Delta::AddAgentKey { agent: BOT, key: key(1) }),
        "delta[0]: it is already there"
    );
    assert_eq!(refused_delta(Delta::AddAgentMember { group: group(9), agent: BOT }), missing);
    assert_eq!(refused_delta(Delta::RemoveAgentMember { group: group(2), agent: BOT }), missing);
}

#[test]
fn what_an_agent_refers_to_takes_its_relations_along() {
    let state = edge();
    let gone = applied(&state, &honest(&state, vec![Delta::RemoveKey { id: key(4) }], &[]), NOW + 1);
    assert_eq!(gone.agent_keys, [(BOT, key(1))].into());
    let gone = applied(&gone, &honest(&gone, vec![Delta::RemoveGroup { id: group(1) }], &[]), NOW + 1);
    assert!(gone.agent_members.is_empty());
    let gone = applied(&gone, &honest(&gone, vec![Delta::RemoveIdentity { id: EDGE }], &[]), NOW + 1);
    assert!(gone.agents.is_empty() && gone.agent_keys.is_empty());
}

#[test]
fn an_agent_may_go_to_another_gateway_in_the_write_that_removes_its_own() {
    let state = edge();
    let moved =
        Delta::ChangeAgent { id: BOT, gateway: IDLE_EDGE, state: AgentState::Active, not_after: None };
    let request = honest(&state, vec![moved, Delta::RemoveIdentity { id: EDGE }], &[]);
    let after = applied(&state, &request, NOW + 1);
    assert_eq!(after.agents[&BOT].gateway, IDLE_EDGE);
    assert_eq!(after.agent_keys.len(), 2);
}

#[test]
fn a_view_is_never_for_groups_and_a_gateway_at_once_nor_for_another_gateway() {
    let state = edge();
    let mut request = honest(&state, vec![Delta::RemoveAgent { id: BOT }], &[]);
    request.views[0].groups = vec![group(1)];
    let why = "views[0].gateway: a view is for a set of groups or for a gateway";
    assert_eq!(refused(&state, &request), why);
    request.views[0].groups.clear();
    request.views[0].gateway = Some(IDLE_EDGE);
    assert_eq!(
        refused(&state, &request),
        "views[0].groups: a view is of the same groups, or gateway, for ever"
    );
    request.views[0].gateway = None;
    assert_eq!(
        refused(&state, &request),
        "views[0].groups: a view is of the same groups, or gateway, for ever"
    );
    request.views[0] = NewView { gateway: Some(EDGE), ..request.views[0].clone() };
    request.grants[0].view = state.grants[&BOTH].view;
    let why = "grants[0].view: not the view of exactly this identity's groups, or its own";
    assert_eq!(refused(&state, &request), why);
}

#[test]
fn a_gateway_has_no_more_agents_than_one_answer_holds() {
    let state = edge();
    let with = |count: u64| {
        let mut after = state.clone();
        let view = own_view(&state, EDGE);
        after.views.get_mut(&view).unwrap().seq = after.seq;
        let row = after.agents[&BOT];
        for n in 0..count {
            let mut bytes = [0xab; 16];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            after.agents.insert(AgentId::from_bytes(bytes), row);
        }
        size::check(&super::honest::empty(&state), &after)
    };
    assert_eq!(with(1_000), Ok(()));
    let why = with(262_144).unwrap_err().to_string();
    assert!(why.starts_with("delta: a gateway would have more agents"), "{why}");
}
