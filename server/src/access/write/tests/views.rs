use keyward_wire::access::Audience;
use keyward_wire::api::Role;
use keyward_wire::api::write::{Delta, NewGrant, NewKeys, NewView, WriteRequest};
use keyward_wire::{GroupId, Purpose, ViewId};

use super::honest::{empty, honest, reads};
use super::world::*;
use crate::access::State;

const STALE: &str = "views: a view whose contents change is rebuilt in the same write";
const UNGRANTED: &str = "grants: somebody's view changed, or is new, without a new grant";
const OPEN: &str = "secrets: a key that somebody can no longer read is resealed in the same write";

fn view_of(state: &State, list: &[u8]) -> ViewId {
    *state.views.iter().find(|(_, view)| view.audience == Audience::Groups(groups(list))).expect("a view").0
}

fn exclude(g: u8, d: u8, k: u8) -> Delta {
    Delta::AddExclusion { group: group(g), deployment: deployment(d), key: key(k) }
}

/// Excludes key 1 for group 1: views {1} and {1, 2} change, CI and BOTH lose it.
fn excluding() -> (State, WriteRequest) {
    let world = world();
    let request = honest(&world, vec![exclude(1, 1, 1)], &[]);
    assert_eq!((request.secrets.len(), request.views.len(), request.grants.len()), (1, 2, 2));
    (world, request)
}

#[test]
fn an_exclusion_without_reseal_is_refused() {
    let (world, mut request) = excluding();
    request.secrets.clear();
    assert_eq!(refused(&world, &request), OPEN);
}

#[test]
fn an_exclusion_with_any_view_left_as_it_was_is_refused() {
    let (world, request) = excluding();
    for n in 0..request.views.len() {
        let mut partial = request.clone();
        let view = partial.views.remove(n);
        partial.grants.retain(|grant| grant.view != view.id);
        assert_eq!(refused(&world, &partial), STALE);
    }
}

#[test]
fn an_exclusion_with_any_grant_missing_is_refused() {
    let (world, request) = excluding();
    for n in 0..request.grants.len() {
        let mut partial = request.clone();
        partial.grants.remove(n);
        assert_eq!(refused(&world, &partial), UNGRANTED);
    }
}

#[test]
fn a_new_version_makes_every_view_that_lists_the_key_anew() {
    let world = world();
    let request = honest(&world, Vec::new(), &[key(3)]);
    // Key 3 is excluded for group 1, and so for BOTH as well: only {2} lists it.
    assert_eq!(request.views.iter().map(|view| view.id).collect::<Vec<_>>(), [view_of(&world, &[2])]);
    let mut without = request.clone();
    without.views.clear();
    without.grants.clear();
    assert_eq!(refused(&world, &without), STALE);
}

#[test]
fn whoever_loses_a_key_by_any_way_has_it_resealed() {
    let world = world();
    for step in [
        exclude(1, 1, 2),
        Delta::RemoveMapping { id: mapping(2) },
        Delta::RemoveMember { group: group(1), identity: CI },
        Delta::RemoveAssignment { group: group(1), deployment: deployment(1) },
        Delta::RemoveGroup { id: group(1) },
        Delta::RemoveDeployment { id: deployment(1) },
        // Joining a group that excludes what he reads: key 3 goes.
        Delta::AddMember { group: group(1), identity: USER },
    ] {
        let request = honest(&world, vec![step.clone()], &[]);
        assert!(!request.secrets.is_empty(), "{step:?}");
        applied(&world, &request, NOW + 2);
        for n in 0..request.secrets.len() {
            let mut without = request.clone();
            without.secrets.remove(n);
            let why = refused(&world, &without);
            assert!(why == OPEN || why == STALE, "{step:?}: {why}");
        }
    }
}

#[test]
fn a_key_that_is_removed_altogether_needs_no_reseal() {
    let world = world();
    let request = honest(&world, vec![Delta::RemoveKey { id: key(1) }], &[]);
    assert!(request.secrets.is_empty());
    applied(&world, &request, NOW + 2);
}

