use keyward_wire::api::IdentityKind;
use keyward_wire::api::write::RootKind;

use super::*;
use crate::fixture::{DEVICE_HOURS, EMAIL, FOUNDED, Organisation, PASSWORD, START, Sample, name};
use crate::key::material::Material as _;
use crate::state::org::OrgPlace;

#[test]
fn every_way_into_a_new_organisation_leads_to_the_same_owner() {
    let request = &FOUNDED.request;
    let [password, recovery, device] = &request.credentials[..] else { panic!("three credentials") };
    let kinds = [CredentialKind::Password, CredentialKind::Recovery, CredentialKind::Device];
    assert_eq!([password.kind, recovery.kind, device.kind], kinds);
    assert!(request.credentials.iter().all(|credential| credential.identity == request.identity));

    let typed = Password::entered(PASSWORD);
    let email = EMAIL.parse().unwrap();
    let keys = derive_password(&typed, &email, password.id, &password.salt.unwrap());
    assert_eq!(keys.auth.verifier(), password.auth_sha256);
    let by_password = Cred::open(&keys.unlock, password.id, &password.env).unwrap();
    let by_device = FOUNDED.owner();
    for cred in [&by_password, &by_device] {
        assert_eq!((cred.org, cred.id), (request.org, request.identity));
        assert_eq!((cred.ik_gen, cred.epoch, cred.min_seq), (1, 1, 1));
    }
    assert_eq!(by_password.ik.bytes(), by_device.ik.bytes());
    assert_eq!((password.not_after, by_password.not_after), (None, None));
    let end = Some(START + DEVICE_HOURS * 3_600_000);
    assert_eq!((device.not_after, by_device.not_after), (end, end));
    assert_eq!((password.salt.is_some(), recovery.salt, device.salt), (true, None, None));

    let recovered = FOUNDED.recovered();
    assert_eq!((recovered.org, recovered.rk_gen), (request.org, 1));
    let escrowed = Enroller::Owner(&recovered.rk).open(request.org, &request.escrow).unwrap();
    assert_eq!(escrowed.bytes(), by_device.ik.bytes());
}

