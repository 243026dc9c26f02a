//! What the lengths of a write tell (CRYPTO.md §2.3).

use keyward_wire::Envelope;
use keyward_wire::api::write::WriteRequest;
use keyward_wire::envelope::OVERHEAD;
use keyward_wire::limits::VALUE_BYTES;
use zeroize::Zeroizing;

use crate::change::ChangeError;
use crate::fixture::{Sample, name, value};
use crate::state::secret::Secret;

#[test]
fn values_of_20_40_107_and_200_bytes_make_writes_of_the_same_lengths() {
    let lengths = |bytes: usize| {
        let mut sample = Sample::new();
        let alpha = sample.alpha;
        let value = value(&"x".repeat(bytes));
        sample.organisation.write(|draft| draft.add_version(alpha, &value).unwrap());
        lengths(sample.organisation.last())
    };
    let expected = lengths(20);
    for bytes in [40, 107, 200] {
        assert_eq!(lengths(bytes), expected, "{bytes}");
    }
}

#[test]
fn names_of_any_usual_length_make_writes_of_the_same_lengths() {
    let lengths = |text: &str| {
        let mut sample = Sample::new();
        let alpha = sample.alpha;
        sample.organisation.write(|draft| draft.org.rename_key(alpha, name(text)).unwrap());
        lengths(sample.organisation.last())
    };
    assert_eq!(lengths("k"), lengths("a key with a rather long name"));
}

#[test]
fn every_envelope_of_a_write_fills_a_bucket() {
    let sample = Sample::new();
    for length in lengths(sample.organisation.last()) {
        assert!((length - OVERHEAD).is_power_of_two() && length >= OVERHEAD + 512, "{length}");
    }
}

#[test]
fn a_value_of_63_kib_can_be_kept_and_one_more_byte_can_not() {
    let sample = Sample::new();
    let mut draft = sample.organisation.draft();
    let full = Secret::new(Zeroizing::new(vec![0xff; VALUE_BYTES]));
    let more = Secret::new(Zeroizing::new(vec![b'x'; VALUE_BYTES + 1]));
    draft.add_version(sample.alpha, &full).unwrap();
    assert!(matches!(draft.add_version(sample.alpha, &more), Err(ChangeError::TooLarge("the value"))));
    assert!(matches!(draft.add_key(name("more"), &more), Err(ChangeError::TooLarge("the value"))));
    assert_eq!((draft.org.keys.len(), draft.org.keys[0].version), (3, 2), "refused changes change nothing");
}

fn lengths(write: &WriteRequest) -> Vec<usize> {
    let length = |envelope: &Envelope| envelope.as_bytes().len();
    let secrets = write.secrets.iter().map(|secret| length(&secret.env));
    let views = write.views.iter().map(|view| length(&view.env));
    let grants = write.grants.iter().map(|grant| length(&grant.env));
    let escrows = write.escrows.iter().map(|escrow| length(&escrow.env));
    let credentials = write.credentials.iter().map(|credential| length(&credential.env));
    let all = secrets.chain(views).chain(grants).chain(escrows).chain(credentials);
    all.chain([length(&write.org)]).collect()
}
