//! Views and grants: nobody keeps what he lost, nobody lacks what he has (S2, CRYPTO.md §1 I9).
//!
//! After a write, every stored view is for the exact groups of some identity, or for one gateway; no two are for the same; and
//! each holds what the access rule says now. Every active non-admin has one grant, made with or after the last build of its view,
//! and nobody else has any. S2 follows: if a reader's result changed, or one of its keys was resealed, its view must have been
//! rebuilt, and so it has a new grant.
//!
//! Clients cannot know the server's clock, so expiry is nobody's fault: a view may stay for an identity that has ended, and a
//! grant for such an identity is accepted and not stored.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::access::{Audience, Facts, Readable, UsableKeys, readable};
use keyward_wire::api::write::{AgentState, Delta, WriteRequest};
use keyward_wire::limits::VIEWS;
use keyward_wire::{AgentId, DeploymentId, GroupId, IdentityId, KeyId};

use crate::access::state::{Grant, View};
use crate::access::{Refusal, State, ensure};

/// Applies `views`, `drop_views` and `grants` to `after`, to which everything else of the write was applied.
pub(super) fn apply(
    now: i64,
    before: &State,
    request: &WriteRequest,
    after: &mut State,
) -> Result<(), Refusal> {
    let readers = after.readers();
    let audiences = after.audiences(&readers);
    let (old, new) = (before.facts(), after.facts());
    lost_keys_are_resealed(now, before, after, (&old, &new))?;
    put_views(before, request, after)?;
    drop_views(before, request, after)?;
    every_view_has_a_reader(&audiences, after)?;
    kept_views_are_current(before, after, request, (&old, &new))?;
    put_grants(&audiences, request, after)?;
    sweep_grants(now, &audiences, request.epoch.is_some(), after);
    every_reader_has_a_grant(now, &readers, after)
}

/// Checks I9: a key that an identity can read before the write and not after is resealed. Identities that end or leave by this
/// write are not counted: whether to reseal for them is the client's decision (`--compromised`).
fn lost_keys_are_resealed(
    now: i64,
    before: &State,
    after: &State,
    (old, new): (&Facts, &Facts),
) -> Result<(), Refusal> {
    let (were, are) = (before.readers(), after.readers());
    let active = |state: &State, id| state.identities.get(id).is_some_and(|identity| identity.is_active(now));
    // One check for each pair of sets of groups, however many identities share it. `None` if the identity was an owner or admin
    // before.
    let pairs: BTreeSet<(Option<&BTreeSet<GroupId>>, &BTreeSet<GroupId>)> = are
        .iter()
        .filter(|(id, _)| active(before, id) && active(after, id))
        .map(|(id, groups)| (were.get(id), groups))
        .collect();
    let changed = changed_keys(before, after);
    for (were_in, are_in) in pairs {
        let had = match were_in {
            Some(groups) => readable(groups, old).keys().clone(),
            None => before.keys.keys().copied().collect(),
        };
        let has = readable(are_in, new);
        let open =
            had.difference(has.keys()).any(|key| after.keys.contains_key(key) && !changed.contains(key));
        ensure(
            !open,
            || "secrets".to_owned(),
            "a key that somebody can no longer read is resealed in the same write",
        )?;
    }
    Ok(())
}

fn put_views(before: &State, request: &WriteRequest, after: &mut State) -> Result<(), Refusal> {
    for (i, new) in request.views.iter().enumerate() {
        let groups: BTreeSet<GroupId> = new.groups.iter().copied().collect();
        let field = || format!("views[{i}].groups");
        ensure(groups.is_subset(&after.groups), field, "a group that is not in this organisation")?;
        let audience = new.gateway.map_or(Audience::Groups(groups), Audience::Gateway);
        let same = before.views.get(&new.id).is_none_or(|former| former.audience == audience);
        ensure(same, field, "a view is of the same groups, or gateway, for ever")?;
        after.views.insert(new.id, View { audience, seq: new.seq, bytes: new.env.as_bytes().len() });
    }
    Ok(())
}

fn drop_views(before: &State, request: &WriteRequest, after: &mut State) -> Result<(), Refusal> {
    for (i, id) in request.drop_views.iter().enumerate() {
        let field = || format!("drop_views[{i}]");
        let rebuilt = request.views.iter().any(|view| view.id == *id);
        ensure(
            before.views.contains_key(id) && !rebuilt,
            field,
            "no such view, or one that this write builds",
        )?;
        after.views.remove(id);
    }
    Ok(())
}

fn every_view_has_a_reader(audiences: &BTreeMap<IdentityId, Audience>, after: &State) -> Result<(), Refusal> {
    let in_use: BTreeSet<&Audience> = audiences.values().collect();
    let mut seen = BTreeSet::new();
    for view in after.views.values() {
        ensure(
            in_use.contains(&view.audience),
            || "drop_views".to_owned(),
            "a view that nobody uses any more is dropped",
        )?;
        ensure(
            seen.insert(&view.audience),
            || "views".to_owned(),
            "two views of the same groups or gateway",
        )?;
    }
    ensure(
        seen.len() <= VIEWS,
        || "views".to_owned(),
        "more than 64 combinations of groups, and gateways, are in use",
    )
}

