use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{CredentialId, Envelope, IdentityId, OrgId, Salt, Sha256};

use super::*;
use crate::access::Session;

const NOW: i64 = 1_800_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;
const ME: IdentityId = IdentityId::from_bytes([2; 16]);

fn actor(credential_kind: CredentialKind) -> Actor {
    Actor {
        org: OrgId::from_bytes([1; 16]),
        identity: ME,
        kind: IdentityKind::Human,
        role: Role::Owner,
        credential: CredentialId::from_bytes([3; 16]),
        credential_kind,
        session: Some(Session { signed_in_at: NOW }),
    }
}

fn new(kind: CredentialKind) -> NewCredential {
    let mut bytes = vec![0; 600];
    bytes[..8].copy_from_slice(b"KWE1\0\x01\0\0");
    bytes[4] = if kind == CredentialKind::Recovery { Purpose::Recovery.code() } else { Purpose::Cred.code() };
    let expires = matches!(kind, CredentialKind::Device | CredentialKind::Link);
    NewCredential {
        id: CredentialId::from_bytes([9; 16]),
        identity: ME,
        kind,
        salt: (kind == CredentialKind::Password).then(|| Salt::from_bytes([5; 16])),
        auth_sha256: Sha256::from_bytes([6; 32]),
        env: Envelope::from_bytes(bytes).unwrap(),
        not_after: expires.then_some(NOW + 90 * DAY),
    }
}

fn field(result: Result<(), Refusal>) -> String {
    match result {
        Ok(()) => "fine".to_owned(),
        Err(Refusal::Unprocessable { field, .. }) => field,
        Err(other) => format!("{other:?}"),
    }
}

const ALL: [CredentialKind; 5] = [
    CredentialKind::Password,
    CredentialKind::Token,
    CredentialKind::Device,
    CredentialKind::Link,
    CredentialKind::Recovery,
];

#[test]
fn each_kind_has_its_own_purpose_and_salt() {
    for kind in ALL {
        assert_eq!(field(check(&new(kind), "x.", NOW)), "fine");
        let other =
            if kind == CredentialKind::Recovery { CredentialKind::Device } else { CredentialKind::Recovery };
        let swapped = NewCredential { env: new(other).env, ..new(kind) };
        assert_eq!(field(check(&swapped, "x.", NOW)), "x.env");
        let salt = if kind == CredentialKind::Password { None } else { Some(Salt::from_bytes([5; 16])) };
        assert_eq!(field(check(&NewCredential { salt, ..new(kind) }, "x.", NOW)), "x.salt");
    }
}

#[test]
fn devices_and_links_end_within_90_days_and_passwords_and_kits_never() {
    for kind in [CredentialKind::Device, CredentialKind::Link] {
        for not_after in [None, Some(NOW + 92 * DAY), Some(i64::MAX)] {
            assert_eq!(field(check(&NewCredential { not_after, ..new(kind) }, "x.", NOW)), "x.not_after");
        }
    }
    for kind in [CredentialKind::Password, CredentialKind::Recovery] {
        let ending = NewCredential { not_after: Some(NOW + DAY), ..new(kind) };
        assert_eq!(field(check(&ending, "x.", NOW)), "x.not_after");
    }
}

#[test]
fn nobody_makes_a_credential_for_somebody_else_here() {
    let password = actor(CredentialKind::Password);
    let device = new(CredentialKind::Device);
    assert_eq!(
        check_own(&password, &device, NOW).unwrap().action(),
        Action::AddOwnCredential(CredentialKind::Device)
    );
    let foreign = NewCredential { identity: IdentityId::from_bytes([4; 16]), ..new(CredentialKind::Device) };
    assert_eq!(field(check_own(&password, &foreign, NOW).map(drop)), "identity");
    let endless = NewCredential { not_after: None, ..device.clone() };
    assert_eq!(field(check_own(&password, &endless, NOW).map(drop)), "not_after");
    assert_eq!(field(check_own(&actor(CredentialKind::Token), &device, NOW).map(drop)), "Forbidden");
    assert_eq!(field(check_own(&actor(CredentialKind::Device), &device, NOW).map(drop)), "PasswordNeeded");
}

#[test]
fn a_word_ends_one_s_own_and_an_administrator_s_only_for_an_owner_with_the_password() {
    use CredentialKind::{Device, Link, Password, Recovery, Token};
    let other = IdentityId::from_bytes([8; 16]);
    let may = |role, kind, holder, holder_role, now| {
        may_revoke(&Actor { role, ..actor(kind) }, holder, holder_role, now)
    };
    for role in [Role::Owner, Role::Admin, Role::Viewer] {
        for kind in ALL {
            assert!(may(role, kind, ME, role, NOW + DAY), "{role:?} {kind:?}");
            let works = !matches!(kind, Token | Link | Recovery);
            assert_eq!(may(role, kind, other, Role::Viewer, NOW + DAY), role.administers() && works);
            for holder in [Role::Owner, Role::Admin] {
                let proved = role == Role::Owner && kind == Password;
                assert_eq!(may(role, kind, other, holder, NOW), proved, "{role:?} {kind:?} {holder:?}");
                assert!(!may(role, kind, other, holder, NOW + DAY));
            }
        }
    }
    let proof = Actor { session: None, ..actor(Device) };
    assert!(may_revoke(&proof, ME, Role::Owner, NOW) && !may_revoke(&proof, other, Role::Viewer, NOW));
}
