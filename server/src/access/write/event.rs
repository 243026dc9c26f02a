//! The audit entries of a write: derived from the difference that the write makes, never from what the client calls it.

use std::collections::BTreeMap;
use std::fmt::Display;

use keyward_wire::api::write::{Delta, WriteRequest};

use super::diff::{Diff, Rows};
use crate::access::State;

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The action, as `key.added`.
    pub action: &'static str,
    /// The objects, as `key:<id>`: first where it happened, then what it happened to.
    pub objects: Vec<String>,
}

/// The entries of a write: at least one. There is one for each action and place, such as all keys excluded for a group from a
/// deployment; they are sorted by action.
pub(super) fn derive(before: &State, after: &State, diff: &Diff, request: &WriteRequest) -> Vec<Event> {
    let mut log = Log::default();
    keys(&mut log, before, after, diff);
    deployments(&mut log, before, after, diff);
    groups(&mut log, diff);
    identities(&mut log, before, after, diff, request);
    agents(&mut log, before, after, diff, request);
    sealed_words(&mut log, request);
    if log.0.is_empty() {
        log.add("org.changed", [], []);
    }
    log.0
        .into_iter()
        .map(|((action, place), what)| Event { action, objects: [place, what].concat() })
        .collect()
}

#[derive(Default)]
struct Log(BTreeMap<(&'static str, Vec<String>), Vec<String>>);

impl Log {
    fn add<const P: usize, const W: usize>(
        &mut self,
        action: &'static str,
        place: [String; P],
        what: [String; W],
    ) {
        self.0.entry((action, Vec::from(place))).or_default().extend(what);
    }

    /// Entries for rows that stand nowhere but in the organisation.
    fn rows<K: Display>(&mut self, kind: &str, rows: &Rows<K>, [added, changed, removed]: [&'static str; 3]) {
        for (action, ids) in [(added, &rows.added), (changed, &rows.changed), (removed, &rows.removed)] {
            for id in ids {
                self.add(action, [], [object(kind, id)]);
            }
        }
    }
}

fn object(kind: &str, id: impl Display) -> String {
    format!("{kind}:{id}")
}

fn keys(log: &mut Log, before: &State, after: &State, diff: &Diff) {
    log.rows("key", &Rows { changed: Vec::new(), ..diff.keys.clone() }, ["key.added", "", "key.removed"]);
    for id in &diff.keys.changed {
        let version = |state: &State| state.keys.get(id).map(|key| key.version);
        let newer = version(before) != version(after);
        log.add(if newer { "key.version_added" } else { "key.resealed" }, [], [object("key", id)]);
    }
    for (id, _) in diff.secrets.removed.iter().filter(|(id, _)| after.keys.contains_key(id)) {
        log.add("key.version_removed", [], [object("key", id)]);
    }
}

fn deployments(log: &mut Log, before: &State, after: &State, diff: &Diff) {
    log.rows("deployment", &diff.deployments, ["deployment.added", "", "deployment.removed"]);
    for (action, state, ids) in
        [("mapping.added", after, &diff.mappings.added), ("mapping.removed", before, &diff.mappings.removed)]
    {
        for mapping in ids.iter().filter_map(|id| state.mappings.get(id)) {
            log.add(action, [object("deployment", mapping.deployment)], [object("key", mapping.key)]);
        }
    }
}

fn groups(log: &mut Log, diff: &Diff) {
    log.rows("group", &diff.groups, ["group.added", "", "group.removed"]);
    for (action, members) in
        [("member.added", &diff.members.added), ("member.removed", &diff.members.removed)]
    {
        for (group, identity) in members {
            log.add(action, [object("group", group)], [object("identity", identity)]);
        }
    }
    for (action, assignments) in [
        ("assignment.added", &diff.assignments.added),
        ("assignment.changed", &diff.assignments.changed),
        ("assignment.removed", &diff.assignments.removed),
    ] {
        for (group, deployment) in assignments {
            log.add(action, [object("group", group)], [object("deployment", deployment)]);
        }
    }
    for (action, exclusions) in
        [("exclusion.added", &diff.exclusions.added), ("exclusion.removed", &diff.exclusions.removed)]
    {
        for (group, deployment, key) in exclusions {
            let place = [object("group", group), object("deployment", deployment)];
            log.add(action, place, [object("key", key)]);
        }
    }
}

fn identities(log: &mut Log, before: &State, after: &State, diff: &Diff, request: &WriteRequest) {
    let actions = ["identity.added", "identity.changed", "identity.removed"];
    log.rows("identity", &diff.identities, actions);
    for (action, state, ids) in [
        ("credential.added", after, &diff.credentials.added),
        ("credential.removed", before, &diff.credentials.removed),
    ] {
        for (id, credential) in ids.iter().filter_map(|id| state.credentials.get_key_value(id)) {
            log.add(action, [object("identity", credential.identity)], [object("credential", id)]);
        }
    }
    for escrow in &request.escrows {
        log.add("escrow.stored", [], [object("identity", escrow.identity)]);
    }
    for root in &request.roots {
        let whose = root.identity.map(|identity| object("identity", identity));
        log.add("root.stored", [], [whose.unwrap_or_else(|| "root".to_owned())]);
    }
    if before.epoch != after.epoch {
        log.add("epoch.started", [], [format!("epoch:{}", after.epoch)]);
    }
}

/// Entries for agents: the place of a change is the gateway that serves the agent.
fn agents(log: &mut Log, before: &State, after: &State, diff: &Diff, request: &WriteRequest) {
    let mut changed = diff.agents.changed.clone();
    // A change of the agent's credential or name, which are sealed: the client's word is taken for it.
    changed.extend(request.delta.iter().filter_map(|change| match change {
        Delta::ChangeAgent { id, .. } if !diff.agents.changed.contains(id) => Some(*id),
        _ => None,
    }));
    for (action, state, ids) in [
        ("agent.added", after, &diff.agents.added),
        ("agent.changed", after, &changed),
        ("agent.removed", before, &diff.agents.removed),
    ] {
        for (id, agent) in ids.iter().filter_map(|id| state.agents.get_key_value(id)) {
            log.add(action, [object("identity", agent.gateway)], [object("agent", id)]);
        }
    }
    for (action, members) in [
        ("agent_member.added", &diff.agent_members.added),
        ("agent_member.removed", &diff.agent_members.removed),
    ] {
        for (group, agent) in members {
            log.add(action, [object("group", group)], [object("agent", agent)]);
        }
    }
    for (action, keys) in
        [("agent_key.granted", &diff.agent_keys.added), ("agent_key.revoked", &diff.agent_keys.removed)]
    {
        for (agent, key) in keys {
            log.add(action, [object("agent", agent)], [object("key", key)]);
        }
    }
}

/// Entries for names and tags. That they changed is the client's word; their text is sealed.
fn sealed_words(log: &mut Log, request: &WriteRequest) {
    for change in &request.delta {
        match change {
            Delta::ChangeKey { id } => log.add("key.changed", [], [object("key", id)]),
            Delta::ChangeDeployment { id } => log.add("deployment.changed", [], [object("deployment", id)]),
            Delta::ChangeMapping { id } => log.add("mapping.changed", [], [object("mapping", id)]),
            Delta::ChangeGroup { id } => log.add("group.changed", [], [object("group", id)]),
            _ => {}
        }
    }
}
