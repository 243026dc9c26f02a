use std::collections::HashSet;

use data_encoding::HEXLOWER;
use keyward_wire::limits::STATE_BYTES;
use keyward_wire::{KeyId, OrgId, Purpose};
use proptest::prelude::*;

use super::*;
use crate::key::{DataKey, ViewKey};

const SAMPLE: &[u8] = br#"{"v":1,"value":"hunter2"}"#;

fn id(last: u8) -> [u8; 16] {
    let mut id = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\x00";
    id[15] = last;
    id
}

fn secret_context() -> Context {
    let key = KeyId::from_bytes(id(4));
    Context::new(Purpose::Secret).org(OrgId::from_bytes(id(1))).b(key.as_bytes()).n1(1).n2(3)
}

fn data_key(byte: u8) -> DataKey {
    DataKey::from_bytes(Zeroizing::new([byte; 32]))
}

/// V4 of CRYPTO.md §2.15.
#[test]
fn known_answer_v4() {
    let ctx = secret_context();
    assert_eq!(
        HEXLOWER.encode(&ctx.encode()),
        "4b5743312801000000112233445566778899aabbccddee01\
         0000000000000000000000000000000000112233445566778899aabbccddee04\
         00000000000000010000000000000003"
    );
    let envelope = seal_with_nonce(&data_key(0x44), &ctx, SAMPLE, &[0x33; 32]).unwrap();
    let bytes = envelope.as_bytes();
    assert_eq!(bytes.len(), 600);
    let commitment = "0804c2854cb70405015e1101fd4e956c5c17fb1174746e4a076074cf987eb1df";
    assert_eq!(HEXLOWER.encode(&bytes[40..72]), commitment);
    assert_eq!(HEXLOWER.encode(&bytes[72..88]), "0c1c4bb139229649290498edc453f3eb");
    assert_eq!(HEXLOWER.encode(&bytes[584..]), "977855ab8fd5e3dea1ba420aef31a115");
    let sha256 = "644c8e0f8cf5f2a2583c10ed60976429af293ff950e0dd1288924d0a28f95846";
    assert_eq!(HEXLOWER.encode(envelope.sha256().as_bytes()), sha256);
    assert_eq!(open(&data_key(0x44), &ctx, &envelope).unwrap().as_slice(), SAMPLE);
}

#[test]
fn every_bit_of_an_envelope_counts() {
    let (key, ctx) = (data_key(1), secret_context());
    let envelope = seal(&key, &ctx, SAMPLE).unwrap();
    let opened = |bytes: Vec<u8>| {
        let envelope = Envelope::from_bytes(bytes).ok()?;
        open(&key, &ctx, &envelope).ok()
    };
    assert!(opened(envelope.as_bytes().to_vec()).is_some());
    for at in 0..envelope.as_bytes().len() {
        for bit in 0..8 {
            let mut bytes = envelope.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            assert!(opened(bytes).is_none(), "byte {at}, bit {bit}");
        }
    }
}

/// The bytes of a context that its fields do not reach are lies of `envelopes.json`.
#[test]
fn every_bit_of_every_context_field_counts() {
    let key = data_key(1);
    let envelope = seal(&key, &secret_context(), SAMPLE).unwrap();
    let refused = |ctx: Context| open(&key, &ctx, &envelope) == Err(Integrity);
    assert!(!refused(secret_context()));
    let flip = |mut bytes: [u8; 16], bit: usize| {
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    for bit in 0..128 {
        assert!(refused(secret_context().org(OrgId::from_bytes(flip(id(1), bit)))), "org, bit {bit}");
        assert!(refused(secret_context().a(&flip([0; 16], bit))), "a, bit {bit}");
        assert!(refused(secret_context().b(&flip(id(4), bit))), "b, bit {bit}");
    }
    for bit in 0..64 {
        assert!(refused(secret_context().n1(1 ^ (1 << bit))), "n1, bit {bit}");
        assert!(refused(secret_context().n2(3 ^ (1 << bit))), "n2, bit {bit}");
    }
}

#[test]
fn only_the_key_opens() {
    let ctx = secret_context();
    let envelope = seal(&data_key(1), &ctx, SAMPLE).unwrap();
    for bit in 0..256 {
        let mut bytes = Zeroizing::new([1; 32]);
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&DataKey::from_bytes(bytes), &ctx, &envelope).err(), Some(Integrity), "bit {bit}");
    }
}

