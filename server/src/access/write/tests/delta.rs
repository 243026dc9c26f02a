use keyward_wire::api::write::{Delta, NewKeys};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{GroupId, IdentityId};

use super::honest::{empty, honest, reads};
use super::world::*;

/// The write of one step, without what it would need besides.
fn only(step: Delta) -> keyward_wire::api::write::WriteRequest {
    let mut request = empty(&world());
    request.delta = vec![step];
    request
}

#[test]
fn nothing_is_added_twice() {
    let (group, deployment, key) = (group(1), deployment(1), key(3));
    for step in [
        Delta::AddKey { id: key },
        Delta::AddGroup { id: group },
        Delta::AddDeployment { id: deployment },
        Delta::AddMapping { id: mapping(1), deployment, key },
        Delta::AddMember { group, identity: CI },
        Delta::AddAssignment { group, deployment, new_keys: NewKeys::Allow },
        Delta::AddExclusion { group, deployment, key },
        api(CI, None),
    ] {
        assert_eq!(refused(&world(), &only(step)), "delta[0]: it is already there");
    }
}

/// Their views would be stored in one place.
#[test]
fn no_group_has_the_id_of_an_identity_whichever_comes_first() {
    let of = |bytes: &[u8; 16]| (GroupId::from_bytes(*bytes), IdentityId::from_bytes(*bytes));
    let (group_of_ci, _) = of(CI.as_bytes());
    assert_eq!(
        refused(&world(), &only(Delta::AddGroup { id: group_of_ci })),
        "delta[0]: it is already there"
    );
    let (_, identity_of_group) = of(group(1).as_bytes());
    assert_eq!(refused(&world(), &only(api(identity_of_group, None))), "delta[0]: it is already there");
    let (new_group, new_identity) = of(&[0xee; 16]);
    for (first, second) in [
        (Delta::AddGroup { id: new_group }, api(new_identity, None)),
        (api(new_identity, None), Delta::AddGroup { id: new_group }),
    ] {
        let mut request = empty(&world());
        request.delta = vec![first, second];
        assert_eq!(refused(&world(), &request), "delta[1]: it is already there");
    }
    let mut request = empty(&world());
    request.delta = vec![Delta::RemoveGroup { id: group(1) }, api(identity_of_group, None)];
    assert_eq!(refused(&world(), &request), "delta[1]: it is already there", "nor that of one that goes");
}

#[test]
fn nothing_refers_to_what_is_not_in_this_organisation() {
    let (g, d, k) = (group(1), deployment(1), key(1));
    let (no_group, no_deployment, no_key, nobody) = (group(9), deployment(9), key(9), identity(99));
    for step in [
        Delta::ChangeKey { id: no_key },
        Delta::RemoveKey { id: no_key },
        Delta::ChangeDeployment { id: no_deployment },
        Delta::RemoveDeployment { id: no_deployment },
        Delta::AddMapping { id: mapping(9), deployment: no_deployment, key: k },
        Delta::AddMapping { id: mapping(9), deployment: d, key: no_key },
        Delta::ChangeMapping { id: mapping(9) },
        Delta::RemoveMapping { id: mapping(9) },
        Delta::ChangeGroup { id: no_group },
        Delta::RemoveGroup { id: no_group },
        Delta::AddMember { group: no_group, identity: CI },
        Delta::AddMember { group: g, identity: nobody },
        Delta::RemoveMember { group: g, identity: IDLE },
        Delta::AddAssignment { group: no_group, deployment: d, new_keys: NewKeys::Allow },
        Delta::AddAssignment { group: g, deployment: no_deployment, new_keys: NewKeys::Allow },
        Delta::ChangeAssignment { group: g, deployment: deployment(2), new_keys: NewKeys::Allow },
        Delta::RemoveAssignment { group: g, deployment: deployment(2) },
        Delta::AddExclusion { group: g, deployment: deployment(2), key: k },
        Delta::AddExclusion { group: g, deployment: d, key: no_key },
        Delta::RemoveExclusion { group: g, deployment: d, key: k },
        Delta::ChangeIdentity { id: nobody, role: Role::User, not_after: None },
        Delta::RemoveIdentity { id: nobody },
    ] {
        let why = refused(&world(), &only(step.clone()));
        assert_eq!(why, "delta[0]: it, or what it refers to, is not in this organisation", "{step:?}");
    }
}

