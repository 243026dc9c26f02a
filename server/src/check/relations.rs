//! Checks that the stored relations satisfy what every write is checked against (S2, S5, S6).

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::IdentityId;
use keyward_wire::access::Audience;
use keyward_wire::api::write::RootKind;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::limits::{OLD_VERSIONS, VIEWS};

use super::Report;
use crate::access::State;
use crate::access::state::{Grant, Identity};
use crate::store::{NOBODY, OrgRow, RootRow, StoreError, Tx};

pub(super) async fn check(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    for links in tx.broken_links(org).await? {
        for at in links.at {
            report.add(at, links.what);
        }
    }
    let now = tx.now().await?;
    let state = tx.state(org).await?;
    members(&state, report);
    things(&state, report);
    agents(&state, report);
    views(&state, report);
    grants(&state, now, report);
    roots(&state, &tx.stored_roots(org.id).await?, report);
    let facts = state.facts();
    for (id, view) in &state.views {
        if tx.keys_of_view(org.id, *id, view.seq).await? != *state.readable(&view.audience, &facts).keys() {
            report.add(
                format!("view:{id}"),
                "the keys noted of its build are not those that its readers may read",
            );
        }
    }
    Ok(())
}

fn members(state: &State, report: &mut Report<'_>) {
    let stays = |identity: &Identity| identity.role == Role::Owner && identity.not_after.is_none();
    if !state.identities.values().any(stays) {
        report.add("org", "there is no owner without an end");
    }
    for (group, identity) in &state.members {
        if !state.groups.contains(group) || !state.identities.contains_key(identity) {
            report.add(format!("member:{group}:{identity}"), "of a group or identity that is not there");
        }
    }
    for (id, credential) in &state.credentials {
        if !state.identities.contains_key(&credential.identity) {
            report.add(format!("credential:{id}"), "of an identity that is not there");
        }
    }
    for id in state.escrows.keys().filter(|id| !state.identities.contains_key(id)) {
        report.add(format!("escrow:{id}"), "of an identity that is not there");
    }
    for id in state.identities.keys().filter(|id| !state.escrows.contains_key(id)) {
        report.add(
            format!("identity:{id}"),
            "its key is in no escrow: owners cannot take it along into a new epoch",
        );
    }
}

fn things(state: &State, report: &mut Report<'_>) {
    for (id, key) in &state.keys {
        if key.old.len() > OLD_VERSIONS {
            report.add(format!("key:{id}"), format!("more than {OLD_VERSIONS} old versions are kept"));
        }
        if key.old.keys().any(|old| *old > key.version) {
            report.add(format!("key:{id}"), "a version is newer than the current one");
        }
    }
    for (id, mapping) in &state.mappings {
        if !state.deployments.contains(&mapping.deployment) || !state.keys.contains_key(&mapping.key) {
            report.add(format!("mapping:{id}"), "of a deployment or key that is not there");
        }
    }
    for (group, deployment) in state.assignments.keys() {
        if !state.groups.contains(group) || !state.deployments.contains(deployment) {
            report.add(
                format!("assignment:{group}:{deployment}"),
                "of a group or deployment that is not there",
            );
        }
    }
    for (group, deployment, key) in &state.exclusions {
        if !state.assignments.contains_key(&(*group, *deployment)) || !state.keys.contains_key(key) {
            report.add(
                format!("exclusion:{group}:{deployment}:{key}"),
                "of an assignment or key that is not there",
            );
        }
    }
}

fn agents(state: &State, report: &mut Report<'_>) {
    for (id, agent) in &state.agents {
        if state.identities.get(&agent.gateway).is_none_or(|gateway| gateway.kind != IdentityKind::Gateway) {
            report.add(format!("agent:{id}"), "of a gateway that is not there");
        }
    }
    for (group, agent) in &state.agent_members {
        if !state.groups.contains(group) || !state.agents.contains_key(agent) {
            report.add(format!("agent_member:{group}:{agent}"), "of a group or agent that is not there");
        }
    }
    for (agent, key) in &state.agent_keys {
        if !state.agents.contains_key(agent) || !state.keys.contains_key(key) {
            report.add(format!("agent_key:{agent}:{key}"), "of an agent or key that is not there");
        }
    }
}

