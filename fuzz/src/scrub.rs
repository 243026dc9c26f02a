//! What the gateway's scrubber covers: every complete form of a value, nothing else, however the text arrives.

use bytes::Bytes;
use keyward_attacks::forms::{Forms, is_plain};
use keyward_gateway::redact::{Held, Scrubber, Stream};

/// Values and a text made of the bytes, with the values in it in forms of all kinds, whole and cut short.
pub fn holds(bytes: &[u8]) {
    let mut bytes = Source { bytes };
    let values: Vec<Vec<u8>> = (0..=bytes.next() % 3).map(|_| bytes.value()).collect();
    let text = bytes.text(&values);

    let held: Vec<Held> =
        values.iter().map(|value| Held::new(value, None).expect("eight bytes or more")).collect();
    let scrubber = Scrubber::new(&held, 0x9e37_79b9_7f4a_7c15);
    let whole = scrubber.text(&text).map_or_else(|| text.clone(), |(text, _)| text);
    let forms = Forms::of(&values);
    let wanted = forms.covered(&text);
    assert_eq!(whole.len(), text.len());
    let plain = values.iter().all(|value| is_plain(value));
    for ((wanted, before), after) in wanted.iter().zip(&text).zip(&whole) {
        assert!(*wanted || before == after || !plain, "what is no form was changed");
    }
    // A form that is there now has something of what covers in it: the agent wrote the rest itself.
    let left = forms.covered(&whole);
    let mut at = 0;
    for run in left.chunk_by(|one, next| one == next) {
        let range = at..at + run.len();
        at = range.end;
        let is_new = text[range.clone()] != whole[range.clone()];
        assert!(!run[0] || !plain || is_new, "a form is left at {range:?}");
    }

    // The same, however it arrives.
    let mut stream = Stream::new();
    let mut streamed = Vec::new();
    let mut rest = Bytes::from(text.clone());
    let total = rest.len();
    let one_line = |value: &Vec<u8>| value.iter().all(|byte| byte.is_ascii() && !b"\r\n".contains(byte));
    let lines = values.iter().all(one_line);
    while !rest.is_empty() {
        let size = usize::from(bytes.next() % 40).min(rest.len());
        streamed.extend_from_slice(&stream.push(&scrubber, rest.split_to(size)));
        // What is held back depends on lengths and line ends only.
        let came = total - rest.len();
        let line_end = text[..came].iter().rposition(|byte| b"\r\n".contains(byte)).map_or(0, |at| at + 1);
        assert!(streamed.len() <= came.saturating_sub(scrubber.reach()).max(line_end));
        let least = if lines { line_end } else { 0 };
        assert!(streamed.len() >= (came + 1).saturating_sub(2 * scrubber.reach()).max(least));
    }
    streamed.extend_from_slice(&stream.finish(&scrubber));
    assert_eq!(streamed, whole, "it depends on how the text arrives");
}

/// Bytes as choices.
struct Source<'a> {
    bytes: &'a [u8],
}

impl Source<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 39 };
        self.bytes = rest;
        *first
    }

    fn value(&mut self) -> Vec<u8> {
        let kind = self.next();
        let length = 8 + usize::from(self.next() % 32);
        (0..length)
            .map(|_| {
                let byte = self.next();
                match kind % 4 {
                    0 => b"abcXYZ0123456789"[usize::from(byte % 16)],
                    1 => b"aZ09-_.~+/=:\"'<>"[usize::from(byte % 16)],
                    2 => b"a%\\&25u0;#x n/\"z"[usize::from(byte % 16)],
                    _ => byte,
                }
            })
            .collect()
    }

    fn text(&mut self, values: &[Vec<u8>]) -> Vec<u8> {
        let mut text = Vec::new();
        while !self.bytes.is_empty() && text.len() < 3000 {
            let action = self.next();
            let value = &values[usize::from(action) % values.len()];
            let choice = self.next();
            let form = match action / 3 % 12 {
                0..=2 => {
                    let length = usize::from(choice % 9);
                    (0..length).map(|_| self.next()).collect()
                }
                3 => value.clone(),
                4 => data_encoding::HEXLOWER.encode(value).into_bytes(),
                5 => data_encoding::HEXUPPER.encode(value).into_bytes(),
                6 | 7 => {
                    let around = [
                        &[b'u'; 4][..usize::from(choice % 5)],
                        value,
                        &[b'v'; 3][..usize::from(choice / 8 % 4)],
                    ];
                    let encoding =
                        if choice < 128 { &data_encoding::BASE64 } else { &data_encoding::BASE64URL_NOPAD };
                    encoding.encode(&around.concat()).into_bytes()
                }
                8 => value.iter().flat_map(|byte| self.escaped(*byte, "%")).collect(),
                9 => value.iter().flat_map(|byte| self.escaped(*byte, "\\u")).collect(),
                10 => value.iter().flat_map(|byte| self.escaped(*byte, "&#x")).collect(),
                // Complete but for the end, or the beginning.
                _ if choice < 128 => value[..value.len() - 1].to_vec(),
                _ => value[1..].to_vec(),
            };
            text.extend(form);
        }
        text
    }

    fn escaped(&mut self, byte: u8, sign: &str) -> Vec<u8> {
        if self.next().is_multiple_of(3) || !byte.is_ascii() {
            return vec![byte];
        }
        match sign {
            "%" => format!("%{byte:02X}"),
            "\\u" => format!("\\u{byte:04x}"),
            _ => format!("&#x{byte:x};"),
        }
        .into_bytes()
    }
}
