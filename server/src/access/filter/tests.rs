use keyward_wire::access::MappingFact;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{CredentialId, MappingId};

use super::*;
use crate::access::Session;

const fn key(n: u8) -> KeyId {
    KeyId::from_bytes([n; 16])
}
const fn group(n: u8) -> GroupId {
    GroupId::from_bytes([n; 16])
}
const fn deployment(n: u8) -> DeploymentId {
    DeploymentId::from_bytes([n; 16])
}

const NOTHING: [u8; 0] = [];

fn actor(role: Role) -> Actor {
    Actor {
        org: OrgId::from_bytes([1; 16]),
        identity: IdentityId::from_bytes([2; 16]),
        kind: IdentityKind::Human,
        role,
        credential: CredentialId::from_bytes([3; 16]),
        credential_kind: CredentialKind::Device,
        session: Some(Session { signed_in_at: 0 }),
    }
}

/// Group 1: deployment 1 with keys 1, 2 and 3, of which 2 is excluded. Group 2: deployment 2 with keys 2 and 4.
fn facts() -> Facts {
    let pairs = [(1, 1), (1, 2), (1, 3), (2, 2), (2, 4)];
    let mapping = |(n, (d, k)): (u8, (u8, u8))| MappingFact {
        id: MappingId::from_bytes([n; 16]),
        deployment: deployment(d),
        key: key(k),
    };
    Facts {
        mappings: (1..).zip(pairs).map(mapping).collect(),
        assignments: [(group(1), deployment(1)), (group(2), deployment(2))].into(),
        exclusions: [(group(1), deployment(1), key(2))].into(),
    }
}

fn keys(role: Role, groups: &[u8], at: Option<u8>) -> Vec<u8> {
    let groups = groups.iter().map(|n| group(*n)).collect();
    let readable = readable(&actor(role), &groups, &facts(), at.map(deployment));
    readable.keys().iter().map(|key| key.as_bytes()[0]).collect()
}

#[test]
fn an_excluded_key_is_in_no_bundle() {
    for role in [Role::User, Role::Viewer] {
        assert_eq!(keys(role, &[1], None), [1, 3]);
        assert_eq!(keys(role, &[1], Some(1)), [1, 3]);
        assert_eq!(keys(role, &[1, 2], None), [1, 3, 4]);
        assert_eq!(keys(role, &[1, 2], Some(2)), [4]);
    }
}

#[test]
fn a_foreign_or_unknown_deployment_holds_nothing() {
    assert_eq!(keys(Role::User, &[1], Some(2)), NOTHING);
    // Key 2 may be read, but not as part of a deployment that is not theirs.
    assert_eq!(keys(Role::User, &[2], Some(1)), NOTHING);
    assert_eq!(keys(Role::User, &[1], Some(9)), NOTHING);
    assert_eq!(keys(Role::User, &[], None), NOTHING);
    assert_eq!(keys(Role::Owner, &[], Some(9)), NOTHING);
}

#[test]
fn owners_and_admins_get_the_whole_deployment_and_nothing_without_one() {
    for role in [Role::Owner, Role::Admin] {
        assert_eq!(keys(role, &[1], Some(1)), [1, 2, 3]);
        assert_eq!(keys(role, &[1], Some(2)), [2, 4]);
        assert_eq!(keys(role, &[1], None), NOTHING);
    }
}

#[test]
fn a_witness_says_whose_it_is() {
    let witness = readable(&actor(Role::User), &BTreeSet::new(), &facts(), None);
    assert_eq!(witness.org(), OrgId::from_bytes([1; 16]));
    assert_eq!(witness.identity(), IdentityId::from_bytes([2; 16]));
}