#[test]
fn somebody_who_leaves_or_ends_needs_no_reseal() {
    let world = world();
    for step in [
        Delta::RemoveIdentity { id: CI },
        Delta::ChangeIdentity { id: CI, role: Role::User, not_after: Some(NOW) },
    ] {
        let request = honest(&world, vec![step], &[]);
        assert!(request.secrets.is_empty());
        assert!(!applied(&world, &request, NOW + 2).grants.contains_key(&CI));
    }
}

#[test]
fn somebody_who_ends_while_losing_a_key_needs_no_reseal() {
    let world = world();
    let end = Delta::ChangeIdentity { id: CI, role: Role::User, not_after: Some(NOW) };
    let leave = Delta::RemoveMember { group: group(1), identity: CI };
    let mut request = honest(&world, vec![end, leave], &[]);
    request.secrets.clear();
    applied(&world, &request, NOW + 2);
}

#[test]
fn a_demoted_admin_has_every_key_resealed_that_he_no_longer_reads() {
    let world = world();
    let demote = Delta::ChangeIdentity { id: ADMIN, role: Role::User, not_after: None };
    let join = Delta::AddMember { group: group(1), identity: ADMIN };
    let request = honest(&world, vec![demote, join], &[]);
    let resealed: Vec<_> = request.secrets.iter().map(|secret| secret.key).collect();
    assert_eq!(resealed, [key(3), key(4), key(5)]);
    applied(&world, &request, NOW + 2);
    // Key 5 is in no view: only the reseal itself is missed.
    let mut without = request;
    without.secrets.pop();
    assert_eq!(refused(&world, &without), OPEN);
}

#[test]
fn nobody_gets_a_view_of_other_groups_than_his_own() {
    let world = world();
    for (who, list) in [(CI, &[1, 2][..]), (CI, &[]), (BOTH, &[1]), (IDLE, &[2])] {
        let mut request = empty(&world);
        let env = envelope(Purpose::Grant);
        request.grants =
            vec![NewGrant { identity: who, view: view_of(&world, list), seq: world.seq + 1, env }];
        assert_eq!(
            refused(&world, &request),
            "grants[0].view: not the view of exactly this identity's groups, or its own"
        );
    }
}

#[test]
fn owners_admins_and_strangers_have_no_grant() {
    let world = world();
    for who in [OWNER, ADMIN, identity(99)] {
        let mut request = empty(&world);
        let env = envelope(Purpose::Grant);
        request.grants =
            vec![NewGrant { identity: who, view: view_of(&world, &[]), seq: world.seq + 1, env }];
        assert_eq!(refused(&world, &request), "grants[0].identity: not somebody who reads by the rule");
    }
}

#[test]
fn views_and_grants_are_of_the_seq_of_their_write() {
    let (world, request) = excluding();
    for seq in [0, world.seq, world.seq + 2] {
        let (mut view, mut grant) = (request.clone(), request.clone());
        view.views[1].seq = seq;
        grant.grants[1].seq = seq;
        assert_eq!(refused(&world, &view), "views[1].seq: not the seq of this write");
        assert_eq!(refused(&world, &grant), "grants[1].seq: not the seq of this write");
    }
}

#[test]
fn a_write_from_another_base_is_a_conflict() {
    let world = world();
    for seq in [0, world.seq - 1, world.seq + 1, u64::MAX] {
        let mut request = empty(&world);
        request.base.seq = seq;
        assert_eq!(refused(&world, &request), "Conflict");
    }
}

#[test]
fn envelopes_stand_only_in_the_place_of_their_purpose() {
    let (world, request) = excluding();
    let mut org = request.clone();
    org.org = envelope(Purpose::View);
    assert_eq!(refused(&world, &org), "org: an envelope of another purpose");
    let mut view = request.clone();
    view.views[0].env = envelope(Purpose::Org);
    assert_eq!(refused(&world, &view), "views[0].env: an envelope of another purpose");
    let mut grant = request;
    grant.grants[1].env = envelope(Purpose::Cred);
    assert_eq!(refused(&world, &grant), "grants[1].env: an envelope of another purpose");
}

fn building(world: &State, id: ViewId, groups: Vec<GroupId>) -> WriteRequest {
    let mut request = empty(world);
    request.views =
        vec![NewView { id, groups, gateway: None, seq: world.seq + 1, env: envelope(Purpose::View) }];
    request
}

