//! `tests/vectors/*.json`, made by another implementation, hold this one to the format. Their README explains them.

use data_encoding::HEXLOWER;
use keyward_wire::limits::STATE_BYTES;
use keyward_wire::{CredentialId, Envelope, IdentityId, Nonce, OrgId, Purpose, Salt, Sha256};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::credential_secret::CredentialSecret;
use crate::derive::{
    CredentialKeys, PASSWORD_ROUNDS, SECRET_ROUNDS, derive_delivery, derive_password, derive_secret, root,
};
use crate::envelope::{open, seal_with_nonce};
use crate::key::material::Material as _;
use crate::key::{DataKey, IdentityKey};
use crate::padding::{pad, unpad};
use crate::password::Password;
use crate::token::{Halves, Token, TokenError};

#[test]
fn contexts() {
    let file = read(include_str!("../../../tests/vectors/contexts.json"));
    for case in cases(&file, "cases", 14) {
        assert_eq!(HEXLOWER.encode(&context(case).encode()), text(case, "bytes"), "{}", name(case));
    }
}

#[test]
fn paddings_to_make() {
    let file = read(include_str!("../../../tests/vectors/padding.json"));
    for case in cases(&file, "good", 14) {
        let padded = pad(&vec![b'a'; count(case, "length")]).unwrap();
        assert_eq!(padded.len(), count(case, "padded"));
        assert_eq!(hash(&padded), text(case, "sha256"), "{}", padded.len());
    }
    assert!(pad(&vec![b'a'; STATE_BYTES + 1]).is_err());
}

#[test]
fn paddings_to_refuse() {
    let file = read(include_str!("../../../tests/vectors/padding.json"));
    for case in cases(&file, "bad", 12) {
        assert!(unpad(Zeroizing::new(hex(case, "padded"))).is_none(), "{}", name(case));
    }
}

#[test]
fn envelopes_to_make_and_open() {
    let file = read(include_str!("../../../tests/vectors/envelopes.json"));
    for case in cases(&file, "good", 31) {
        let (key, ctx) = (DataKey::from_bytes(Zeroizing::new(array(case, "key"))), context(case));
        let plaintext = hex(case, "plaintext").repeat(count(case, "times"));
        let sealed = seal_with_nonce(&key, &ctx, &plaintext, &array(case, "nonce")).unwrap();
        assert_eq!(sealed.as_bytes().len(), count(case, "length"), "{}", name(case));
        assert_eq!(hash(sealed.as_bytes()), text(case, "sha256"), "{}", name(case));
        assert_eq!(open(&key, &ctx, &sealed).unwrap().as_slice(), plaintext, "{}", name(case));
        if let Some(envelope) = case.get("envelope") {
            assert!(
                serde_json::from_value::<Envelope>(envelope.clone()).unwrap() == sealed,
                "{}",
                name(case)
            );
        }
    }
}

#[test]
fn envelopes_to_refuse() {
    let file = read(include_str!("../../../tests/vectors/envelopes.json"));
    let mut reached_the_key = 0;
    for case in cases(&file, "bad", 79) {
        let Ok(envelope) = serde_json::from_value::<Envelope>(case["envelope"].clone()) else { continue };
        let key = DataKey::from_bytes(Zeroizing::new(array(case, "key")));
        assert!(open(&key, &context(case), &envelope).is_err(), "{}", name(case));
        reached_the_key += 1;
    }
    // The others are refused by their public header, length or spelling.
    assert_eq!(reached_the_key, 39);
}

#[test]
fn password_derivations() {
    let file = read(include_str!("../../../tests/vectors/derivations.json"));
    for case in cases(&file, "passwords", 8) {
        let (password, email) =
            (Password::entered(text(case, "password")), text(case, "email").parse().unwrap());
        let (cred, salt) = (CredentialId::from_bytes(array(case, "credential")), array(case, "salt"));
        let label = keyward_wire::name::Email::as_str(&email).as_bytes();
        let root = root(password.bytes(), cred, &salt, label, PASSWORD_ROUNDS);
        assert_eq!(HEXLOWER.encode(&*root), text(case, "root"), "{}", name(case));
        assert_halves(case, &derive_password(&password, &email, cred, &Salt::from_bytes(salt)));
    }
}