#[test]
fn an_id_that_is_removed_does_not_come_back_in_the_same_write() {
    let mut request = empty(&world());
    request.delta = vec![Delta::RemoveKey { id: key(1) }, Delta::AddKey { id: key(1) }];
    assert_eq!(refused(&world(), &request), "delta[1]: it is already there");
    request.delta = vec![Delta::RemoveIdentity { id: CI }, api(CI, None)];
    assert_eq!(refused(&world(), &request), "delta[1]: it is already there");
}

#[test]
fn machines_do_not_administer_and_have_no_address() {
    let email = || Some("x@example.com".parse().unwrap());
    let add = |kind, role, email| Delta::AddIdentity { id: identity(20), kind, role, not_after: None, email };
    let people = "delta[0]: owners and admins are people";
    let address = "delta[0]: people have an e-mail address, and nobody else has";
    for (step, why) in [
        (add(IdentityKind::Api, Role::Owner, None), people),
        (add(IdentityKind::Api, Role::Admin, None), people),
        (Delta::ChangeIdentity { id: CI, role: Role::Admin, not_after: None }, people),
        (add(IdentityKind::Api, Role::User, email()), address),
        (add(IdentityKind::Human, Role::User, None), address),
        (add(IdentityKind::Gateway, Role::Owner, None), people),
        (add(IdentityKind::Gateway, Role::User, email()), address),
    ] {
        assert_eq!(refused(&world(), &only(step.clone())), why, "{step:?}");
    }
}

#[test]
fn what_refers_to_something_removed_goes_with_it() {
    let world = world();
    let after = |delta| applied(&world, &honest(&world, delta, &[]), NOW + 2);

    let state = after(vec![Delta::RemoveKey { id: key(3) }]);
    assert!(state.mappings.values().all(|mapping| mapping.key != key(3)) && state.exclusions.is_empty());
    let state = after(vec![Delta::RemoveDeployment { id: deployment(1) }]);
    assert_eq!((state.mappings.len(), state.assignments.len(), state.exclusions.len()), (2, 1, 0));
    let state = after(vec![Delta::RemoveGroup { id: group(2) }]);
    assert_eq!((state.members.len(), state.assignments.len(), state.views.len()), (2, 1, 2));
    let state = after(vec![Delta::RemoveIdentity { id: BOTH }]);
    assert!(state.members.iter().all(|(_, member)| *member != BOTH));
    assert!(!state.grants.contains_key(&BOTH) && !state.escrows.contains_key(&BOTH));
    assert!(state.credentials.values().all(|credential| credential.identity != BOTH));
}

#[test]
fn a_client_may_say_what_would_go_anyway() {
    let world = world();
    let delta = vec![
        Delta::RemoveDeployment { id: deployment(1) },
        Delta::RemoveExclusion { group: group(1), deployment: deployment(1), key: key(3) },
        Delta::RemoveAssignment { group: group(1), deployment: deployment(1) },
        Delta::RemoveMapping { id: mapping(1) },
    ];
    assert_eq!(applied(&world, &honest(&world, delta, &[]), NOW + 2).assignments.len(), 1);
}

#[test]
fn unmapped_and_mapped_again_a_key_is_still_excluded() {
    let world = world();
    let state = applied(&world, &honest(&world, vec![Delta::RemoveMapping { id: mapping(3) }], &[]), NOW + 2);
    let map = Delta::AddMapping { id: mapping(9), deployment: deployment(1), key: key(3) };
    let state = applied(&state, &honest(&state, vec![map], &[]), NOW + 3);
    assert!(!reads(&state, CI).contains(&key(3)));
}

#[test]
fn a_new_key_of_a_deployment_is_excluded_for_groups_that_take_no_new_keys() {
    let world = world();
    let map = |n, k| Delta::AddMapping { id: mapping(n), deployment: deployment(2), key: key(k) };
    let exclude = Delta::AddExclusion { group: group(2), deployment: deployment(2), key: key(5) };
    let why = "delta[0]: a group that takes no new keys excludes this one in the same write";
    assert_eq!(refused(&world, &only(map(9, 5))), why);

    let closed = applied(&world, &honest(&world, vec![map(9, 5), exclude], &[]), NOW + 2);
    assert!(!reads(&closed, BOTH).contains(&key(5)));
    // A second variable of a key that was mapped there already opens nothing new.
    applied(&world, &honest(&world, vec![map(9, 4)], &[]), NOW + 2);
    // Whoever says "allow" in the same write has made the choice.
    let allow =
        Delta::ChangeAssignment { group: group(2), deployment: deployment(2), new_keys: NewKeys::Allow };
    applied(&world, &honest(&world, vec![allow, map(9, 5)], &[]), NOW + 2);
}
