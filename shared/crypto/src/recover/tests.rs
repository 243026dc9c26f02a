use keyward_wire::Nonce;
use keyward_wire::api::org::AuditHead;
use keyward_wire::{OrgId, Sha256};

use super::*;
use crate::derive_secret;
use crate::fixture::{FOUNDED, Organisation, START, Sample, name};
use crate::key::material::Material as _;
use crate::state::cred::Cred;
use crate::state::local::{Local, Pin};
use crate::state::roots::{open_escrow, open_root};
use crate::verify::{verify_bundle, verify_org};

const NEW: &str = "new owner of the rescued";

fn answer(organisation: &Organisation) -> RecoveryAnswer {
    let server = &organisation.server;
    RecoveryAnswer {
        seq: server.state.seq,
        sha256: server.state.env.sha256(),
        env: server.state.env.clone(),
        epoch: 1,
        nonce: server.nonce,
        orgkey: server.root(RootKind::OrgkeyRoot, None).env.clone(),
        audit_head: AuditHead { seq: 3, hash: Sha256::of(b"head") },
    }
}

/// The new owner and the request, applied to the server.
fn recover(organisation: &mut Organisation) -> (Newcomer, RecoveryRequest) {
    let (kit, answer) = (FOUNDED.recovered(), answer(organisation));
    let newcomer = Newcomer::new(name(NEW), "new@example.com".parse().unwrap(), &Password::entered("p"));
    let opened = || open(&kit, &answer, &Floors::default()).unwrap();
    let end = START + 3_600_000;
    let made = newcomer.request(&kit, &answer, (opened(), opened()), START, end).unwrap();
    let request = made.request;
    assert_eq!((made.after.seq, made.after.sha256), (answer.seq + 1, request.org.sha256()));
    let server = &mut organisation.server;
    server.state.seq += 1;
    server.state.env = request.org.clone();
    server.credentials.extend(request.credentials.iter().map(|new| (new.id, new.clone())));
    server.roots.extend(request.roots.iter().cloned());
    let address = Some(request.email.to_string());
    let row = (IdentityKind::Human, Role::Owner, None, address);
    server.tables.identities.insert(request.identity, row);
    (newcomer, request)
}

fn cred_of(request: &RecoveryRequest, kind: CredentialKind, keys: &CredentialKeys) -> Cred {
    let stored = request.credentials.iter().find(|new| new.kind == kind).unwrap();
    assert_eq!(stored.auth_sha256, keys.auth.verifier());
    Cred::open(&keys.unlock, stored.id, &stored.env).unwrap()
}

#[test]
fn whoever_recovers_is_an_owner_like_the_first_one() {
    let mut sample = Sample::new();
    let organisation = &mut sample.organisation;
    let (newcomer, request) = recover(organisation);
    let (id, keys) = newcomer.device().into_keys();
    assert_eq!(id, newcomer.device.id);
    let device = cred_of(&request, CredentialKind::Device, &keys);
    let password = cred_of(&request, CredentialKind::Password, &newcomer.password.2);
    assert_eq!(device.ik.bytes(), password.ik.bytes());
    assert_eq!((device.id, device.min_seq, device.epoch), (newcomer.id, organisation.server.state.seq, 1));
    let answer = organisation.server.answer(newcomer.id);
    let org = verify_org(&device, &answer, &Floors::default(), START).unwrap().org;
    let me = org.identity(newcomer.id).unwrap();
    assert_eq!((me.role, me.creator, me.ik_gen), (Role::Owner, None, 1));
    assert_eq!((org.written_by, org.audit_head.seq), (newcomer.id, 3));
    let root = answer.root.unwrap();
    let rk = open_root(&device.ik, org.org, newcomer.id, root.generation, &root.env).unwrap();
    assert_eq!(rk.bytes(), organisation.root_key().bytes());
    let place = EscrowPlace { org: org.org, creator: None, identity: newcomer.id, ik_gen: 1 };
    assert_eq!(open_escrow(&rk, place, &request.escrow.env).unwrap().bytes(), device.ik.bytes());
}

#[test]
fn nobody_else_notices_but_by_the_notice() {
    let mut sample = Sample::new();
    let owner = organisation_pin(&sample.organisation);
    let former = sample.organisation.org();
    recover(&mut sample.organisation);
    let organisation = &sample.organisation;
    assert_eq!(organisation.readable(&sample.agent), ["alpha", "beta"]);
    let floors = Floors { local: owner, ..Floors::default() };
    let answer = organisation.server.answer(organisation.owner.id);
    let verified = verify_org(&organisation.owner, &answer, &floors, START).unwrap();
    assert!(verified.continuous, "the owner's memory is among the predecessors");
    let (old, new) = (former.identities.len(), verified.org.identities.len());
    assert_eq!((old + 1, former.views.len()), (new, verified.org.views.len()));
    let [told] = &verified.recovered[..] else { panic!("one notice") };
    assert_eq!((told.seq, told.email.as_str()), (answer.seq, "new@example.com"));

    let seen = Floors { local: verified.seen, ..Floors::default() };
    assert!(
        verify_org(&organisation.owner, &answer, &seen, START).unwrap().recovered.is_empty(),
        "told once"
    );
    let bundle = organisation.server.bundle(organisation.owner.id);
    let verified = verify_bundle(&organisation.owner, &bundle, &floors, START).unwrap();
    assert_eq!(verified.recovered.len(), 1, "whatever an owner does first tells it");
    let verified = verify_bundle(&organisation.owner, &bundle, &Floors::default(), START).unwrap();
    assert_eq!(verified.recovered.len(), 1, "a device without memory is told, too");
    let bundle = organisation.server.bundle(sample.agent.id);
    let read = verify_bundle(&sample.agent, &bundle, &Floors::default(), organisation.now).unwrap();
    assert!(read.recovered.is_empty(), "whoever reads by the rule is not");
}