/// A relabelled header does not make one of the same key's envelopes another (MS-12).
#[test]
fn an_envelope_does_not_open_as_another_purpose() {
    let key = ViewKey::generate();
    for (sealed, read) in [(Purpose::View, Purpose::Grant), (Purpose::Secret, Purpose::View)] {
        let envelope = seal(&key, &Context::new(sealed), SAMPLE).unwrap();
        assert!(open(&key, &Context::new(read), &envelope).is_err());
        let mut bytes = envelope.into_bytes();
        bytes[4] = read.code();
        let relabelled = Envelope::from_bytes(bytes).unwrap();
        assert!(open(&key, &Context::new(read), &relabelled).is_err());
        assert!(open(&key, &Context::new(sealed), &relabelled).is_err());
    }
}

/// AES-GCM by itself does not commit to its key; C does, before anything is decrypted.
#[test]
fn a_true_ciphertext_with_another_commitment_is_refused() {
    let (key, ctx) = (data_key(1), secret_context());
    let other = seal_with_nonce(&data_key(2), &ctx, SAMPLE, &[9; 32]).unwrap();
    let mut bytes = seal_with_nonce(&key, &ctx, SAMPLE, &[9; 32]).unwrap().into_bytes();
    bytes[40..72].copy_from_slice(&other.as_bytes()[40..72]);
    let mixed = Envelope::from_bytes(bytes).unwrap();
    assert!(open(&key, &ctx, &mixed).is_err());
    assert!(open(&data_key(2), &ctx, &mixed).is_err());
}

/// MS-65.
#[test]
fn the_size_of_an_envelope_does_not_tell_common_values_apart() {
    let size = |length| seal(&data_key(1), &secret_context(), &vec![b'x'; length]).unwrap().as_bytes().len();
    for length in [0, 20, 40, 107, 200, 508] {
        assert_eq!(size(length), 600, "{length}");
    }
    assert_eq!(size(509), 88 + 1024);
}

/// MS-66.
#[test]
fn seals_never_repeat_a_nonce_nor_show_that_plaintexts_are_the_same() {
    let (key, ctx) = (data_key(1), secret_context());
    let mut nonces = HashSet::new();
    let mut windows = HashSet::new();
    for round in 0..20_000 {
        let envelope = seal(&key, &ctx, SAMPLE).unwrap();
        let (_, body) = envelope.as_bytes().split_at(8);
        assert!(nonces.insert(<[u8; 32]>::try_from(&body[..32]).unwrap()));
        if round < 50 {
            for window in body.windows(9) {
                assert!(windows.insert(<[u8; 9]>::try_from(window).unwrap()));
            }
        }
    }
}

#[test]
fn the_largest_plaintext_is_sealed_and_one_byte_more_is_refused() {
    let (key, ctx) = (data_key(1), secret_context());
    let mut plaintext = vec![b'x'; STATE_BYTES];
    let envelope = seal(&key, &ctx, &plaintext).unwrap();
    assert_eq!(envelope.as_bytes().len(), 88 + 8 * 1024 * 1024);
    assert_eq!(open(&key, &ctx, &envelope).unwrap().as_slice(), plaintext);
    plaintext.push(b'x');
    assert_eq!(seal(&key, &ctx, &plaintext).err(), Some(TooLarge));
}

/// Every cause says the same.
#[test]
fn integrity_says_one_thing() {
    assert_eq!(Integrity.to_string(), "not what was sealed, or not for this reader");
    assert_eq!(size_of::<Integrity>(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_sealed_opens_to_itself(
        plaintext in prop::collection::vec(any::<u8>(), 0..3000),
        key: [u8; 32], org: [u8; 16], a: [u8; 16], b: [u8; 16], n1: u64, n2: u64,
    ) {
        let key = DataKey::from_bytes(Zeroizing::new(key));
        let ctx = Context::new(Purpose::Secret).org(OrgId::from_bytes(org)).a(&a).b(&b).n1(n1).n2(n2);
        let envelope = seal(&key, &ctx, &plaintext).unwrap();
        let opened = open(&key, &ctx, &envelope).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
    }

    #[test]
    fn arbitrary_bytes_neither_open_nor_panic(
        header in prop::sample::select(vec![*b"KWE1\x28\x01\0\0", *b"KWE1\x29\x01\0\0", *b"KWC1\x28\x01\0\0"]),
        body in prop::collection::vec(any::<u8>(), 500..700),
        cut: bool,
    ) {
        let mut bytes = [header.as_slice(), &body].concat();
        if cut {
            bytes.resize(600, 0);
        }
        if let Ok(envelope) = Envelope::from_bytes(bytes) {
            prop_assert!(open(&data_key(1), &secret_context(), &envelope).is_err());
        }
    }
}
