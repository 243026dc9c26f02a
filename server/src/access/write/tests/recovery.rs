//! What a session of the recovery kit may say, and what it may not.

use keyward_wire::api::Role;
use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::recovery::RecoveryRequest;
use keyward_wire::api::write::{Base, RootKind};
use keyward_wire::{CredentialId, IdentityId, Purpose, Salt, Sha256};

use super::world::*;
use crate::access::state::{Credential, Identity};
use crate::access::write::recovery::check;
use crate::access::{Actor, FRESH_MS, Refusal, Session, State};

const NEW: IdentityId = identity(40);
const KIT: CredentialId = credential(41);

/// The world, with a kit of its owner's.
fn with_kit() -> State {
    let mut state = world();
    state.credentials.insert(KIT, Credential { identity: OWNER, kind: CredentialKind::Recovery });
    state
}

fn by_kit() -> Actor {
    Actor { credential: KIT, credential_kind: CredentialKind::Recovery, ..by(OWNER) }
}

fn made(n: u8, kind: CredentialKind) -> NewCredential {
    let purpose = if kind == CredentialKind::Recovery { Purpose::Recovery } else { Purpose::Cred };
    NewCredential {
        kind,
        salt: (kind == CredentialKind::Password).then(|| Salt::from_bytes([5; 16])),
        env: envelope(purpose),
        not_after: (kind == CredentialKind::Device).then_some(NOW + 1),
        ..token(credential(n), NEW)
    }
}

fn honest(before: &State) -> RecoveryRequest {
    RecoveryRequest {
        base: Base { seq: before.seq, sha256: Sha256::from_bytes([1; 32]) },
        org: envelope(Purpose::Org),
        identity: NEW,
        email: "new@example.com".parse().unwrap(),
        credentials: vec![
            made(42, CredentialKind::Password),
            made(43, CredentialKind::Recovery),
            made(44, CredentialKind::Device),
        ],
        escrow: escrow(NEW, None, 1),
        roots: vec![root(RootKind::Root, Some(NEW), 1), root(RootKind::OrgkeyAdmin, Some(NEW), 1)],
    }
}

