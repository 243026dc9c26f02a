//! Looking for secrets where they must not be.

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER, Specification};

/// Something that must stay secret, under a name for people.
pub struct Secret {
    what: String,
    bytes: Vec<u8>,
}

impl Secret {
    /// A text or key.
    pub fn new(what: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        let secret = Self { what: what.into(), bytes: bytes.as_ref().to_vec() };
        assert!(secret.bytes.len() >= 6, "{} is too short to be looked for", secret.what);
        secret
    }

    /// A key, from its unpadded base64url form.
    pub fn from_base64url(what: impl Into<String>, text: &str) -> Self {
        Self::new(what, BASE64URL_NOPAD.decode(text.as_bytes()).unwrap())
    }

    /// Whether it is within `bytes`, as it is or in another spelling: hexadecimal, base32, base64 at any offset, escaped.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.spellings().iter().any(|spelling| contains(bytes, spelling))
    }

    fn spellings(&self) -> Vec<Vec<u8>> {
        let bytes = &self.bytes;
        let mut lower = Specification::new();
        lower.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
        let base32 = [BASE32_NOPAD.encode(bytes), lower.encoding().unwrap().encode(bytes)];
        let hex = [HEXLOWER.encode(bytes), HEXUPPER.encode(bytes)];
        let escaped = String::from_utf8(bytes.clone()).ok().map(|text| {
            let json = serde_json::to_string(&text).unwrap();
            json.trim_matches('"').to_owned()
        });
        let percent = bytes.iter().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(*byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        });
        let texts = base32.into_iter().chain(hex).chain(escaped).chain([percent.collect()]);
        let mut all: Vec<Vec<u8>> = texts.map(String::into_bytes).chain([bytes.clone()]).collect();
        for offset in 0..3 {
            all.extend(base64_at(bytes, offset));
        }
        all
    }
}

/// Fails if any of the secrets is within `bytes`.
///
/// # Panics
/// With the names of those that are.
pub fn absent(secrets: &[Secret], bytes: &[u8], place: &str) {
    let found: Vec<&str> =
        secrets.iter().filter(|secret| secret.is_in(bytes)).map(|secret| secret.what.as_str()).collect();
    assert!(found.is_empty(), "{place} holds {found:?}");
}

/// Whether `needle` is within `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(needle) {
            return true;
        }
        from += at + 1;
    }
    false
}

/// How the bytes look within base64 of something longer, in both alphabets: without the characters that neighbours
/// change.
fn base64_at(bytes: &[u8], offset: usize) -> [Vec<u8>; 2] {
    let text = BASE64.encode(&[&[0; 3][..offset], bytes].concat());
    let (skip, bits) = ((offset * 8).div_ceil(6), (offset + bytes.len()) * 8);
    let standard = text.as_bytes()[skip..bits / 6].to_vec();
    let url = standard.iter().map(|byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    });
    let url = url.collect();
    [standard, url]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secret = Secret::new("s", "hunter 2/secret+value");
        for text in [
            "xxhunter 2/secret+valuexx".to_owned(),
            "hunter%202%2Fsecret%2Bvalue".to_owned(),
            HEXUPPER.encode(b"..hunter 2/secret+value"),
            BASE64.encode(b"a hunter 2/secret+value."),
            BASE64.encode(b"an hunter 2/secret+value."),
            BASE64URL_NOPAD.encode(b"one hunter 2/secret+value."),
            BASE32_NOPAD.encode(b"hunter 2/secret+value").to_lowercase(),
        ] {
            assert!(secret.is_in(text.as_bytes()), "{text}");
        }
        assert!(!secret.is_in(b"hunter 3/secret+value"));
    }
}