/// Checks that a view that is not rebuilt has the content that a new build would have.
fn kept_views_are_current(
    before: &State,
    after: &State,
    request: &WriteRequest,
    (old, new): (&Facts, &Facts),
) -> Result<(), Refusal> {
    let changed = changed_keys(before, after);
    for view in after.views.values().filter(|view| view.seq != after.seq) {
        let (was, is) = (before.readable(&view.audience, old), after.readable(&view.audience, new));
        let current = shown(&was, old) == shown(&is, new)
            && is.keys().is_disjoint(&changed)
            && agents_are_current(before, after, request, &view.audience, (&was, &is), (old, new));
        ensure(current, || "views".to_owned(), "a view whose contents change is rebuilt in the same write")?;
    }
    Ok(())
}

/// Whether the agents in a gateway's view, which lists the active ones, are unchanged. An agent's name and credential are sealed:
/// that one of them changed is the client's word.
fn agents_are_current(
    before: &State,
    after: &State,
    request: &WriteRequest,
    audience: &Audience,
    (was, is): (&Readable, &Readable),
    (old, new): (&Facts, &Facts),
) -> bool {
    let Audience::Gateway(gateway) = audience else { return true };
    let resealed = request.delta.iter().any(|change| match change {
        Delta::ChangeAgent { id, .. } => after
            .agents
            .get(id)
            .is_some_and(|agent| agent.gateway == *gateway && agent.state == AgentState::Active),
        _ => false,
    });
    !resealed && served(before, *gateway, was, old) == served(after, *gateway, is, new)
}

/// The agents that a gateway's view lists: of each, when it ends and which keys it may use.
pub(super) fn served(
    state: &State,
    gateway: IdentityId,
    readable: &Readable,
    facts: &Facts,
) -> Vec<(AgentId, Option<i64>, BTreeSet<KeyId>)> {
    let active = state.agents_of(gateway).filter(|(_, agent)| agent.state == AgentState::Active);
    let (mut relations, mut usable) = (state.relations_of_agents(), UsableKeys::new(readable, facts));
    active
        .map(|(id, agent)| {
            let (groups, granted) = relations.remove(&id).unwrap_or_default();
            (id, agent.not_after, usable.of(&groups, &granted))
        })
        .collect()
}

/// What a view shows, as far as the server can tell. A mapping's id is not shown, and its variable is sealed.
fn shown<'a>(
    readable: &'a Readable,
    facts: &Facts,
) -> (&'a BTreeSet<KeyId>, &'a BTreeSet<DeploymentId>, Vec<(DeploymentId, KeyId)>) {
    let visible = facts.mappings.iter().filter(|mapping| readable.mappings().contains(&mapping.id));
    let mut mapped: Vec<_> = visible.map(|mapping| (mapping.deployment, mapping.key)).collect();
    mapped.sort_unstable();
    (readable.keys(), readable.deployments(), mapped)
}

fn put_grants(
    audiences: &BTreeMap<IdentityId, Audience>,
    request: &WriteRequest,
    after: &mut State,
) -> Result<(), Refusal> {
    for (i, new) in request.grants.iter().enumerate() {
        let own = audiences.get(&new.identity);
        ensure(own.is_some(), || format!("grants[{i}].identity"), "not somebody who reads by the rule")?;
        let exact = after.views.get(&new.view).is_some_and(|view| Some(&view.audience) == own);
        ensure(
            exact,
            || format!("grants[{i}].view"),
            "not the view of exactly this identity's groups, or its own",
        )?;
        after.grants.insert(new.identity, Grant { view: new.view, seq: new.seq });
    }
    Ok(())
}

/// Deletes grants that open nothing after this write, or belong to nobody active (S5).
fn sweep_grants(now: i64, audiences: &BTreeMap<IdentityId, Audience>, new_epoch: bool, after: &mut State) {
    let State { identities, views, grants, seq, .. } = after;
    grants.retain(|id, grant| {
        let active = identities.get(id).is_some_and(|identity| identity.is_active(now));
        let opens = |view: &View| Some(&view.audience) == audiences.get(id) && view.seq <= grant.seq;
        active && views.get(&grant.view).is_some_and(opens) && (!new_epoch || grant.seq == *seq)
    });
}

fn every_reader_has_a_grant(
    now: i64,
    readers: &BTreeMap<IdentityId, BTreeSet<GroupId>>,
    after: &State,
) -> Result<(), Refusal> {
    let active = |id| after.identities.get(id).is_some_and(|identity| identity.is_active(now));
    let complete = readers.keys().filter(|id| active(id)).all(|id| after.grants.contains_key(id));
    ensure(complete, || "grants".to_owned(), "somebody's view changed, or is new, without a new grant")
}

/// Keys whose current version is another one, or was resealed.
fn changed_keys(before: &State, after: &State) -> BTreeSet<KeyId> {
    let is_changed = |(id, key): (&KeyId, &crate::access::state::Key)| {
        let was = before.keys.get(id)?;
        ((was.version, was.reseal) != (key.version, key.reseal)).then_some(*id)
    };
    after.keys.iter().filter_map(is_changed).collect()
}