fn refused(actor: &Actor, before: &State, request: RecoveryRequest) -> String {
    match check(actor, NOW, before, request) {
        Ok(_) => panic!("accepted"),
        Err(refusal @ Refusal::Unprocessable { .. }) => refusal.to_string(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

#[test]
fn a_recovery_adds_one_owner_and_replaces_the_kit_and_changes_nothing_else() {
    let before = with_kit();
    let (change, write) = check(&by_kit(), NOW, &before, honest(&before)).unwrap();
    let mut expected = State { seq: before.seq + 1, ..before.clone() };
    let email = Some("new@example.com".parse().unwrap());
    expected.identities.insert(NEW, Identity { email, ..person(Role::Owner) });
    expected.credentials.remove(&KIT);
    for new in &write.credentials {
        expected.credentials.insert(new.id, Credential { identity: NEW, kind: new.kind });
    }
    expected.escrows.insert(NEW, crate::access::state::Escrow { creator: None, ik_gen: 1 });
    assert_eq!(*change.after(), expected);
    assert!(change.dropped_roots().is_empty() && change.grants(&write).next().is_none());
    let events: Vec<_> = change.events().iter().map(|event| event.action).collect();
    assert_eq!(
        events,
        [
            "org.recovered",
            "credential.added",
            "credential.removed",
            "escrow.stored",
            "identity.added",
            "root.stored"
        ]
    );
    assert_eq!(change.events()[0].objects, [format!("identity:{NEW}"), format!("credential:{KIT}")]);
}

#[test]
fn nothing_but_a_fresh_session_of_an_owners_kit_recovers() {
    let before = with_kit();
    let old = Some(Session { signed_in_at: NOW - FRESH_MS - 1 });
    for (what, actor) in [
        ("the owner by password", by(OWNER)),
        ("the owner by device", on_device(OWNER)),
        ("an admin by password", by(ADMIN)),
        ("a kit that proved itself too long ago", Actor { session: old, ..by_kit() }),
        ("a kit without a session", Actor { session: None, ..by_kit() }),
        ("a kit that is not stored any more", Actor { credential: credential(99), ..by_kit() }),
        ("a kit of somebody else", Actor { identity: ADMIN, ..by_kit() }),
        ("a kit of nobody", Actor { identity: identity(99), ..by_kit() }),
    ] {
        assert_eq!(refused(&actor, &before, honest(&before)), "Forbidden", "{what}");
    }
    let mut demoted = with_kit();
    demoted.identities.get_mut(&OWNER).unwrap().role = Role::Admin;
    assert_eq!(refused(&by_kit(), &demoted, honest(&demoted)), "Forbidden", "the kit of a former owner");
    let fresh = Some(Session { signed_in_at: NOW - FRESH_MS });
    check(&Actor { session: fresh, ..by_kit() }, NOW, &before, honest(&before)).unwrap();
}

#[test]
fn a_kit_is_no_part_of_a_write() {
    let before = with_kit();
    let mut other = before.clone();
    other.identities.insert(identity(3), person(Role::Owner));
    let kind = CredentialKind::Password;
    other.credentials.insert(credential(3), Credential { identity: identity(3), kind });
    let mut write = super::honest::empty(&other);
    write.drop_credentials = vec![KIT];
    let why = "drop_credentials[0]: a recovery kit is replaced, never dropped";
    assert_eq!(refused_to(&by(identity(3)), &other, &write), why);
}

#[test]
fn whatever_kit_there_was_ends() {
    let mut before = with_kit();
    before.credentials.insert(credential(60), Credential { identity: ADMIN, kind: CredentialKind::Recovery });
    let (change, _) = check(&by_kit(), NOW, &before, honest(&before)).unwrap();
    assert_eq!(change.diff().credentials.removed, [KIT, credential(60)]);
}

#[test]
fn a_recovery_on_top_of_another_state_is_a_conflict() {
    let before = with_kit();
    for seq in [0, before.seq - 1, before.seq + 1] {
        let mut request = honest(&before);
        request.base.seq = seq;
        assert_eq!(refused(&by_kit(), &before, request), "Conflict", "{seq}");
    }
}

type Lie = (&'static str, fn(&mut RecoveryRequest));

#[test]
fn whatever_is_not_one_complete_owner_with_a_new_kit_is_refused() {
    let before = with_kit();
    let lies: &[Lie] = &[
        ("identity", |r| r.identity = CI),
        ("identity", |r| r.identity = OWNER),
        ("org", |r| r.org = envelope(Purpose::View)),
        ("credentials", |r| r.credentials.clear()),
        ("credentials", |r| drop(r.credentials.remove(0))),
        ("credentials", |r| drop(r.credentials.remove(1))),
        ("credentials", |r| r.credentials.push(made(50, CredentialKind::Device))),
        ("credentials", |r| r.credentials.push(made(50, CredentialKind::Token))),
        ("credentials", |r| r.credentials.push(made(50, CredentialKind::Recovery))),
        ("credentials[3].not_after", |r| r.credentials.push(made(50, CredentialKind::Link))),
        ("credentials[0].identity", |r| r.credentials[0].identity = OWNER),
        ("credentials[2].identity", |r| r.credentials[2].identity = CI),
        ("credentials[0].salt", |r| r.credentials[0].salt = None),
        ("credentials[1].env", |r| r.credentials[1].env = envelope(Purpose::Cred)),
        ("credentials[1].not_after", |r| r.credentials[1].not_after = Some(NOW)),
        ("credentials[2].not_after", |r| r.credentials[2].not_after = Some(NOW + 92 * 86_400_000)),
        ("credentials[0].id", |r| r.credentials[0].id = credential(44)),
        ("credentials", |r| r.credentials[0].id = credential(11)),
        ("credentials", |r| r.credentials[1].id = KIT),
        ("escrow", |r| r.escrow.identity = CI),
        ("escrow", |r| r.escrow.creator = Some(OWNER)),
        ("escrow.env", |r| r.escrow.env = envelope(Purpose::Root)),
        ("roots", |r| r.roots.clear()),
        ("roots", |r| drop(r.roots.remove(0))),
        ("roots", |r| drop(r.roots.remove(1))),
        ("roots", |r| r.roots[0].identity = Some(OWNER)),
        ("roots", |r| r.roots[1].identity = Some(ADMIN)),
        ("roots", |r| r.roots[1].generation = 2),
        ("roots", |r| r.roots[1].env = envelope(Purpose::Root)),
        ("roots", |r| r.roots.push(root(RootKind::OrgkeyRoot, None, 1))),
        ("roots", |r| r.roots.push(root(RootKind::OrgkeyAdmin, Some(ADMIN), 1))),
    ];
    for (n, (field, lie)) in lies.iter().enumerate() {
        let mut request = honest(&before);
        lie(&mut request);
        // Where an identity stands twice, everything else must fit it.
        if *field == "identity" {
            let id = request.identity;
            request.credentials.iter_mut().for_each(|new| new.identity = id);
            request.escrow.identity = id;
            request.roots.iter_mut().for_each(|root| root.identity = Some(id));
        }
        let said = refused(&by_kit(), &before, request);
        assert_eq!(said.split(':').next(), Some(*field), "lie {n}: {said}");
    }
}
