use super::*;
use crate::change::Draft;
use crate::fixture::{Sample, Tables, name, variable};

const NOWHERE: KeyId = KeyId::from_bytes([9; 16]);
const NO_DEPLOYMENT: DeploymentId = DeploymentId::from_bytes([9; 16]);
const NO_GROUP: GroupId = GroupId::from_bytes([9; 16]);
const NOBODY: IdentityId = IdentityId::from_bytes([9; 16]);

fn sample() -> (Sample, Draft) {
    let sample = Sample::new();
    let draft = sample.organisation.draft();
    (sample, draft)
}

#[test]
fn a_name_is_free_in_every_kind_but_its_own() {
    let (sample, mut draft) = sample();
    let org = &mut draft.org;
    let taken = |kind, text| Err(EditError::NameTaken { kind, name: name(text) });
    assert_eq!(org.add_deployment(name("production")).map(drop), taken("a deployment", "production"));
    assert_eq!(org.add_group(name("web")).map(drop), taken("a group", "web"));
    assert_eq!(org.rename_key(sample.alpha, name("beta")), taken("a key", "beta"));
    assert_eq!(org.rename_deployment(sample.backup, name("production")), taken("a deployment", "production"));
    org.add_deployment(name("web")).unwrap();
    org.add_group(name("alpha")).unwrap();
    org.rename_key(sample.alpha, name("production")).unwrap();
}

#[test]
fn a_thing_may_be_renamed_to_its_own_name() {
    let (sample, mut draft) = sample();
    draft.org.rename_key(sample.alpha, name("alpha")).unwrap();
    draft.org.rename_deployment(sample.production, name("production")).unwrap();
}

#[test]
fn what_is_not_there_can_not_be_changed() {
    let (sample, mut draft) = sample();
    let (org, a, d, g, i) = (&mut draft.org, sample.alpha, sample.backup, sample.ops, sample.idler.id);
    let allow = NewKeys::Allow;
    let refused = [
        org.rename_key(NOWHERE, name("x")),
        org.remove_key(NOWHERE),
        org.rename_deployment(NO_DEPLOYMENT, name("x")),
        org.remove_deployment(NO_DEPLOYMENT),
        org.map(NO_DEPLOYMENT, a, variable("X")),
        org.map(d, NOWHERE, variable("X")),
        org.unmap(NO_DEPLOYMENT, a),
        org.unmap(d, a),
        org.remove_group(NO_GROUP),
        org.add_member(NO_GROUP, i),
        org.add_member(g, NOBODY),
        org.remove_member(g, NOBODY),
        org.remove_member(g, i),
        org.assign(NO_GROUP, d, BTreeSet::new(), allow),
        org.assign(g, NO_DEPLOYMENT, BTreeSet::new(), allow),
        org.assign(g, d, [NOWHERE].into(), allow),
        org.unassign(sample.web, d),
        org.exclude(sample.web, d, &[a].into()),
        org.exclude(g, d, &[a, NOWHERE].into()),
        org.include(sample.web, d, &[a].into()),
    ];
    for (nth, result) in refused.into_iter().enumerate() {
        assert_eq!(result, Err(EditError::NotThere), "the edit {nth}");
    }
    assert_eq!(Tables::of(&draft.org), sample.organisation.server.tables, "and nothing changed");
}

#[test]
fn one_variable_of_a_deployment_is_one_key() {
    let (sample, mut draft) = sample();
    let org = &mut draft.org;
    let taken = Err(EditError::VariableTaken(variable("BETA")));
    assert_eq!(org.map(sample.production, sample.alpha, variable("BETA")), taken);
    org.map(sample.production, sample.beta, variable("BETA")).unwrap();
    assert_eq!(org.deployments[0].mappings.len(), 3, "mapped as it was before");
    org.map(sample.production, sample.beta, variable("BETA_TOO")).unwrap();
    org.map(sample.backup, sample.alpha, variable("BETA")).unwrap();
    org.unmap(sample.production, sample.beta).unwrap();
    assert_eq!(org.deployments[0].mappings.len(), 2, "both variables of the key are gone");
}

#[test]
fn an_exclusion_outlives_its_mapping() {
    let (sample, mut draft) = sample();
    let org = &mut draft.org;
    org.unmap(sample.production, sample.secret).unwrap();
    org.map(sample.production, sample.secret, variable("AGAIN")).unwrap();
    assert!(org.assignment(sample.web, sample.production).unwrap().excluded.contains(&sample.secret));
}

#[test]
fn a_group_that_takes_no_new_keys_excludes_what_is_newly_mapped_only() {
    let (sample, mut draft) = sample();
    let org = &mut draft.org;
    org.assign(sample.ops, sample.backup, BTreeSet::new(), NewKeys::Deny).unwrap();
    org.assign(sample.web, sample.production, BTreeSet::new(), NewKeys::Deny).unwrap();
    org.map(sample.backup, sample.beta, variable("ANOTHER_NAME")).unwrap();
    assert_eq!(org.assignment(sample.ops, sample.backup).unwrap().excluded, [].into());
    org.map(sample.backup, sample.alpha, variable("ALPHA")).unwrap();
    assert_eq!(org.assignment(sample.ops, sample.backup).unwrap().excluded, [sample.alpha].into());
    let elsewhere = org.assignment(sample.web, sample.production).unwrap();
    assert_eq!(elsewhere.excluded, [sample.secret].into());
}

#[test]
fn assigning_once_more_adds_exclusions_and_takes_none_away() {
    let (sample, mut draft) = sample();
    let org = &mut draft.org;
    org.assign(sample.web, sample.production, [sample.alpha].into(), NewKeys::Deny).unwrap();
    let assignment = org.assignment(sample.web, sample.production).unwrap();
    assert_eq!(assignment.excluded, [sample.alpha, sample.secret].into());
    assert_eq!(assignment.new_keys, NewKeys::Deny);
    assert_eq!(org.assignments.len(), 2);
}

#[test]
fn including_takes_away_what_it_names_and_nothing_else() {
    let (sample, mut draft) = sample();
    let org = &mut draft.org;
    let (web, production) = (sample.web, sample.production);
    org.exclude(web, production, &[sample.alpha].into()).unwrap();
    org.include(web, production, &[sample.secret, sample.beta].into()).unwrap();
    assert_eq!(org.assignment(web, production).unwrap().excluded, [sample.alpha].into());
}

#[test]
fn whatever_is_removed_leaves_nothing_that_refers_to_it() {
    let (sample, mut draft) = sample();
    draft.org.remove_key(sample.secret).unwrap();
    Tables::of(&draft.org);
    draft.org.remove_deployment(sample.production).unwrap();
    Tables::of(&draft.org);
    draft.org.remove_group(sample.ops).unwrap();
    Tables::of(&draft.org);
    assert_eq!((draft.org.assignments.len(), draft.org.keys.len()), (0, 2));
    assert!(draft.org.readers().all(|reader| !reader.groups.contains(&sample.ops)));
}

#[test]
fn a_key_of_the_same_name_is_another_key() {
    let (sample, mut draft) = sample();
    draft.org.remove_key(sample.secret).unwrap();
    let again = draft.add_key(name("secret"), &crate::fixture::value("x")).unwrap();
    assert_ne!(again, sample.secret);
    assert!(draft.org.assignments.iter().all(|assignment| assignment.excluded.is_empty()));
}
