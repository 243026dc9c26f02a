use proptest::prelude::*;

use super::*;
use crate::derive::derive_secret;

/// V0 of CRYPTO.md §2.15.
const V0: &str =
    "kwt1_aaisem2ekvthpcezvk54zxpoam_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq_t7hz7y";

#[test]
fn known_answer_v0() {
    let token = Token::parse(V0).unwrap();
    assert_eq!(token.kind, TokenKind::Api);
    assert_eq!(token.id.to_string(), "00112233-4455-6677-8899-aabbccddee03");
    assert_eq!(token.secret.bytes().as_slice(), (0..32).collect::<Vec<u8>>());
    assert_eq!(token.encode().as_str(), V0);
}

#[test]
fn a_character_changed_dropped_or_doubled_anywhere_is_refused() {
    let letters: Vec<char> = "abcdefghijklmnopqrstuvwxyz234567_ABZ0189=- \n\u{e9}".chars().collect();
    let original: Vec<char> = V0.chars().collect();
    for at in 0..original.len() {
        for &letter in letters.iter().filter(|&&letter| letter != original[at]) {
            let mut mutated = original.clone();
            mutated[at] = letter;
            let mutated: String = mutated.iter().collect();
            assert!(Token::parse(&mutated).is_err(), "{mutated}");
        }
        let mut dropped = original.clone();
        dropped.remove(at);
        assert!(Token::parse(&dropped.iter().collect::<String>()).is_err());
        let mut doubled = original.clone();
        doubled.insert(at, original[at]);
        assert!(Token::parse(&doubled.iter().collect::<String>()).is_err());
    }
}

#[test]
fn the_error_says_what_was_expected_and_nothing_of_the_text() {
    let error = |text: &str| Token::parse(text).err().unwrap().to_string();
    assert_eq!(error("kwx1_secret"), "not a token (kwt1_…, kwd1_…, kwi1_… or kwr1_…)");
    assert_eq!(
        error(&V0.replace("t7hz7y", "t7hz7a")),
        "an API token (kwt1_…) that was mistyped or cut: copy it again, whole"
    );
    assert_eq!(
        error("kwr1_secret"),
        "a recovery code (kwr1_…) that was mistyped or cut: copy it again, whole"
    );
    assert_eq!(Halves::parse(V0).err().unwrap().to_string(), "not a stored sign-in (kwh1_…)");
}

#[test]
fn generated_tokens_have_the_documented_shape_and_differ() {
    for kind in TokenKind::ALL {
        let (first, second) = (Token::generate(kind), Token::generate_for(kind, new_id()));
        assert_eq!(first.encode().len(), 91);
        assert!(first.encode().starts_with(kind.prefix()));
        assert_ne!(first.secret.bytes(), second.secret.bytes());
        assert_ne!(first.id, second.id);
    }
}

#[test]
fn stored_halves_serve_as_the_token_did_but_do_not_hold_it() {
    let token = Token::generate(TokenKind::Api);
    let keys = derive_secret(token.id, &token.secret);
    let text = Halves::from_keys(token.id, &keys).encode();
    assert_eq!(text.len(), 144);
    let (id, back) = Halves::parse(&text).unwrap().into_keys();
    assert_eq!(id, token.id);
    assert_eq!(back.auth.as_bytes(), keys.auth.as_bytes());
    assert_eq!(back.unlock.bytes(), keys.unlock.bytes());
    assert!(!text.contains(&BASE32.encode(token.secret.bytes())));
}

#[test]
fn a_text_never_outgrows_its_buffer() {
    let keys = derive_secret(new_id(), &CredentialSecret::generate());
    assert_eq!(Halves::from_keys(new_id(), &keys).encode().capacity(), 144);
}

proptest! {
    #[test]
    fn what_was_written_reads_back(id: [u8; 16], secret: [u8; 32], kind in 0_usize..4) {
        let kind = TokenKind::ALL[kind];
        let id = CredentialId::from_bytes(id);
        let token = Token { kind, id, secret: CredentialSecret::from_bytes(Zeroizing::new(secret)) };
        let back = Token::parse(&token.encode()).unwrap();
        prop_assert_eq!((back.kind, back.id, back.secret.bytes()), (kind, id, &secret));
    }

    #[test]
    fn arbitrary_text_is_read_only_as_what_writes_it(text in "kw[tdirh]1_[a-z2-7_]{0,140}|\\PC{0,100}") {
        if let Ok(token) = Token::parse(&text) {
            prop_assert!(*token.encode() == text);
        }
        if let Ok(halves) = Halves::parse(&text) {
            prop_assert!(*halves.encode() == text);
        }
    }
}
