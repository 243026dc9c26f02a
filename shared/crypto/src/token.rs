//! Credentials as text: tokens, and the derived halves that a machine keeps instead of a token (CRYPTO.md §2.8).

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use keyward_wire::{AuthHalf, CredentialId};
use zeroize::Zeroizing;

use crate::absent::assert_secret;
use crate::credential_secret::CredentialSecret;
use crate::derive::CredentialKeys;
use crate::hazmat::sha256;
use crate::key::UnlockKey;
use crate::key::material::Material as _;
use crate::random::new_id;

assert_secret!(Token, Halves);

/// The kind of a token, which its prefix names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `kwt1`: an API user.
    Api,
    /// `kwd1`: a signed-in device.
    Device,
    /// `kwi1`: an invitation link.
    Link,
    /// `kwr1`: the recovery kit.
    Recovery,
}

impl TokenKind {
    /// The four characters before the first `_` of such a token.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Api => "kwt1",
            Self::Device => "kwd1",
            Self::Link => "kwi1",
            Self::Recovery => "kwr1",
        }
    }

    /// The name by which a person knows the kind, with its prefix.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Api => "an API token (kwt1_…)",
            Self::Device => "a device credential (kwd1_…)",
            Self::Link => "an invitation (kwi1_…)",
            Self::Recovery => "a recovery code (kwr1_…)",
        }
    }

    const ALL: [Self; 4] = [Self::Api, Self::Device, Self::Link, Self::Recovery];
}

/// Why a text is not a token. No error holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text has another prefix.
    #[error("not {expected}")]
    Other {
        /// The kind that was expected.
        expected: &'static str,
    },
    /// The prefix is right, but the rest is damaged: wrong length, wrong letters, or a check that does not fit.
    #[error("{expected} that was mistyped or cut: copy it again, whole")]
    Damaged {
        /// The kind that the prefix names.
        expected: &'static str,
    },
}

/// `kwt1_<id 26>_<secret 52>_<check 6>`: lower-case unpadded base32 (RFC 4648), check = the first six characters of
/// base32(SHA-256(all before the last `_`)).  91 characters.
pub struct Token {
    /// The token's kind.
    pub kind: TokenKind,
    /// The token's credential.
    pub id: CredentialId,
    /// The credential's secret.
    pub secret: CredentialSecret,
}

impl Token {
    /// A new token of a new credential.
    pub fn generate(kind: TokenKind) -> Self {
        Self::generate_for(kind, new_id())
    }

    /// A new token of this credential.
    pub fn generate_for(kind: TokenKind, id: CredentialId) -> Self {
        Self { kind, id, secret: CredentialSecret::generate() }
    }

    /// Reads exactly what [`encode`](Self::encode) writes: no white space, no other spelling.
    ///
    /// # Errors
    /// [`TokenError`] if the text is anything else.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let kind = TokenKind::ALL
            .into_iter()
            .find(|kind| after_prefix(text, kind.prefix()).is_some())
            .ok_or(TokenError::Other { expected: ANY_TOKEN })?;
        let [id, secret] =
            fields(text, kind.prefix()).ok_or(TokenError::Damaged { expected: kind.describe() })?;
        let read =
            || Some((CredentialId::from_bytes(*decode(id)?), CredentialSecret::from_bytes(decode(secret)?)));
        let (id, secret) = read().ok_or(TokenError::Damaged { expected: kind.describe() })?;
        Ok(Self { kind, id, secret })
    }

    /// The token's text. Shown once; keyward stores it nowhere.
    pub fn encode(&self) -> Zeroizing<String> {
        encode(self.kind.prefix(), &[self.id.as_bytes(), self.secret.bytes()])
    }
}

/// `kwh1_<id 26>_<auth 52>_<unlock 52>_<check 6>`: the halves of a credential, which a machine keeps to stay signed in. 144
/// characters.
///
/// They serve as the credential does, but the token itself cannot be had from them.
pub struct Halves {
    /// The credential.
    pub id: CredentialId,
    /// auth_c: the auth half.
    pub auth: AuthHalf,
    /// unlock_c: the unlock half.
    pub unlock: UnlockKey,
}

