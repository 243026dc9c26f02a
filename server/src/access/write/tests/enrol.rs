use keyward_wire::api::Role;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::{Delta, NewEpoch, NewGrant, RootKind, WriteRequest};
use keyward_wire::{Nonce, Purpose, Salt};

use super::honest::{empty, honest};
use super::world::*;
use crate::access::State;

fn with_token(world: &State, token: keyward_wire::api::credentials::NewCredential) -> WriteRequest {
    WriteRequest { credentials: vec![token], ..empty(world) }
}

#[test]
fn tokens_are_for_api_users_of_this_organisation() {
    let world = world();
    for who in [OWNER, ADMIN, USER, identity(99)] {
        let request = with_token(&world, token(credential(50), who));
        let why = "credentials[0].identity: tokens are for API users and gateways of this organisation";
        assert_eq!(refused(&world, &request), why);
    }
}

#[test]
fn made_for_others_credentials_are_tokens() {
    let world = world();
    for kind in
        [CredentialKind::Password, CredentialKind::Device, CredentialKind::Link, CredentialKind::Recovery]
    {
        let mut new = token(credential(50), CI);
        new.kind = kind;
        let why = "credentials[0].kind: made for others, credentials are tokens";
        assert_eq!(refused(&world, &with_token(&world, new)), why);
    }
}

#[test]
fn a_token_has_no_salt_and_a_cred() {
    let world = world();
    let (mut salted, mut other) = (token(credential(50), CI), token(credential(50), CI));
    salted.salt = Some(Salt::from_bytes([1; 16]));
    other.env = envelope(Purpose::Recovery);
    let refused = |new| refused(&world, &with_token(&world, new));
    assert_eq!(refused(salted), "credentials[0].salt: a password has a salt, and nothing else has");
    assert_eq!(refused(other), "credentials[0].env: an envelope of another purpose");
}

#[test]
fn a_credential_keeps_its_id_to_itself() {
    let world = world();
    for taken in [1, 11, 12] {
        let request = with_token(&world, token(credential(taken), CI));
        assert_eq!(refused(&world, &request), "credentials[0].id: the id is taken");
    }
    // Nor is one that ends in this write used again.
    let mut request = with_token(&world, token(credential(12), CI));
    request.drop_credentials = vec![credential(12)];
    assert_eq!(refused(&world, &request), "credentials[0].id: the id is taken");
}

#[test]
fn a_new_token_ends_the_older_credentials_of_its_identity_and_no_others() {
    let world = world();
    let change = accepted(&by(ADMIN), &world, &with_token(&world, token(credential(50), CI)), NOW + 2);
    assert_eq!(change.diff().credentials.added, [credential(50)]);
    assert_eq!(change.diff().credentials.removed, [credential(11)]);
    assert_eq!(change.after().credentials.len(), world.credentials.len());
}

#[test]
fn one_identity_gets_one_token_in_a_write() {
    let world = world();
    let mut request = with_token(&world, token(credential(50), CI));
    request.credentials.push(token(credential(51), CI));
    assert_eq!(refused(&world, &request), "credentials[1]: twice in one write");
}

#[test]
fn a_removed_identity_takes_its_credentials_with_it() {
    let world = world();
    let request = honest(&world, vec![Delta::RemoveIdentity { id: CI }], &[]);
    let change = accepted(&on_device(ADMIN), &world, &request, NOW + 2);
    assert_eq!(change.diff().credentials.removed, [credential(11)]);
    assert_eq!(change.diff().escrows.removed, [CI]);
    assert_eq!(change.diff().grants.removed, [CI]);
    assert_eq!(change.diff().members.removed, [(group(1), CI)]);
    let actions: Vec<_> = change.events().iter().map(|event| event.action).collect();
    assert_eq!(actions, ["credential.removed", "identity.removed", "member.removed"]);
}

#[test]
fn an_escrow_is_under_the_writers_own_key_or_the_root_key() {
    let world = world();
    let mut request = honest(&world, vec![api(identity(20), None)], &[]);
    request.escrows = vec![escrow(identity(20), Some(OWNER), 1)];
    let why = "escrows[0]: an escrow is under the writer's own key or the root key";
    assert_eq!(refused_to(&by(ADMIN), &world, &request), why);
    request.escrows = vec![escrow(identity(99), Some(OWNER), 1)];
    assert_eq!(refused(&world, &request), "escrows[0]: no such identity in this organisation");
}

#[test]
fn an_escrow_is_an_escrow_and_stands_once() {
    let world = world();
    let mut request =
        WriteRequest { escrows: vec![escrow(CI, None, 2), escrow(CI, None, 3)], ..empty(&world) };
    assert_eq!(refused(&world, &request), "escrows[1]: twice in one write");
    request.escrows.pop();
    request.escrows[0].env = envelope(Purpose::Cred);
    assert_eq!(refused(&world, &request), "escrows[0].env: an envelope of another purpose");
}