fn organisation_pin(organisation: &Organisation) -> Local {
    let state = &organisation.server.state;
    Local { org: Some(Pin { seq: state.seq, sha256: state.env.sha256() }), epoch: 1, ..Local::default() }
}

#[test]
fn the_new_kit_opens_the_same_root_key_and_the_old_code_does_not_open_it() {
    let mut organisation = Organisation::new();
    let (newcomer, request) = recover(&mut organisation);
    let stored = request.credentials.iter().find(|new| new.kind == CredentialKind::Recovery).unwrap();
    let keys = derive_secret(newcomer.kit.id, &newcomer.kit.secret);
    let again = Recovery::open(&keys.unlock, stored.id, &stored.env).unwrap();
    assert_eq!((again.org, again.rk_gen), (organisation.server.org, 1));
    assert_eq!(again.rk.bytes(), organisation.root_key().bytes());
    let old = Token::parse(&FOUNDED.recovery).unwrap();
    let old = derive_secret(old.id, &old.secret);
    assert!(Recovery::open(&old.unlock, stored.id, &stored.env).is_err());
}

type Lie = (&'static str, fn(&mut RecoveryAnswer));

#[test]
fn ms_63_whatever_is_not_under_the_kits_root_key_is_noticed() {
    let sample = Sample::new();
    let (kit, honest) = (FOUNDED.recovered(), answer(&sample.organisation));
    open(&kit, &honest, &Floors::default()).unwrap();
    let lies: &[Lie] = &[
        ("another seq", |a| a.seq -= 1),
        ("another epoch", |a| a.epoch = 2),
        ("another nonce", |a| a.nonce = Nonce::from_bytes([7; 32])),
        ("ORG as ORGKEY_ROOT", |a| a.orgkey = a.env.clone()),
        ("ORGKEY_ROOT as ORG", |a| a.env = a.orgkey.clone()),
    ];
    for (what, lie) in lies {
        let mut lied = honest.clone();
        lie(&mut lied);
        let refused = open(&kit, &lied, &Floors::default()).err();
        assert!(matches!(refused, Some(VerifyError::Integrity(_))), "{what}");
    }
    let admins = sample.organisation.server.root(RootKind::OrgkeyAdmin, Some(sample.organisation.owner.id));
    let lied = RecoveryAnswer { orgkey: admins.env.clone(), ..honest.clone() };
    assert!(open(&kit, &lied, &Floors::default()).is_err(), "an admin's key in its place");
    let elsewhere = Recovery::new(OrgId::from_bytes([9; 16]), &kit.rk, 1);
    assert!(open(&elsewhere, &honest, &Floors::default()).is_err(), "a kit of another organisation");
    let wrong = Recovery::new(kit.org, &crate::RootKey::generate(), 1);
    assert!(open(&wrong, &honest, &Floors::default()).is_err(), "a kit of another root key");
}

#[test]
fn without_a_floor_of_its_own_an_old_state_is_believed_and_with_one_refused() {
    let organisation = Organisation::new();
    let (kit, old) = (FOUNDED.recovered(), answer(&organisation));
    let above = Floors { min_seq: old.seq + 1, ..Floors::default() };
    assert!(matches!(open(&kit, &old, &above), Err(VerifyError::Stale(_))));
    let newer = Floors { min_epoch: 2, ..Floors::default() };
    assert!(matches!(open(&kit, &old, &newer), Err(VerifyError::Stale(_))));
    assert!(open(&kit, &old, &Floors { min_seq: old.seq, min_epoch: 1, ..Floors::default() }).is_ok());
}

#[test]
fn a_taken_name_is_a_conflict_and_the_list_of_recoveries_is_short() {
    let mut organisation = Organisation::new();
    let email: Email = "former@example.com".parse().unwrap();
    let former = |seq| Recovered { seq, at: START, identity: new_id(), email: email.clone() };
    organisation.write(|draft| draft.org.recoveries = (0..RECOVERIES as u64).map(former).collect());
    let (newcomer, _) = recover(&mut organisation);
    let (kit, answer) = (FOUNDED.recovered(), answer(&organisation));
    let opened = || open(&kit, &answer, &Floors::default()).unwrap();
    let org = opened().org;
    assert_eq!((org.recoveries.len(), org.recoveries[0].seq), (RECOVERIES, org.seq));
    let again = newcomer.request(&kit, &answer, (opened(), opened()), START, START + 1);
    assert!(matches!(again, Err(ChangeError::Edit(_))));
}
