use keyward_wire::api::write::{Delta, NewKeys};

use super::delta;
use crate::change::Draft;
use crate::fixture::{Sample, Tables, enrol, name, remove, value, variable};

#[test]
fn nothing_changed_is_no_delta() {
    let sample = Sample::new();
    assert_eq!(delta(&sample.organisation.org(), &sample.organisation.org()), []);
    assert_eq!(made_by(|_, _| ()), []);
}

#[test]
fn words_that_are_sealed_change_by_id_only() {
    let sample = Sample::new();
    let (alpha, production, web) = (sample.alpha, sample.production, sample.web);
    let mapping = sample.organisation.org().deployments[0].mappings[0].id;
    let renamed = of(sample, |_, draft| {
        draft.org.rename_key(alpha, name("a")).unwrap();
        draft.org.rename_deployment(production, name("p")).unwrap();
        draft.org.groups[0].name = name("w");
        draft.org.deployments[0].mappings[0].env = variable("A");
        draft.org.org_name = name("o");
        draft.org.identities[1].name = name("i");
    });
    assert_eq!(
        renamed,
        [
            Delta::ChangeGroup { id: web },
            Delta::ChangeDeployment { id: production },
            Delta::ChangeKey { id: alpha },
            Delta::ChangeMapping { id: mapping },
        ]
    );
    let labelled = made_by(|sample, draft| {
        let key = draft.org.key_mut(sample.alpha).unwrap();
        (key.alias, key.tags) = (Some("word".to_owned()), vec!["tag".to_owned()]);
        draft.org.key_mut(sample.beta).unwrap().set = Some("aws".to_owned());
        draft.org.key_mut(sample.secret).unwrap().provider = Some("stripe".to_owned());
        draft.org.deployment_mut(sample.backup).unwrap().provider = Some("vercel".to_owned());
    });
    assert_eq!(labelled.len(), 4);
}

#[test]
fn a_new_version_and_a_reseal_are_no_delta() {
    let delta = made_by(|sample, draft| {
        draft.add_version(sample.alpha, &value("new")).unwrap();
        let stored = sample.organisation.server.current(sample.beta).env.clone();
        draft.reseal(sample.beta, &stored).unwrap();
    });
    assert_eq!(delta, []);
}

#[test]
fn an_assignment_and_its_exclusions_stand_in_this_order() {
    let sample = Sample::new();
    let (ops, production, beta) = (sample.ops, sample.production, sample.beta);
    let delta = of(sample, |_, draft| {
        draft.org.assign(ops, production, [beta].into(), NewKeys::Deny).unwrap();
        draft.org.assign(ops, production, [].into(), NewKeys::Allow).unwrap();
    });
    assert_eq!(
        delta,
        [
            Delta::AddAssignment { group: ops, deployment: production, new_keys: NewKeys::Allow },
            Delta::AddExclusion { group: ops, deployment: production, key: beta },
        ]
    );
}

#[test]
fn whatever_goes_goes_before_what_it_hangs_on() {
    let delta = made_by(|sample, draft| {
        draft.org.remove_group(sample.web).unwrap();
        draft.org.remove_deployment(sample.production).unwrap();
        draft.org.remove_key(sample.secret).unwrap();
        remove(draft, sample.robot.id);
    });
    // One each: exclusion, members of web and ops, assignment, group, deployment, key, identity; four mappings.
    assert_eq!(delta.len(), 1 + 2 + 1 + 1 + 1 + 1 + 1 + 4);
    let order: Vec<&str> = delta.iter().map(kind).collect();
    let mut runs = order.clone();
    runs.dedup();
    let expected = ["exclusion", "member", "assignment", "mapping", "key", "deployment", "group", "identity"];
    assert_eq!(runs, expected, "{order:?}");
}

#[test]
fn an_identity_comes_before_its_memberships_and_changes_as_a_whole() {
    let mut sample = Sample::new();
    let (web, agent) = (sample.web, sample.agent.id);
    let rk = sample.organisation.root_key();
    sample.organisation.write(|draft| {
        enrol(draft, &rk, "new", Some(web));
        draft.org.identities[1].not_after = Some(7_000_000_000_000);
    });
    let delta = &sample.organisation.last().delta;
    let [Delta::AddIdentity { id, email: None, .. }, Delta::AddMember { identity, .. }, changed] = &delta[..]
    else {
        panic!("{delta:?}");
    };
    assert_eq!(id, identity);
    let Delta::ChangeIdentity { id, not_after: Some(7_000_000_000_000), .. } = changed else {
        panic!("{changed:?}");
    };
    assert_eq!(*id, agent);
}

#[test]
fn the_tables_of_a_sign_up_are_those_of_its_org() {
    let organisation = crate::fixture::Organisation::new();
    assert_eq!(organisation.server.tables, Tables::of(&organisation.org()));
}

fn made_by(change: impl FnOnce(&Sample, &mut Draft)) -> Vec<Delta> {
    of(Sample::new(), change)
}

/// The delta of a change, after the server has taken it and stands where ORG says.
fn of(mut sample: Sample, change: impl FnOnce(&Sample, &mut Draft)) -> Vec<Delta> {
    let mut draft = sample.organisation.draft();
    change(&sample, &mut draft);
    let request = sample.organisation.finish(draft).request;
    sample.organisation.apply(request);
    assert_eq!(sample.organisation.server.tables, Tables::of(&sample.organisation.org()));
    sample.organisation.last().delta.clone()
}

fn kind(delta: &Delta) -> &'static str {
    match delta {
        Delta::RemoveExclusion { .. } => "exclusion",
        Delta::RemoveMember { .. } => "member",
        Delta::RemoveAssignment { .. } => "assignment",
        Delta::RemoveMapping { .. } => "mapping",
        Delta::RemoveKey { .. } => "key",
        Delta::RemoveDeployment { .. } => "deployment",
        Delta::RemoveGroup { .. } => "group",
        Delta::RemoveIdentity { .. } => "identity",
        other => panic!("{other:?} removes nothing"),
    }
}
