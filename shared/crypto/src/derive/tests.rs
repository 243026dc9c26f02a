use data_encoding::HEXLOWER;

use super::*;

fn id(last: u8) -> [u8; 16] {
    let mut id = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\x00";
    id[15] = last;
    id
}

fn cred() -> CredentialId {
    CredentialId::from_bytes(id(3))
}

fn counting() -> [u8; 32] {
    std::array::from_fn(|at| u8::try_from(at).unwrap())
}

fn hex(keys: &CredentialKeys) -> [String; 2] {
    [HEXLOWER.encode(keys.auth.as_bytes()), HEXLOWER.encode(keys.unlock.bytes())]
}

/// V1 of CRYPTO.md §2.15.
#[test]
fn known_answer_v1() {
    let root = root(&counting(), cred(), &id(3), b"", SECRET_ROUNDS);
    let expected = "e0a73c1e5452e8331137192c149768ea8f1e377505e09cbe40a4e3a40b83efc5";
    assert_eq!(HEXLOWER.encode(&*root), expected);
    let keys = derive_secret(cred(), &CredentialSecret::from_bytes(Zeroizing::new(counting())));
    let auth = "f933ce112ed94536f59e60d04690c1fe5b9dc5a2ee03bae832e743afeccace51";
    let unlock = "ff706cb53396b9aea9745f54b5a725fd3684657629b88e4d3f3fe107ba532914";
    assert_eq!(hex(&keys), [auth, unlock]);
    let verifier = "7637a27d40e604b4866d18685201843cf80a5b464ffe208ae9013d3b0261b1a3";
    assert_eq!(HEXLOWER.encode(keys.auth.verifier().as_bytes()), verifier);
}

/// V2 of CRYPTO.md §2.15.
#[test]
fn known_answer_v2() {
    let password = Password::entered("correct horse battery staple");
    let salt = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let root = root(password.bytes(), cred(), &salt, b"alice@example.com", PASSWORD_ROUNDS);
    let expected = "5740cd88b83413569672b52510b2de4dd2aaf89511cea2744b05ba02847dc045";
    assert_eq!(HEXLOWER.encode(&*root), expected);
    let email = "alice@example.com".parse().unwrap();
    let keys = derive_password(&password, &email, cred(), &Salt::from_bytes(salt));
    let auth = "30b206c46843f5ca6901b32eda659382feeab23af3d57c9debfb538300fe3f31";
    let unlock = "c30dffc3e9caa76867ef28acf8006a43ccb3f0f0db0f84589d841416a886375c";
    assert_eq!(hex(&keys), [auth, unlock]);
}

/// V3 of CRYPTO.md §2.15.
#[test]
fn known_answer_v3() {
    let key = derive_delivery(
        &IdentityKey::from_bytes(Zeroizing::new([0x11; 32])),
        OrgId::from_bytes(id(1)),
        IdentityId::from_bytes(id(2)),
        7,
        &Nonce::from_bytes([0x22; 32]),
    );
    let expected = "ab75d7c79de9f287e8e69b58b837178720ecce9c3d0e68378a39d4ebca1115db";
    assert_eq!(HEXLOWER.encode(key.bytes()), expected);
}

/// A server that gives one person's credential id and salt to another learns nothing (MS-28).
#[test]
fn the_same_password_and_salt_of_another_person_give_other_halves() {
    let derive = |email: &str| {
        let password = Password::entered("correct horse battery staple");
        hex(&derive_password(&password, &email.parse().unwrap(), cred(), &Salt::from_bytes([1; 16])))
    };
    let (alice, bob) = (derive("alice@example.com"), derive("bob@example.com"));
    assert_ne!(alice[0], bob[0]);
    assert_ne!(alice[1], bob[1]);
    assert_ne!(alice[0], alice[1]);
}