#[test]
fn root_key_and_organisation_key_can_be_had_by_owner_and_kit_alike() {
    let organisation = Organisation::new();
    let (server, recovered) = (&organisation.server, FOUNDED.recovered());
    assert_eq!(organisation.root_key().bytes(), recovered.rk.bytes());
    let by_root = server.root(RootKind::OrgkeyRoot, None);
    let document = OrgKeyDocument::open_for_root(&recovered.rk, server.org, 1, &by_root.env).unwrap();
    assert_eq!(document.ok.bytes(), organisation.verified().ok.bytes());
    assert_eq!(document.nonce, server.nonce);
    let place = OrgPlace { org: server.org, epoch: 1, seq: 1 };
    let org = Org::open(&document.ok, place, &server.state.env).unwrap();
    assert_eq!(org.org_name, name("Example Ltd"));
    let [owner] = &org.identities[..] else { panic!("one identity") };
    assert_eq!((owner.role, owner.kind, owner.creator), (Role::Owner, IdentityKind::Human, None));
    assert_eq!(owner.email.as_ref().map(Email::as_str), Some(EMAIL));
    assert_eq!(FOUNDED.request.roots.iter().map(|root| root.generation).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn any_address_can_sign_up() {
    // Longer once normalised than a name may be; invisible; turning the direction of what follows.
    let long = format!("{}@x", "\u{958}".repeat(80));
    for address in [long.as_str(), "a\u{200b}b@example.com", "\u{202e}moc@example.com"] {
        let made = sign_up(
            name("o"),
            &address.parse().unwrap(),
            &Password::entered(PASSWORD),
            START,
            START + 1,
            None,
        );
        assert_eq!(made.request.email.as_str(), address);
    }
}

#[test]
fn an_api_user_comes_with_one_token_and_an_escrow_its_enroller_opens() {
    let sample = Sample::new();
    let server = &sample.organisation.server;
    let rk = sample.organisation.root_key();
    let agent = &sample.agent;
    let escrow = &server.escrows[&agent.id];
    assert_eq!((escrow.creator, escrow.ik_gen), (None, 1));
    let ik = Enroller::Owner(&rk).open(server.org, escrow).unwrap();
    assert_eq!(ik.bytes(), agent.ik.bytes());
    assert_eq!((agent.kind, agent.min_seq, agent.not_after), (CredentialKind::Token, 2, None));
    let org = sample.organisation.org();
    let entry = org.identity(agent.id).unwrap();
    assert_eq!(entry.creator, Some(sample.organisation.owner.id));
    assert_eq!(crate::verify::delivery_key(&ik, &org, agent.id).bytes(), entry.dk.bytes());
}

#[test]
fn an_escrow_opens_for_the_admin_who_made_it_and_for_nobody_else() {
    let mut sample = Sample::new();
    let (me, own) = (sample.organisation.owner.id, sample.organisation.owner.ik.duplicate());
    let user = ApiUser {
        kind: IdentityKind::Api,
        name: name("new"),
        role: Role::Viewer,
        groups: BTreeSet::new(),
        not_after: None,
    };
    let token =
        sample.organisation.write(|draft| draft.enrol_api_user(user, &Enroller::Admin(me, &own)).unwrap());
    let cred = sample.organisation.sign_in(&token);
    let server = &sample.organisation.server;
    let escrow = &server.escrows[&cred.id];
    assert_eq!(escrow.creator, Some(me));
    let opened = |enroller: &Enroller<'_>, escrow| enroller.open(server.org, escrow).is_ok();
    assert!(opened(&Enroller::Admin(me, &own), escrow));
    assert!(!opened(&Enroller::Owner(&sample.organisation.root_key()), escrow));
    assert!(!opened(&Enroller::Admin(me, &sample.agent.ik), escrow));
    assert!(!opened(&Enroller::Admin(sample.agent.id, &own), escrow));
    let swapped = NewEscrow { identity: sample.agent.id, ..escrow.clone() };
    assert!(!opened(&Enroller::Admin(me, &own), &swapped));
    let older = NewEscrow { ik_gen: 2, ..escrow.clone() };
    assert!(!opened(&Enroller::Admin(me, &own), &older));
}

#[test]
fn a_creator_that_the_server_names_is_not_believed() {
    let sample = Sample::new();
    let server = &sample.organisation.server;
    let rk = sample.organisation.root_key();
    let renamed = NewEscrow { creator: Some(sample.robot.id), ..server.escrows[&sample.agent.id].clone() };
    assert!(Enroller::Owner(&rk).open(server.org, &renamed).is_ok());
    assert!(Enroller::Admin(sample.robot.id, &sample.robot.ik).open(server.org, &renamed).is_err());
}

#[test]
fn a_credential_of_another_or_under_another_id_does_not_open() {
    let sample = Sample::new();
    let server = &sample.organisation.server;
    let of = |cred: &Cred| server.credentials.values().find(|c| c.identity == cred.id).unwrap();
    let (token, keys) = new_device(&sample.agent, 1, 2, START);
    let unlock = token.unlock.duplicate();
    assert_eq!(token.id, keys.id);
    assert!(Cred::open(&unlock, keys.id, &keys.env).is_ok());
    assert!(Cred::open(&unlock, of(&sample.agent).id, &keys.env).is_err(), "labelled as another");
    assert!(Cred::open(&unlock, keys.id, &of(&sample.agent).env).is_err(), "another of the same identity");
    assert!(
        Cred::open(&unlock, of(&sample.robot).id, &of(&sample.robot).env).is_err(),
        "of another identity"
    );
    assert!(Recovery::open(&unlock, keys.id, &keys.env).is_err(), "taken for a recovery kit");
}

#[test]
fn a_device_is_the_same_identity_with_an_end() {
    let sample = Sample::new();
    let end = START + 3_600_000;
    let (halves, stored) = new_device(&sample.agent, 1, 2, end);
    let (id, keys) = halves.into_keys();
    assert_eq!(keys.auth.verifier(), stored.auth_sha256);
    let cred = Cred::open(&keys.unlock, id, &stored.env).unwrap();
    assert_eq!((cred.id, cred.org), (sample.agent.id, sample.agent.org));
    assert_eq!((cred.kind, cred.min_seq), (CredentialKind::Device, 2));
    assert_eq!((cred.not_after, stored.not_after), (Some(end), Some(end)));
    assert_eq!(cred.ik.bytes(), sample.agent.ik.bytes());
    assert_eq!(sample.organisation.readable(&cred), ["alpha", "beta"]);
}

#[test]
fn nothing_of_an_organisation_is_ever_made_twice() {
    let [a, b] = [(), ()].map(|()| {
        let password = Password::entered(PASSWORD);
        sign_up(name("o"), &EMAIL.parse().unwrap(), &password, START, START + 1, None)
    });
    assert_ne!(a.request.org, b.request.org);
    assert_ne!(a.request.identity, b.request.identity);
    assert_ne!(a.request.nonce, b.request.nonce);
    assert_ne!(a.ik.bytes(), b.ik.bytes());
    assert_ne!(a.recovery.secret.bytes(), b.recovery.secret.bytes());
    assert_ne!(a.request.credentials[0].salt, b.request.credentials[0].salt);
}