#[test]
fn a_view_lists_known_groups_sorted_and_once() {
    let world = world();
    let id = view_of(&world, &[1, 2]);
    for list in [vec![group(2), group(1)], vec![group(1), group(1)]] {
        let why = "views[0].groups: groups are sorted, each stands there once";
        assert_eq!(refused(&world, &building(&world, id, list)), why);
    }
    let why = "views[0].groups: a group that is not in this organisation";
    assert_eq!(refused(&world, &building(&world, id, vec![group(1), group(9)])), why);
}

#[test]
fn no_view_and_no_grant_stands_twice_in_a_write() {
    let (world, request) = excluding();
    let (mut views, mut grants) = (request.clone(), request);
    views.views.push(views.views[0].clone());
    grants.grants.push(grants.grants[0].clone());
    assert_eq!(refused(&world, &views), "views[2]: twice in one write");
    assert_eq!(refused(&world, &grants), "grants[2]: twice in one write");
}

#[test]
fn a_view_keeps_its_groups() {
    let world = world();
    let request = building(&world, view_of(&world, &[1]), vec![group(1), group(2)]);
    assert_eq!(
        refused(&world, &request),
        "views[0].groups: a view is of the same groups, or gateway, for ever"
    );
}

#[test]
fn a_set_of_groups_has_one_view() {
    let world = world();
    let request = building(&world, ViewId::from_bytes([9; 16]), vec![group(1)]);
    assert_eq!(refused(&world, &request), "views: two views of the same groups or gateway");
}

#[test]
fn a_view_that_nobody_uses_is_dropped() {
    let world = world();
    let request = building(&world, ViewId::from_bytes([9; 16]), vec![]);
    assert_eq!(refused(&world, &request), "views: two views of the same groups or gateway");
    let mut request = honest(&world, vec![Delta::RemoveIdentity { id: CI }], &[]);
    assert_eq!(request.drop_views, [view_of(&world, &[1])]);
    request.drop_views.clear();
    assert_eq!(refused(&world, &request), "drop_views: a view that nobody uses any more is dropped");
}

#[test]
fn a_view_in_use_is_not_dropped() {
    let world = world();
    let mut request = empty(&world);
    request.drop_views = vec![view_of(&world, &[1])];
    assert_eq!(refused(&world, &request), UNGRANTED);
    request.drop_views = vec![ViewId::from_bytes([9; 16])];
    assert_eq!(refused(&world, &request), "drop_views[0]: no such view, or one that this write builds");
    let mut request = building(&world, view_of(&world, &[]), vec![]);
    request.drop_views = vec![view_of(&world, &[])];
    assert_eq!(refused(&world, &request), "drop_views[0]: no such view, or one that this write builds");
}

#[test]
fn more_than_64_views_are_refused() {
    let mut state = people();
    let many = |from: u8, to: u8| {
        let one = |n: u8| {
            [
                Delta::AddGroup { id: group(n) },
                api(identity(n), None),
                Delta::AddMember { group: group(n), identity: identity(n) },
            ]
        };
        (from..to).flat_map(one).collect::<Vec<_>>()
    };
    state = applied(&state, &honest(&state, many(100, 164), &[]), NOW);
    assert_eq!(state.views.len(), 64);
    let request = honest(&state, many(164, 165), &[]);
    assert_eq!(
        refused(&state, &request),
        "views: more than 64 combinations of groups, and gateways, are in use"
    );
}

#[test]
fn an_expiry_never_makes_an_honest_write_fail() {
    let world = world();
    // A client that takes ENDED for alive rebuilds its view and grants it: taken, and the grant not stored.
    let request = honest(&world, Vec::new(), &[key(4)]);
    assert!(request.grants.iter().any(|grant| grant.identity == ENDED));
    let change = accepted(&by(OWNER), &world, &request, NOW + 2);
    assert!(!change.after().grants.contains_key(&ENDED));
    assert!(change.grants(&request).all(|grant| grant.identity != ENDED));
    assert!(change.grants(&request).any(|grant| grant.identity == USER));
    // One that knows it has ended may leave it out.
    let mut knowing = request;
    knowing.grants.retain(|grant| grant.identity != ENDED);
    accepted(&by(OWNER), &world, &knowing, NOW + 2);
}