impl Halves {
    /// The halves of this credential, copied.
    pub fn from_keys(id: CredentialId, keys: &CredentialKeys) -> Self {
        let auth = AuthHalf::from_bytes(Zeroizing::new(*keys.auth.as_bytes()));
        Self { id, auth, unlock: keys.unlock.duplicate() }
    }

    /// A copy. The name says that one is made.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let auth = AuthHalf::from_bytes(Zeroizing::new(*self.auth.as_bytes()));
        Self { id: self.id, auth, unlock: self.unlock.duplicate() }
    }

    /// The credential and its keys, as derivation would give them.
    pub fn into_keys(self) -> (CredentialId, CredentialKeys) {
        (self.id, CredentialKeys { auth: self.auth, unlock: self.unlock })
    }

    /// Reads exactly what [`encode`](Self::encode) writes: no white space, no other spelling.
    ///
    /// # Errors
    /// [`TokenError`] if the text is anything else.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        after_prefix(text, HALVES_PREFIX).ok_or(TokenError::Other { expected: HALVES })?;
        let read = || {
            let [id, auth, unlock] = fields(text, HALVES_PREFIX)?;
            Some(Self {
                id: CredentialId::from_bytes(*decode(id)?),
                auth: AuthHalf::from_bytes(decode(auth)?),
                unlock: UnlockKey::from_bytes(decode(unlock)?),
            })
        };
        read().ok_or(TokenError::Damaged { expected: HALVES })
    }

    /// The text of the halves, as secret as the credential.
    pub fn encode(&self) -> Zeroizing<String> {
        encode(HALVES_PREFIX, &[self.id.as_bytes(), self.auth.as_bytes(), self.unlock.bytes()])
    }
}

pub(crate) fn encode(prefix: &str, fields: &[&[u8]]) -> Zeroizing<String> {
    // Room for the longest form, so that the text never grows and leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(144));
    text.push_str(prefix);
    for field in fields {
        text.push('_');
        BASE32.encode_append(field, &mut text);
    }
    let check = check(&text);
    text.push('_');
    text.push_str(&check);
    text
}

/// The `N` fields between prefix and check. `None` if the check does not fit.
fn fields<'t, const N: usize>(text: &'t str, prefix: &str) -> Option<[&'t str; N]> {
    let (checked, given) = text.rsplit_once('_')?;
    if check(checked) != given {
        return None;
    }
    let mut parts = after_prefix(checked, prefix)?.split('_');
    let fields: [Option<&str>; N] = std::array::from_fn(|_| parts.next());
    let complete = parts.next().is_none() && fields.iter().all(Option::is_some);
    complete.then(|| fields.map(Option::unwrap_or_default))
}

fn after_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    text.strip_prefix(prefix)?.strip_prefix('_')
}

fn check(text: &str) -> String {
    let digest = Zeroizing::new(BASE32.encode(&*sha256(text.as_bytes())));
    digest.chars().take(6).collect()
}

/// Decodes exactly `N` bytes. Trailing bits must be zero, so that each token has one text.
fn decode<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    if BASE32.decode_len(text.len()) != Ok(N) {
        return None;
    }
    let mut bytes = Zeroizing::new([0; N]);
    BASE32.decode_mut(text.as_bytes(), &mut *bytes).ok()?;
    Some(bytes)
}

/// Lower-case RFC 4648 base32, no padding, zero trailing bits.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("32 distinct symbols")
});

const HALVES_PREFIX: &str = "kwh1";
const HALVES: &str = "a stored sign-in (kwh1_…)";
const ANY_TOKEN: &str = "a token (kwt1_…, kwd1_…, kwi1_… or kwr1_…)";

#[cfg(test)]
mod tests;