#[test]
fn secret_derivations() {
    let file = read(include_str!("../../../tests/vectors/derivations.json"));
    for case in cases(&file, "secrets", 4) {
        let (cred, secret) = (array(case, "credential"), array(case, "secret"));
        let root = root(&secret, CredentialId::from_bytes(cred), &cred, b"", SECRET_ROUNDS);
        assert_eq!(HEXLOWER.encode(&*root), text(case, "root"), "{}", name(case));
        let secret = CredentialSecret::from_bytes(Zeroizing::new(secret));
        assert_halves(case, &derive_secret(CredentialId::from_bytes(cred), &secret));
    }
}

#[test]
fn delivery_derivations() {
    let file = read(include_str!("../../../tests/vectors/derivations.json"));
    for case in cases(&file, "deliveries", 6) {
        let key = derive_delivery(
            &IdentityKey::from_bytes(Zeroizing::new(array(case, "identity_key"))),
            OrgId::from_bytes(array(case, "org")),
            IdentityId::from_bytes(array(case, "identity")),
            number(case, "epoch"),
            &Nonce::from_bytes(array(case, "nonce")),
        );
        assert_eq!(HEXLOWER.encode(key.bytes()), text(case, "key"), "{}", name(case));
    }
}

#[test]
fn tokens_to_write_and_read() {
    let file = read(include_str!("../../../tests/vectors/tokens.json"));
    for case in cases(&file, "tokens", 8) {
        let token = Token::parse(text(case, "text")).unwrap();
        assert_eq!(token.kind.prefix(), text(case, "kind"));
        assert_eq!(token.id.as_bytes(), &array(case, "id"));
        assert_eq!(token.secret.bytes(), &array(case, "secret"));
        assert_eq!(token.encode().as_str(), text(case, "text"));
    }
    for case in cases(&file, "halves", 2) {
        let halves = Halves::parse(text(case, "text")).unwrap();
        assert_eq!(halves.id.as_bytes(), &array(case, "id"));
        assert_eq!(halves.auth.as_bytes(), &array(case, "auth"));
        assert_eq!(halves.unlock.bytes(), &array(case, "unlock"));
        assert_eq!(halves.encode().as_str(), text(case, "text"));
    }
}

#[test]
fn tokens_to_refuse() {
    let file = read(include_str!("../../../tests/vectors/tokens.json"));
    for case in cases(&file, "bad", 43) {
        let given = text(case, "text");
        let error = match text(case, "reader") {
            "token" => Token::parse(given).err(),
            "halves" => Halves::parse(given).err(),
            other => panic!("no reader {other}"),
        };
        let said = match error.unwrap_or_else(|| panic!("{} was read", name(case))) {
            TokenError::Other { .. } => "other",
            TokenError::Damaged { .. } => "damaged",
        };
        assert_eq!(said, text(case, "error"), "{}", name(case));
    }
}

fn assert_halves(case: &Value, keys: &CredentialKeys) {
    assert_eq!(HEXLOWER.encode(keys.auth.as_bytes()), text(case, "auth"), "{}", name(case));
    assert_eq!(HEXLOWER.encode(keys.auth.verifier().as_bytes()), text(case, "verifier"), "{}", name(case));
    assert_eq!(HEXLOWER.encode(keys.unlock.bytes()), text(case, "unlock"), "{}", name(case));
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// The cases of a list, and proof that none was lost on the way.
fn cases<'f>(file: &'f Value, list: &str, expected: usize) -> &'f [Value] {
    let cases = file[list].as_array().unwrap();
    assert_eq!(cases.len(), expected, "cases in {list}");
    cases
}

fn context(case: &Value) -> Context {
    let fields = &case["context"];
    let [purpose] = array(fields, "purpose");
    Context::new(Purpose::from_code(purpose).unwrap())
        .org(OrgId::from_bytes(array(fields, "org")))
        .a(&array(fields, "a"))
        .b(&array(fields, "b"))
        .n1(number(fields, "n1"))
        .n2(number(fields, "n2"))
}

fn name(case: &Value) -> &str {
    text(case, "name")
}

fn text<'c>(case: &'c Value, field: &str) -> &'c str {
    case[field].as_str().unwrap()
}

fn count(case: &Value, field: &str) -> usize {
    case[field].as_u64().unwrap().try_into().unwrap()
}

fn number(case: &Value, field: &str) -> u64 {
    text(case, field).parse().unwrap()
}

fn hex(case: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(text(case, field).as_bytes()).unwrap()
}

fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    hex(case, field).try_into().unwrap()
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(Sha256::of(bytes).as_bytes())
}
