use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::write::{NewEscrow, RootEnvelope};
use keyward_wire::{CredentialId, Envelope, IdentityId, Nonce, OrgId, Salt, Sha256};

use super::*;

const NOW: i64 = 1_800_000_000_000;
const OWNER: IdentityId = IdentityId::from_bytes([2; 16]);
const OTHER: IdentityId = IdentityId::from_bytes([4; 16]);

fn envelope(purpose: Purpose) -> Envelope {
    let mut bytes = vec![0; 600];
    bytes[..8].copy_from_slice(b"KWE1\0\x01\0\0");
    bytes[4] = purpose.code();
    Envelope::from_bytes(bytes).unwrap()
}

fn credential(n: u8, kind: CredentialKind, purpose: Purpose) -> NewCredential {
    NewCredential {
        id: CredentialId::from_bytes([n; 16]),
        identity: OWNER,
        kind,
        salt: (kind == CredentialKind::Password).then(|| Salt::from_bytes([5; 16])),
        auth_sha256: Sha256::from_bytes([6; 32]),
        env: envelope(purpose),
        not_after: (kind == CredentialKind::Device).then_some(NOW + 1),
    }
}

fn root(kind: RootKind, identity: Option<IdentityId>, purpose: Purpose) -> RootEnvelope {
    RootEnvelope { kind, identity, generation: 1, env: envelope(purpose) }
}

fn honest() -> SignupRequest {
    SignupRequest {
        org: OrgId::from_bytes([1; 16]),
        identity: OWNER,
        email: "owner@example.com".parse().unwrap(),
        nonce: Nonce::from_bytes([8; 32]),
        state: envelope(Purpose::Org),
        credentials: vec![
            credential(1, CredentialKind::Password, Purpose::Cred),
            credential(2, CredentialKind::Recovery, Purpose::Recovery),
            credential(3, CredentialKind::Device, Purpose::Cred),
        ],
        escrow: NewEscrow { identity: OWNER, creator: None, ik_gen: 1, env: envelope(Purpose::Escrow) },
        roots: vec![
            root(RootKind::Root, Some(OWNER), Purpose::Root),
            root(RootKind::OrgkeyRoot, None, Purpose::OrgKeyRoot),
            root(RootKind::OrgkeyAdmin, Some(OWNER), Purpose::OrgKeyAdmin),
        ],
        setup_code: None,
    }
}

#[test]
fn a_complete_organisation_is_accepted() {
    check(&honest(), NOW).unwrap();
    let mut without_device = honest();
    without_device.credentials.pop();
    check(&without_device, NOW).unwrap();
}

#[test]
fn every_lie_is_refused_where_it_stands() {
    type Lie = fn(&mut SignupRequest);
    let lies: [(&str, Lie); 19] = [
        ("state", |r| r.state = envelope(Purpose::View)),
        ("credentials", |r| r.credentials.clear()),
        ("credentials", |r| drop(r.credentials.remove(0))),
        ("credentials", |r| drop(r.credentials.remove(1))),
        ("credentials", |r| r.credentials.push(credential(9, CredentialKind::Password, Purpose::Cred))),
        ("credentials", |r| r.credentials.push(credential(9, CredentialKind::Device, Purpose::Cred))),
        ("credentials", |r| r.credentials.push(credential(9, CredentialKind::Token, Purpose::Cred))),
        ("credentials[0].id", |r| r.credentials[2].id = r.credentials[0].id),
        ("credentials[1].identity", |r| r.credentials[1].identity = OTHER),
        ("credentials[0].salt", |r| r.credentials[0].salt = None),
        ("escrow", |r| r.escrow.identity = OTHER),
        ("escrow", |r| r.escrow.creator = Some(OWNER)),
        ("escrow.env", |r| r.escrow.env = envelope(Purpose::Root)),
        ("roots", |r| drop(r.roots.pop())),
        ("roots", |r| r.roots[0].identity = Some(OTHER)),
        ("roots", |r| r.roots[1].identity = Some(OWNER)),
        ("roots", |r| r.roots[2].generation = 2),
        ("roots", |r| r.roots[2].env = envelope(Purpose::Root)),
        ("roots", |r| r.roots.push(root(RootKind::Root, Some(OTHER), Purpose::Root))),
    ];
    for (n, (at, lie)) in lies.into_iter().enumerate() {
        let mut request = honest();
        lie(&mut request);
        match check(&request, NOW) {
            Err(Refusal::Unprocessable { field, .. }) => assert_eq!(field, at, "lie {n}"),
            other => panic!("lie {n}: {other:?}"),
        }
    }
}