#[test]
fn an_admin_does_not_overwrite_the_escrow_of_a_key_that_stands() {
    let world = world();
    let replacing =
        |ik_gen, creator| WriteRequest { escrows: vec![escrow(CI, creator, ik_gen)], ..empty(&world) };
    let why = "escrows[0]: only an owner replaces the escrow of the same key";
    assert_eq!(refused_to(&by(ADMIN), &world, &replacing(1, Some(ADMIN))), why);
    assert_eq!(refused_to(&by(ADMIN), &world, &replacing(0, Some(ADMIN))), why);
    accepted(&by(ADMIN), &world, &replacing(2, Some(ADMIN)), NOW + 2);
    accepted(&by(OWNER), &world, &replacing(1, None), NOW + 2);
}

#[test]
fn root_envelopes_are_for_those_who_may_hold_them() {
    let world = world();
    for (kind, who) in [
        (RootKind::Root, Some(ADMIN)),
        (RootKind::Root, Some(USER)),
        (RootKind::Root, None),
        (RootKind::OrgkeyAdmin, Some(USER)),
        (RootKind::OrgkeyAdmin, None),
        (RootKind::OrgkeyRoot, Some(OWNER)),
    ] {
        let request = WriteRequest { roots: vec![root(kind, who, 1)], ..empty(&world) };
        assert_eq!(refused(&world, &request), "roots[0]: not for this identity", "{kind:?} {who:?}");
    }
    let request = WriteRequest { roots: vec![root(RootKind::OrgkeyAdmin, Some(ADMIN), 2)], ..empty(&world) };
    assert_eq!(refused(&world, &request), "roots[0]: not of this epoch");
    let mut request =
        WriteRequest { roots: vec![root(RootKind::OrgkeyAdmin, Some(ADMIN), 1)], ..empty(&world) };
    request.roots[0].env = envelope(Purpose::Root);
    assert_eq!(refused(&world, &request), "roots[0].env: an envelope of another purpose");
}

const INCOMPLETE: &str =
    "roots: an owner or admin would be without ROOT or ORGKEY_ADMIN, or the epoch without ORGKEY_ROOT";

#[test]
fn a_new_owner_or_admin_gets_his_envelopes() {
    let world = world();
    let promote = |role| honest(&world, vec![Delta::ChangeIdentity { id: USER, role, not_after: None }], &[]);
    let mut admin = promote(Role::Admin);
    accepted(&by(OWNER), &world, &admin, NOW + 2);
    admin.roots.clear();
    assert_eq!(refused(&world, &admin), INCOMPLETE);
    let mut owner = promote(Role::Owner);
    assert_eq!(refused(&world, &owner), INCOMPLETE);
    owner.roots.push(root(RootKind::Root, Some(USER), 1));
    let change = accepted(&by(OWNER), &world, &owner, NOW + 2);
    assert_eq!(change.diff().grants.removed, [USER]);
}

#[test]
fn a_new_epoch_needs_every_orgkey_and_every_grant_anew() {
    let world = world();
    let seq = world.seq + 1;
    let mut request = empty(&world);
    request.epoch = Some(NewEpoch { epoch: 2, nonce: Nonce::from_bytes([2; 32]) });
    request.roots = vec![
        root(RootKind::OrgkeyRoot, None, 2),
        root(RootKind::OrgkeyAdmin, Some(OWNER), 2),
        root(RootKind::OrgkeyAdmin, Some(ADMIN), 2),
    ];
    for (identity, grant) in &world.grants {
        let env = envelope(Purpose::Grant);
        request.grants.push(NewGrant { identity: *identity, view: grant.view, seq, env });
    }
    assert_eq!(accepted(&by(OWNER), &world, &request, NOW + 2).after().epoch, 2);
    for n in 0..request.roots.len() {
        let mut partial = request.clone();
        partial.roots.remove(n);
        assert_eq!(refused(&world, &partial), INCOMPLETE);
    }
    for n in 0..request.grants.len() {
        let mut partial = request.clone();
        partial.grants.remove(n);
        let why = "grants: somebody's view changed, or is new, without a new grant";
        assert_eq!(refused(&world, &partial), why);
    }
    for epoch in [0, 1, 3] {
        let nonce = Nonce::from_bytes([2; 32]);
        let other = WriteRequest { epoch: Some(NewEpoch { epoch, nonce }), ..request.clone() };
        assert_eq!(refused(&world, &other), "epoch: not the next epoch");
    }
}