#[test]
fn a_grant_that_ran_out_goes_with_the_next_write() {
    let world = world();
    let end = Delta::ChangeIdentity { id: CI, role: Role::User, not_after: Some(NOW + 10) };
    let state = applied(&world, &honest(&world, vec![end], &[]), NOW + 2);
    assert!(state.grants.contains_key(&CI));
    let change = accepted(&by(OWNER), &state, &empty(&state), NOW + 10);
    assert_eq!(change.diff().grants.removed, [CI]);
}

#[test]
fn somebody_who_comes_back_needs_a_grant() {
    let world = world();
    let back = Delta::ChangeIdentity { id: ENDED, role: Role::User, not_after: None };
    let mut request = honest(&world, vec![back], &[]);
    assert!(applied(&world, &request, NOW + 2).grants.contains_key(&ENDED));
    request.grants.clear();
    assert_eq!(refused(&world, &request), UNGRANTED);
}

#[test]
fn a_heartbeat_may_grant_without_building() {
    let world = world();
    let mut request = empty(&world);
    let env = envelope(Purpose::Grant);
    request.grants = vec![NewGrant { identity: CI, view: view_of(&world, &[1]), seq: world.seq + 1, env }];
    assert_eq!(accepted(&by(OWNER), &world, &request, NOW + 2).diff().grants.changed, [CI]);
}

const TOO_LARGE: &str =
    "secrets: a bundle would be larger than 16 MiB; spread the keys over more deployments and groups";
const MIB: usize = 1024 * 1024;

#[test]
fn a_bundle_of_all_ones_deployments_larger_than_an_answer_is_refused() {
    let mut world = world();
    let include = Delta::RemoveExclusion { group: group(1), deployment: deployment(1), key: key(3) };
    let request = honest(&world, vec![include], &[]);
    // BOTH reads keys 1, 2 and 3 of deployment 1, and 4 of deployment 2.
    for (n, bytes) in [(1, 3), (2, 4), (4, 4)] {
        world.keys.get_mut(&key(n)).unwrap().bytes = bytes * MIB;
    }
    applied(&world, &request, NOW + 2);
    world.keys.get_mut(&key(1)).unwrap().bytes = 5 * MIB;
    assert_eq!(refused(&world, &request), TOO_LARGE);
}

#[test]
fn an_owners_bundle_of_one_deployment_larger_than_an_answer_is_refused() {
    let mut world = world();
    let request = empty(&world);
    // Nobody else reads key 3 together with the others.
    for (n, bytes) in [(1, 3), (2, 4), (3, 4)] {
        world.keys.get_mut(&key(n)).unwrap().bytes = bytes * MIB;
    }
    applied(&world, &request, NOW + 2);
    world.keys.get_mut(&key(1)).unwrap().bytes = 5 * MIB;
    assert_eq!(refused(&world, &request), TOO_LARGE);
}

#[test]
fn the_audit_log_says_what_changed_and_not_what_the_client_calls_it() {
    let world = world();
    let request = honest(&world, vec![exclude(1, 1, 1), exclude(1, 1, 2)], &[]);
    let events = accepted(&by(OWNER), &world, &request, NOW + 2).events().to_vec();
    let said: Vec<_> = events.iter().map(|event| (event.action, event.objects.join(" "))).collect();
    let (g, d, k1, k2) = (group(1), deployment(1), key(1), key(2));
    assert_eq!(
        said,
        [
            ("exclusion.added", format!("group:{g} deployment:{d} key:{k1} key:{k2}")),
            ("key.resealed", format!("key:{k1} key:{k2}")),
        ]
    );
    let nothing = accepted(&by(OWNER), &world, &empty(&world), NOW + 2).events().to_vec();
    assert_eq!((nothing.len(), nothing[0].action, nothing[0].objects.len()), (1, "org.changed", 0));
}

#[test]
fn an_assignment_and_its_exclusions_are_one_write() {
    let world = world();
    let assign =
        Delta::AddAssignment { group: group(2), deployment: deployment(1), new_keys: NewKeys::Allow };
    let request = honest(&world, vec![assign, exclude(2, 1, 1), exclude(2, 1, 2)], &[]);
    let state = applied(&world, &request, NOW + 2);
    assert_eq!(reads(&state, USER), [key(3), key(4)].into());
}
