use axum::http::HeaderValue;
use keyward_wire::{AuthHalf, CredentialId, IdentityId, OrgId, Sha256};
use zeroize::Zeroizing;

use super::memory::Memory;
use super::*;
use crate::audit::Event;
use crate::auth::Proof;

fn key(number: u8) -> Key {
    let credential = CredentialId::from_bytes([number; 16]);
    let claim = Proof::Credential(credential, AuthHalf::from_bytes(Zeroizing::new([1; 32]))).claim();
    Key { claim: claim.unwrap(), deployment: None }
}

fn answer(bytes: usize) -> Answer {
    Answer {
        org: OrgId::from_bytes([1; 16]),
        state: (1, Sha256::of(b"")),
        identity: IdentityId::from_bytes([2; 16]),
        cred: None,
        body: vec![0; bytes].into(),
        etag: HeaderValue::from_static("\"\""),
        read: Event::audit_read(),
        confirmed: Event::audit_read(),
    }
}

#[test]
fn what_was_not_asked_for_longest_makes_room() {
    let memory = Memory::of(100_000);
    for number in 0..3 {
        memory.keep(key(number), answer(20_000));
    }
    assert!(memory.recall(&key(0)).is_some());
    for number in 3..6 {
        memory.keep(key(number), answer(20_000));
        assert!(memory.bytes() <= 100_000, "{}", memory.bytes());
    }
    let kept: Vec<u8> = (0..6).filter(|number| memory.recall(&key(*number)).is_some()).collect();
    assert_eq!(kept, [0, 3, 4, 5]);
}

#[test]
fn a_bundle_takes_its_own_former_place() {
    let memory = Memory::of(100_000);
    memory.keep(key(0), answer(20_000));
    let once = memory.bytes();
    for _ in 0..50 {
        memory.keep(key(0), answer(20_000));
    }
    assert_eq!(memory.bytes(), once);
}

#[test]
fn a_bundle_that_would_drive_out_the_others_is_not_kept() {
    let memory = Memory::of(100_000);
    memory.keep(key(0), answer(20_000));
    memory.keep(key(1), answer(30_000));
    assert!(memory.recall(&key(1)).is_none() && memory.recall(&key(0)).is_some());
}
