//! Whatever the text and the values are, held against the plain search of the attacks.

use proptest::prelude::*;

use super::*;

/// A value of letters that often meet, so that forms overlap.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(b"ab01".as_slice()), 8..20),
        proptest::collection::vec(proptest::sample::select(b"aZ9+/=-_\"'<>.~".as_slice()), 8..40),
        // As escapes go on.
        proptest::collection::vec(proptest::sample::select(b"nu0x245/".as_slice()), 8..14),
    ]
}

/// Text with forms of the values in it.
fn body(values: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let value = proptest::sample::select(values.to_vec());
    let piece = (value, any::<u8>(), any::<Vec<bool>>()).prop_map(|(value, kind, choices)| {
        let mut choices = choices.into_iter().chain([true]).cycle();
        let mut escaped = |write: fn(u8) -> String| -> Vec<u8> {
            let bytes = value.iter().map(|byte| {
                if choices.next() == Some(true) { write(*byte).into_bytes() } else { vec![*byte] }
            });
            bytes.collect::<Vec<_>>().concat()
        };
        match kind % 14 {
            0 => value.clone(),
            1 => HEXLOWER.encode(&value).into_bytes(),
            2 => BASE64.encode(&[&b"ab01"[..usize::from(kind / 12 % 4)], &value, b"a"].concat()).into_bytes(),
            3 => BASE64URL_NOPAD
                .encode(&[&b"ab01"[..usize::from(kind / 12 % 4)], &value].concat())
                .into_bytes(),
            4 => escaped(|byte| format!("%{byte:02X}")),
            5 => escaped(|byte| format!("\\u{byte:04x}")),
            6 => escaped(|byte| format!("&#{byte};")),
            7 => value[..value.len() - 1].to_vec(),
            8 => value.iter().flat_map(|byte| [*byte, 0]).collect(),
            9 => b"%25\\\\&amp;".to_vec(),
            10 => b"a0b1\n".to_vec(),
            11 => {
                [b"%25".repeat(usize::from(kind / 14 % 3)), escaped(|byte| format!("%{byte:02x}"))].concat()
            }
            12 => {
                let write = |byte| if byte == b'/' { "\\/".to_owned() } else { format!("\\u{byte:04x}") };
                [b"\\".repeat(usize::from(kind / 14 % 9)), escaped(write)].concat()
            }
            _ => vec![kind],
        }
    });
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn values_and_body() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<u8>, Vec<usize>)> {
    proptest::collection::vec(value(), 1..3).prop_flat_map(|values| {
        let body = body(&values);
        (Just(values), body, proptest::collection::vec(1..80_usize, 1..6))
    })
}

proptest! {
    #[test]
    fn exactly_the_complete_forms_are_covered_however_the_text_arrives(
        (values, body, sizes) in values_and_body(),
    ) {
        let held: Vec<Held> = values.iter().map(|value| Held::new(value, None).unwrap()).collect();
        let scrubber = Scrubber::new(&held, 0x1234_5678_9abc_def1);
        let whole = scrubber.text(&body).map_or_else(|| body.clone(), |(text, _)| text);
        let forms = forms::Forms::of(&values);
        let covered = forms.covered(&body);
        prop_assert_eq!(whole.len(), body.len());
        for (at, covered) in covered.iter().enumerate() {
            prop_assert!(*covered || whole[at] == body[at], "byte {} is no part of a form", at);
        }
        // A form that is there now has something of what covers in it: the text said the rest itself.
        let (left, mut end) = (forms.covered(&whole), 0);
        for run in left.chunk_by(|one, next| one == next) {
            let range = end..end + run.len();
            end = range.end;
            prop_assert!(!run[0] || body[range.clone()] != whole[range], "a form is left");
        }
        let mut stream = Stream::new();
        let (mut out, mut came) = (Vec::new(), 0);
        for size in sizes.iter().cycle() {
            let piece = &body[came..body.len().min(came + size)];
            if piece.is_empty() {
                break;
            }
            came += piece.len();
            out.extend_from_slice(&stream.push(&scrubber, Bytes::copy_from_slice(piece)));
            // What is held back depends on lengths and line ends only.
            let line = body[..came].iter().rposition(|byte| b"\r\n".contains(byte)).map_or(0, |at| at + 1);
            prop_assert!(out.len() <= came.saturating_sub(scrubber.reach()).max(line));
            prop_assert!(out.len() >= (came + 1).saturating_sub(2 * scrubber.reach()).max(line));
        }
        out.extend_from_slice(&stream.finish(&scrubber));
        prop_assert_eq!(&out, &whole);
    }

    #[test]
    fn r22_a_text_without_a_value_is_not_touched(body in any::<Vec<u8>>(), size in 1..50_usize) {
        prop_assert_eq!(&scrub(&body), &body);
        prop_assert_eq!(stream(&body, &[size]), body);
    }
}
