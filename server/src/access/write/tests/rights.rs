use keyward_wire::api::Role;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::{Delta, RootKind};

use super::honest::{empty, honest};
use super::world::*;
use crate::access::{Actor, FRESH_MS, Session};

fn change(id: keyward_wire::IdentityId, role: Role) -> Delta {
    Delta::ChangeIdentity { id, role, not_after: None }
}

#[test]
fn whoever_reads_by_the_rule_writes_nothing() {
    let mut world = world();
    for who in [USER, CI, IDLE] {
        let credential_of = |n| {
            (credential(n), crate::access::state::Credential { identity: who, kind: CredentialKind::Device })
        };
        world.credentials.extend([credential_of(who.as_bytes()[0])]);
        assert_eq!(refused_to(&on_device(who), &world, &empty(&world)), "Forbidden");
    }
}

#[test]
fn the_role_that_counts_is_the_stored_one() {
    let mut world = world();
    world.identities.get_mut(&ADMIN).unwrap().role = Role::Viewer;
    assert_eq!(by(ADMIN).role, Role::Owner);
    assert_eq!(refused_to(&by(ADMIN), &world, &empty(&world)), "Forbidden");
}

#[test]
fn an_actor_who_ended_left_or_lost_the_credential_since_is_refused() {
    let write = |state| refused_to(&by(ADMIN), state, &empty(state));
    let (mut ended, mut left, mut revoked) = (world(), world(), world());
    ended.identities.get_mut(&ADMIN).unwrap().not_after = Some(NOW);
    left.identities.remove(&ADMIN);
    revoked.credentials.remove(&credential(2));
    assert_eq!([write(&ended), write(&left), write(&revoked)], ["Forbidden", "Forbidden", "Forbidden"]);
    let foreign = Actor { org: keyward_wire::OrgId::from_bytes([1; 16]), ..by(ADMIN) };
    assert_eq!(refused_to(&foreign, &world(), &empty(&world())), "Forbidden");
    accepted(&by(ADMIN), &world(), &empty(&world()), NOW + 2);
}

#[test]
fn a_token_administers_nothing() {
    let world = world();
    let actor = Actor { credential_kind: CredentialKind::Token, ..by(OWNER) };
    assert_eq!(refused_to(&actor, &world, &empty(&world)), "Forbidden");
}

#[test]
fn owners_and_admins_are_made_and_unmade_by_owners_only() {
    let world = world();
    let email = Some("x@example.com".parse().unwrap());
    let kind = keyward_wire::api::IdentityKind::Human;
    let add = Delta::AddIdentity { id: identity(20), kind, role: Role::Admin, not_after: None, email };
    for step in [
        change(USER, Role::Admin),
        change(USER, Role::Owner),
        change(OWNER, Role::User),
        Delta::ChangeIdentity { id: OWNER, role: Role::Owner, not_after: Some(NOW) },
        Delta::RemoveIdentity { id: OWNER },
        add,
    ] {
        assert_eq!(refused_to(&by(ADMIN), &world, &honest(&world, vec![step], &[])), "Forbidden");
    }
}

#[test]
fn a_promotion_without_its_envelopes_is_no_way_around_the_owner() {
    let world = world();
    let mut request = honest(&world, vec![change(USER, Role::Admin)], &[]);
    request.roots.clear();
    assert_eq!(refused_to(&by(ADMIN), &world, &request), "Forbidden");
}

#[test]
fn root_envelopes_and_epochs_are_for_owners() {
    let world = world();
    let mut roots = empty(&world);
    roots.roots = vec![root(RootKind::OrgkeyAdmin, Some(ADMIN), 1)];
    let mut epoch = empty(&world);
    let nonce = keyward_wire::Nonce::from_bytes([3; 32]);
    epoch.epoch = Some(keyward_wire::api::write::NewEpoch { epoch: 2, nonce });
    for request in [roots, epoch] {
        assert_eq!(refused_to(&by(ADMIN), &world, &request), "Forbidden");
        assert_eq!(refused_to(&on_device(OWNER), &world, &request), "PasswordNeeded");
    }
}

#[test]
fn an_escrow_under_the_root_key_is_for_owners_and_needs_no_password() {
    let world = world();
    let mut request = honest(&world, vec![api(identity(20), None)], &[]);
    request.escrows = vec![escrow(identity(20), None, 1)];
    assert_eq!(refused_to(&by(ADMIN), &world, &request), "Forbidden");
    accepted(&on_device(OWNER), &world, &request, NOW + 2);
    request.escrows = vec![escrow(identity(20), Some(ADMIN), 1)];
    accepted(&on_device(ADMIN), &world, &request, NOW + 2);
    // Nobody enrols an owner or admin but an owner.
    let mut request = empty(&world);
    request.escrows = vec![escrow(OWNER, Some(ADMIN), 9)];
    assert_eq!(refused_to(&by(ADMIN), &world, &request), "Forbidden");
}

