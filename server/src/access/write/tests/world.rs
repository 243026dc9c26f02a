//! A small organisation, and the words to talk about it.

use std::collections::BTreeSet;

use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::write::{Delta, NewEscrow, NewKeys, RootEnvelope, RootKind, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{
    AgentId, CredentialId, DeploymentId, Envelope, GroupId, IdentityId, KeyId, MappingId, OrgId, Purpose,
    Sha256,
};

use super::honest::honest;
use crate::access::state::{Credential, Identity};
use crate::access::{Actor, Change, Refusal, Session, State};

pub(super) const NOW: i64 = 1_800_000_000_000;
pub(super) const ORG: OrgId = OrgId::from_bytes([0xee; 16]);

/// The first owner, an admin, and API users: `CI` in group 1, `BOTH` in 1 and 2, `IDLE` in none, `ENDED` in 2 but expired.
pub(super) const OWNER: IdentityId = identity(1);
pub(super) const ADMIN: IdentityId = identity(2);
pub(super) const CI: IdentityId = identity(11);
pub(super) const BOTH: IdentityId = identity(12);
pub(super) const IDLE: IdentityId = identity(13);
pub(super) const ENDED: IdentityId = identity(14);
/// A person who reads by the rule, in group 2.
pub(super) const USER: IdentityId = identity(15);

pub(super) const fn key(n: u8) -> KeyId {
    KeyId::from_bytes([n; 16])
}
/// Never the id of an identity.
pub(super) const fn group(n: u8) -> GroupId {
    let mut bytes = [n; 16];
    bytes[15] = !n;
    GroupId::from_bytes(bytes)
}
pub(super) const fn deployment(n: u8) -> DeploymentId {
    DeploymentId::from_bytes([n; 16])
}
pub(super) const fn mapping(n: u8) -> MappingId {
    MappingId::from_bytes([n; 16])
}
pub(super) const fn identity(n: u8) -> IdentityId {
    IdentityId::from_bytes([n; 16])
}
pub(super) const fn agent(n: u8) -> AgentId {
    AgentId::from_bytes([n; 16])
}
pub(super) const fn credential(n: u8) -> CredentialId {
    CredentialId::from_bytes([n; 16])
}

pub(super) fn envelope(purpose: Purpose) -> Envelope {
    let mut bytes = vec![0x55; 600];
    bytes[..8].copy_from_slice(b"KWE1\0\x01\0\0");
    bytes[4] = purpose.code();
    Envelope::from_bytes(bytes).unwrap()
}

/// Somebody signed in with the password a minute ago.
pub(super) fn by(who: IdentityId) -> Actor {
    let n = who.as_bytes()[0];
    Actor {
        org: ORG,
        identity: who,
        kind: IdentityKind::Human,
        role: Role::Owner,
        credential: credential(n),
        credential_kind: CredentialKind::Password,
        session: Some(Session { signed_in_at: NOW - 60_000 }),
    }
}

/// The same, signed in with a device credential.
pub(super) fn on_device(who: IdentityId) -> Actor {
    Actor { credential_kind: CredentialKind::Device, ..by(who) }
}

pub(super) fn person(role: Role) -> Identity {
    let email = Some("somebody@example.com".parse().unwrap());
    Identity { kind: IdentityKind::Human, role, not_after: None, email }
}

pub(super) fn api(id: IdentityId, not_after: Option<i64>) -> Delta {
    Delta::AddIdentity { id, kind: IdentityKind::Api, role: Role::User, not_after, email: None }
}

pub(super) fn token(id: CredentialId, identity: IdentityId) -> NewCredential {
    NewCredential {
        id,
        identity,
        kind: CredentialKind::Token,
        salt: None,
        auth_sha256: Sha256::from_bytes([7; 32]),
        env: envelope(Purpose::Cred),
        not_after: None,
    }
}

pub(super) fn escrow(identity: IdentityId, creator: Option<IdentityId>, ik_gen: u64) -> NewEscrow {
    NewEscrow { identity, creator, ik_gen, env: envelope(Purpose::Escrow) }
}

pub(super) fn root(kind: RootKind, identity: Option<IdentityId>, generation: u64) -> RootEnvelope {
    let purpose = match kind {
        RootKind::Root => Purpose::Root,
        RootKind::OrgkeyRoot => Purpose::OrgKeyRoot,
        RootKind::OrgkeyAdmin => Purpose::OrgKeyAdmin,
    };
    RootEnvelope { kind, identity, generation, env: envelope(purpose) }
}

/// Owner, admin and user, each with a credential of their own number; nothing else.
pub(super) fn people() -> State {
    let mut state = State { seq: 7, ..State::empty(ORG) };
    for (id, role) in [(OWNER, Role::Owner), (ADMIN, Role::Admin)] {
        state.identities.insert(id, person(role));
        let kind = CredentialKind::Password;
        state.credentials.insert(credential(id.as_bytes()[0]), Credential { identity: id, kind });
    }
    state
}

/// Group 1 is assigned deployment 1 (keys 1, 2, 3; 3 excluded); group 2 is assigned deployment 2 (keys 3, 4) and takes no
/// new keys by itself. Key 5 is not mapped. Key 1 is at version 3.
pub(super) fn world() -> State {
    let add_mapping = |n, d, k| Delta::AddMapping { id: mapping(n), deployment: deployment(d), key: key(k) };
    let assign =
        |g, d, new_keys| Delta::AddAssignment { group: group(g), deployment: deployment(d), new_keys };
    let member = |g, identity| Delta::AddMember { group: group(g), identity };
    let mut delta: Vec<Delta> = (1..=5).map(|n| Delta::AddKey { id: key(n) }).collect();
    delta.extend((1..=2).map(|n| Delta::AddGroup { id: group(n) }));
    delta.extend((1..=2).map(|n| Delta::AddDeployment { id: deployment(n) }));
    delta.extend(
        [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 3), (5, 2, 4)].map(|(n, d, k)| add_mapping(n, d, k)),
    );
    delta.extend([assign(1, 1, NewKeys::Allow), assign(2, 2, NewKeys::Deny)]);
    delta.push(Delta::AddExclusion { group: group(1), deployment: deployment(1), key: key(3) });
    delta.extend([api(CI, None), api(BOTH, None), api(IDLE, None), api(ENDED, Some(NOW + 1))]);
    let email = Some("user@example.com".parse().unwrap());
    let (kind, role) = (IdentityKind::Human, Role::User);
    delta.push(Delta::AddIdentity { id: USER, kind, role, not_after: None, email });
    delta.extend([member(1, CI), member(1, BOTH), member(2, BOTH), member(2, ENDED), member(2, USER)]);

    let mut request = honest(&people(), delta, &[]);
    request.credentials = (11..=14).map(|n| token(credential(n), identity(n))).collect();
    request.escrows = (11..=15).map(|n| escrow(identity(n), Some(OWNER), 1)).collect();
    let state = applied(&people(), &request, NOW - 1_000);
    let state = applied(&state, &honest(&state, Vec::new(), &[key(1)]), NOW - 900);
    applied(&state, &honest(&state, Vec::new(), &[key(1)]), NOW + 1)
}

/// The state after an honest write by the owner.
pub(super) fn applied(before: &State, request: &WriteRequest, now: i64) -> State {
    accepted(&by(OWNER), before, request, now).after().clone()
}

pub(super) fn accepted(actor: &Actor, before: &State, request: &WriteRequest, now: i64) -> Change {
    super::check(actor, now, before, request).expect("an honest write is accepted")
}

/// Where and why the owner's write is refused; panics if it is not.
pub(super) fn refused(before: &State, request: &WriteRequest) -> String {
    refused_to(&by(OWNER), before, request)
}

/// `field: reason`, or what else is said to `actor`.
pub(super) fn refused_to(actor: &Actor, before: &State, request: &WriteRequest) -> String {
    match super::check(actor, NOW + 2, before, request) {
        Ok(_) => panic!("accepted"),
        Err(refusal @ Refusal::Unprocessable { .. }) => refusal.to_string(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

pub(super) fn groups(list: &[u8]) -> BTreeSet<GroupId> {
    list.iter().map(|n| group(*n)).collect()
}