fn views(state: &State, report: &mut Report<'_>) {
    let audiences = state.audiences(&state.readers());
    let read: BTreeSet<&Audience> = audiences.values().collect();
    let mut seen = BTreeSet::new();
    for (id, view) in &state.views {
        let at = || format!("view:{id}");
        if matches!(&view.audience, Audience::Groups(groups) if !groups.is_subset(&state.groups)) {
            report.add(at(), "for a group that is not there");
        }
        if view.seq > state.seq {
            report.add(at(), "newer than its organisation's state");
        }
        if !read.contains(&view.audience) {
            report.add(at(), "for a set of groups that nobody has, or for a gateway that is not there");
        }
        if !seen.insert(&view.audience) {
            report.add(at(), "a second view for the same groups or gateway");
        }
    }
    if state.views.len() > VIEWS {
        report.add("org", format!("more than {VIEWS} views"));
    }
}

/// S2: each active identity that reads by the access rule has exactly one GRANT, for the view of exactly its groups, made with
/// that view's build or after it. Owners and admins have none. An identity that has ended keeps its GRANT until the next write.
fn grants(state: &State, now: i64, report: &mut Report<'_>) {
    let readers = state.readers();
    let audiences = state.audiences(&readers);
    let active = |id: &IdentityId| state.identities.get(id).is_some_and(|identity| identity.is_active(now));
    for (id, audience) in audiences.iter().filter(|(id, _)| active(id)) {
        match state.grants.get(id) {
            None => report.add(format!("identity:{id}"), "it is active and has no grant"),
            Some(grant) => one_grant(state, id, audience, *grant, report),
        }
    }
    for id in state.grants.keys().filter(|id| !readers.contains_key(id)) {
        report.add(format!("grant:{id}"), "of somebody who does not read by the rule");
    }
}

fn one_grant(state: &State, id: &IdentityId, audience: &Audience, grant: Grant, report: &mut Report<'_>) {
    let at = || format!("grant:{id}");
    match state.views.get(&grant.view) {
        None => report.add(at(), "to a view that is not there"),
        Some(view) if view.audience != *audience => {
            report.add(at(), "to a view of other groups than the identity's");
        }
        Some(view) if grant.seq < view.seq => report.add(at(), "older than the view that it opens"),
        Some(_) => {}
    }
    if grant.seq > state.seq {
        report.add(at(), "newer than its organisation's state");
    }
}

/// Each owner has ROOT, each owner and admin ORGKEY_ADMIN of this epoch, the organisation ORGKEY_ROOT of this epoch, and nobody
/// else has a root envelope.
fn roots(state: &State, roots: &[RootRow], report: &mut Report<'_>) {
    let key = |root: &RootRow| (root.kind.as_str(), root.holder);
    let stored: BTreeMap<_, u64> = roots.iter().map(|root| (key(root), root.generation)).collect();
    let mut wanted = BTreeMap::from([((RootKind::OrgkeyRoot.as_str(), NOBODY), Some(state.epoch))]);
    for (id, identity) in &state.identities {
        if identity.role == Role::Owner {
            wanted.insert((RootKind::Root.as_str(), *id), None);
        }
        if identity.role.administers() {
            wanted.insert((RootKind::OrgkeyAdmin.as_str(), *id), Some(state.epoch));
        }
    }
    for ((kind, holder), generation) in &wanted {
        match stored.get(&(*kind, *holder)) {
            None => report.add(format!("{kind}:{holder}"), "it is not there"),
            Some(stored) if generation.is_some_and(|generation| generation != *stored) => {
                report.add(format!("{kind}:{holder}"), "of another epoch");
            }
            Some(_) => {}
        }
    }
    for (kind, holder) in stored.keys().filter(|root| !wanted.contains_key(root)) {
        report.add(format!("{kind}:{holder}"), "for somebody who may not have it");
    }
}
