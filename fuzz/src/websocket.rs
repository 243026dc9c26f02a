//! WebSocket's messages on their way to an agent: frames stay as they are, and no value is in a message.

use keyward_attacks::forms::Forms;
use keyward_gateway::fuzz::messages;
use keyward_gateway::redact::{Held, Scrubber};

const VALUE: &[u8] = b"sk-0123456789abcdefghij";

/// Frames made of the bytes, with the value in some, whole or cut.
pub fn holds(bytes: &[u8]) {
    let scrubber =
        Scrubber::new(&[Held::new(VALUE, None).expect("it is long enough")], 0x9e37_79b9_7f4a_7c15);
    let sent = sent(bytes);
    let forms = Forms::of([VALUE]);
    let whole = messages(&scrubber, &sent, sent.len().max(1));
    for size in [1, 6] {
        let parts = messages(&scrubber, &sent, size);
        assert_eq!(parts.is_some(), whole.is_some(), "it depends on how the bytes arrive");
        if let Some(got) = parts {
            looks_the_same(&forms, &sent, &got);
        }
    }
    if let Some(got) = whole {
        looks_the_same(&forms, &sent, &got);
    }
}

fn looks_the_same(forms: &Forms, sent: &[u8], got: &[u8]) {
    // What is left out is a header or a control frame that was not whole.
    assert!(got.len() <= sent.len());
    let (mut text, mut places, mut message) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0;
    while let Some((header, payload)) = header(&sent[at..]) {
        let end = (at + header + payload).min(sent.len());
        let body = (at + header).min(end)..end;
        if body.start > got.len() {
            break;
        }
        assert_eq!(sent[at..body.start], got[at..body.start], "a header was changed");
        let told = &got[body.start.min(got.len())..body.end.min(got.len())];
        if sent[at] & 8 != 0 {
            assert!(forms.any_in(told).is_none(), "a value is in a control frame");
        } else {
            text.extend_from_slice(&sent[body.clone()]);
            places.extend(body);
            message.extend_from_slice(told);
            if sent[at] & 0x80 != 0 {
                assert!(forms.any_in(&message).is_none(), "a value is in a message");
                message.clear();
            }
        }
        at = end;
    }
    assert!(forms.any_in(&message).is_none(), "a value is in the last message");
    for (covered, place) in forms.covered(&text).into_iter().zip(places) {
        assert!(
            covered || got.get(place).is_none_or(|byte| *byte == sent[place]),
            "what is no form was changed"
        );
    }
}

/// Bytes of the header and of the payload of the first frame.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes {
        [_, 126, a, b, ..] => Some((4, usize::from(u16::from_be_bytes([*a, *b])))),
        [_, 127, length @ ..] => {
            let length = u64::from_be_bytes(*length.first_chunk()?);
            Some((10, usize::try_from(length).ok()?.min(1 << 40)))
        }
        [_, length @ ..=125, ..] => Some((2, usize::from(*length))),
        _ => None,
    }
}

fn sent(mut bytes: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    while let [first, kind, length, rest @ ..] = bytes {
        let (own, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        let cut = usize::from(*length) % VALUE.len();
        let payload = match kind % 6 {
            0 => own.to_vec(),
            1 => [own, VALUE].concat(),
            2 => VALUE[..cut].to_vec(),
            3 => [&VALUE[cut..], own].concat(),
            4 => data_encoding::BASE64.encode(VALUE).into_bytes(),
            // No frame of ours at all.
            _ => {
                sent.extend_from_slice(own);
                bytes = rest;
                continue;
            }
        };
        // Mostly kinds and ends that may be.
        sent.push(if *kind < 128 { first & 0x8b } else { *first });
        if let Ok(short @ ..=125) = u8::try_from(payload.len()) {
            sent.push(short);
        } else {
            sent.push(126);
            sent.extend(u16::try_from(payload.len()).expect("short pieces").to_be_bytes());
        }
        sent.extend(payload);
        bytes = rest;
    }
    sent
}
