//! Finds secret halves of tokens in what a client sent: the server must never see one (CRYPTO.md §2.8). Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use data_encoding::BASE32_NOPAD;
use keyward_wire::CredentialId;
use keyward_wire::api::credentials::CredentialKind;

/// A secret that was sent, and the credential that its text names. Nobody has checked whether the secret is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leak {
    letter: u8,
    /// The credential that the text names.
    pub(crate) credential: CredentialId,
}

impl Leak {
    /// Whether such a text can be the secret of a credential of this kind. No text is that of a password. That of a recovery kit
    /// only says that the kit must be replaced, which takes more than deleting it. What an agent shows its gateway (`kwp1_`) is
    /// no credential of this server, which could not tell whose it is.
    pub(crate) fn fits(self, kind: CredentialKind) -> bool {
        match kind {
            CredentialKind::Token => matches!(self.letter, b't' | b'h'),
            CredentialKind::Device => matches!(self.letter, b'd' | b'h'),
            CredentialKind::Link => self.letter == b'i',
            CredentialKind::Password | CredentialKind::Recovery => false,
        }
    }
}

/// The secrets that stand in `parts`: `kwt1_`, `kwd1_`, `kwi1_`, `kwr1_`, `kwh1_` or `kwp1_`, followed by an id. Each is listed
/// once, and [`MOST`] at most.
///
/// Such a text is found wherever it stands, also percent-encoded or with JSON's `\u`: in a header, in a URL, in any field of a
/// body. What follows the id is not looked at: half a secret is a leak, too.
pub(crate) fn leaked<'b>(parts: impl IntoIterator<Item = &'b [u8]>) -> BTreeSet<Leak> {
    let mut found = BTreeSet::new();
    for part in parts {
        let text = unescaped(part);
        let leaks = text.windows(PREFIX + ID).filter_map(leak);
        for leak in leaks {
            found.insert(leak);
            if found.len() == MOST {
                return found;
            }
        }
    }
    found
}

fn leak(window: &[u8]) -> Option<Leak> {
    match window {
        [b'k', b'w', letter @ (b't' | b'd' | b'i' | b'r' | b'h' | b'p'), b'1', b'_', id @ ..] => {
            Some(Leak { letter: *letter, credential: credential(id)? })
        }
        _ => None,
    }
}

fn credential(text: &[u8]) -> Option<CredentialId> {
    if !text.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')) {
        return None;
    }
    // Trailing bits that should be zero make the text no less of a leak, only less of an id.
    let mut bytes = [0; 17];
    let upper = text.to_ascii_uppercase();
    let padded = [upper.as_slice(), b"AA"].concat();
    BASE32_NOPAD.decode_mut(&padded, &mut bytes).ok()?;
    let (id, _) = bytes.split_first_chunk::<16>()?;
    Some(CredentialId::from_bytes(*id))
}

/// The bytes with `%6b` and `\u006b` read as `k`. A token has neither a percent sign nor a backslash, so none is missed.
fn unescaped(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'\\')) {
        return Cow::Borrowed(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let (byte, next) = escape(rest).unwrap_or((*first, after));
        plain.push(byte);
        rest = next;
    }
    Cow::Owned(plain)
}

/// The byte that an escape at the start of `bytes` stands for, and the bytes after the escape.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let ([b'%', high, low, rest @ ..] | [b'\\', b'u', b'0', b'0', high, low, rest @ ..]) = bytes else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

/// The most secrets that are looked up for one request. Each costs a look-up with the organisation locked, and anybody can make
/// up any number of them.
const MOST: usize = 8;

const PREFIX: usize = 5;
const ID: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;

    /// CRYPTO.md §2.15, V0.
    const TOKEN: &str =
        "kwt1_aaisem2ekvthpcezvk54zxpoam_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq_t7hz7y";

    fn found(text: &str) -> Vec<String> {
        leaked([text.as_bytes()]).iter().map(|leak| leak.credential.to_string()).collect()
    }

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        let id = "00112233-4455-6677-8899-aabbccddee03";
        for text in [
            TOKEN.to_owned(),
            format!("Bearer {TOKEN}"),
            format!("{{\"note\":\"{TOKEN}\"}}"),
            format!("/v1/me?token={TOKEN}&x=1"),
            TOKEN.chars().take(40).collect(),
            TOKEN.replace("kwt1", "kwd1"),
            TOKEN.replace("kwt1", "kwi1"),
            TOKEN.replace("kwt1", "kwr1"),
            TOKEN.replace("kwt1", "kwh1"),
            TOKEN.replace("kwt1", "kwp1"),
            TOKEN.replace("kwt1_", "%6Bwt1%5f"),
            format!("%kwt%{TOKEN}%"),
            TOKEN.replace("kwt1_", r"\u006bw\u0074\u0031_"),
            format!(r"{{\\n\u00{TOKEN}\"),
        ] {
            assert_eq!(found(&text), [id], "{text}");
        }
        let parts = [b"x".as_slice(), TOKEN.as_bytes()];
        assert_eq!(leaked(parts).len(), 1);
    }

    #[test]
    fn each_is_found_once_and_no_more_than_a_request_is_worth() {
        assert_eq!(found(&format!("{TOKEN} {TOKEN}")).len(), 1);
        let id = |n: u32| BASE32_NOPAD.encode(&u128::from(n).to_be_bytes()).to_ascii_lowercase();
        let many: Vec<String> = (0..33_000).map(|n| format!("kwt1_{}", id(n))).collect();
        assert_eq!(found(&many.concat()).len(), MOST);
    }

    #[test]
    fn a_text_fits_its_own_kind_of_credential_and_never_a_password_or_a_kit() {
        use CredentialKind::{Device, Link, Password, Recovery, Token};
        for (prefix, kinds) in [
            ("kwt1", &[Token] as &[_]),
            ("kwd1", &[Device]),
            ("kwi1", &[Link]),
            ("kwh1", &[Token, Device]),
            ("kwr1", &[]),
            ("kwp1", &[]),
        ] {
            let text = TOKEN.replace("kwt1", prefix);
            let leak = leaked([text.as_bytes()]).pop_first().unwrap();
            for kind in [Token, Device, Link, Password, Recovery] {
                assert_eq!(leak.fits(kind), kinds.contains(&kind), "{prefix} {kind:?}");
            }
        }
    }

    #[test]
    fn sessions_and_prose_are_no_leak() {
        for text in [
            "kws_aaisem2ekvthpcezvk54zxpoamAAAAAAAAAAAAAAAAA",
            &TOKEN.to_ascii_uppercase(),
            "tokens look like kwt1_<id>_<secret>_<check>",
            "kwt1_",
            "",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