#[test]
fn a_change_of_role_needs_the_password_within_ten_minutes() {
    let world = world();
    let stale = |age| Actor { session: Some(Session { signed_in_at: NOW + 2 - age }), ..by(OWNER) };
    for step in [change(USER, Role::Admin), change(USER, Role::Viewer), Delta::RemoveIdentity { id: ADMIN }] {
        let request = honest(&world, vec![step], &[]);
        assert_eq!(refused_to(&on_device(OWNER), &world, &request), "PasswordNeeded");
        assert_eq!(refused_to(&stale(FRESH_MS + 1), &world, &request), "PasswordNeeded");
        accepted(&stale(FRESH_MS), &world, &request, NOW + 2);
    }
}

#[test]
fn everyday_writes_need_no_password() {
    let world = world();
    for step in [Delta::RemoveIdentity { id: CI }, api(identity(20), None), Delta::RemoveKey { id: key(1) }] {
        accepted(&on_device(ADMIN), &world, &honest(&world, vec![step], &[]), NOW + 2);
    }
}

#[test]
fn the_last_owner_stays_for_good() {
    let world = world();
    for step in [
        change(OWNER, Role::Admin),
        change(OWNER, Role::User),
        Delta::ChangeIdentity { id: OWNER, role: Role::Owner, not_after: Some(NOW + 1_000_000) },
        Delta::RemoveIdentity { id: OWNER },
    ] {
        let why = refused(&world, &honest(&world, vec![step], &[]));
        assert_eq!(why, "delta: the last owner stays, for good");
    }
    // A second owner who will expire is no substitute.
    let mut two = world;
    two.identities.insert(identity(3), person(Role::Owner));
    two.identities.get_mut(&identity(3)).unwrap().not_after = Some(NOW + 1_000_000);
    let request = honest(&two, vec![Delta::RemoveIdentity { id: OWNER }], &[]);
    assert_eq!(refused(&two, &request), "delta: the last owner stays, for good");
}

#[test]
fn nobody_changes_or_removes_oneself() {
    let mut world = world();
    world.identities.insert(identity(3), person(Role::Owner));
    for step in [
        change(OWNER, Role::Admin),
        Delta::ChangeIdentity { id: OWNER, role: Role::Owner, not_after: Some(NOW + 1_000_000) },
        Delta::RemoveIdentity { id: OWNER },
    ] {
        assert_eq!(refused(&world, &honest(&world, vec![step], &[])), "Forbidden");
    }
}

#[test]
fn who_no_longer_administers_loses_the_root_envelopes() {
    let mut world = world();
    world.identities.insert(identity(3), person(Role::Owner));
    let dropped = |step| {
        let change = accepted(&by(OWNER), &world, &honest(&world, vec![step], &[]), NOW + 2);
        change.dropped_roots().to_vec()
    };
    let three = identity(3);
    let both = [(RootKind::Root, three), (RootKind::OrgkeyAdmin, three)];
    assert_eq!(dropped(change(three, Role::User)), both);
    assert_eq!(dropped(Delta::RemoveIdentity { id: three }), both);
    assert_eq!(dropped(change(three, Role::Admin)), [(RootKind::Root, three)]);
    assert_eq!(dropped(Delta::RemoveIdentity { id: CI }), []);
}

#[test]
fn ways_to_sign_in_are_taken_from_administrators_by_owners_with_the_password() {
    let world = world();
    let drop = |n| {
        let mut request = empty(&world);
        request.drop_credentials = vec![credential(n)];
        request
    };
    assert_eq!(refused_to(&by(ADMIN), &world, &drop(1)), "Forbidden");
    assert_eq!(refused_to(&on_device(OWNER), &world, &drop(2)), "PasswordNeeded");
    accepted(&by(OWNER), &world, &drop(2), NOW + 2);
    accepted(&on_device(ADMIN), &world, &drop(11), NOW + 2);
    let own = "drop_credentials[0]: one's own credentials are not part of a write";
    assert_eq!(refused_to(&by(OWNER), &world, &drop(1)), own);
    assert_eq!(refused(&world, &drop(99)), "drop_credentials[0]: no such credential");
}
