//! Key derivation: from a password or token to the two halves of a credential, and from IK to DK (CRYPTO.md §2.2, §2.4).
//!
//! Everything is a constant of suite 1. No parameter of a derivation ever comes from a server.

use keyward_wire::name::Email;
use keyward_wire::{AuthHalf, CredentialId, IdentityId, Nonce, OrgId, Salt};
use zeroize::Zeroizing;

use crate::absent::assert_secret;
use crate::context::Context;
use crate::credential_secret::CredentialSecret;
use crate::hazmat::{hkdf_sha256, pbkdf2_hmac_sha256};
use crate::key::material::Material as _;
use crate::key::{DeliveryKey, IdentityKey, UnlockKey};
use crate::password::Password;

/// PBKDF2 rounds for a password.
pub const PASSWORD_ROUNDS: u32 = 600_000;

/// PBKDF2 rounds for 256 random bits, which cannot be guessed whatever the number of rounds is.
pub const SECRET_ROUNDS: u32 = 1_000;

/// The halves of a credential: the auth half is shown to the server, the unlock half never leaves the client.
///
/// Neither half tells anything about the other, nor about the password or token that both come from.
pub struct CredentialKeys {
    /// auth_c: proves the credential to the server, which keeps its SHA-256.
    pub auth: AuthHalf,
    /// unlock_c: opens what the server then releases.
    pub unlock: UnlockKey,
}

assert_secret!(CredentialKeys);

/// root = PBKDF2(password, ctx(01, B=cred) ‖ salt ‖ e-mail, 600,000), then its halves.  CRYPTO.md §2.4.
///
/// The e-mail address is in the salt, so that no server can make two people share one.
pub fn derive_password(
    password: &Password,
    email: &Email,
    cred: CredentialId,
    salt: &Salt,
) -> CredentialKeys {
    halves(&root(password.bytes(), cred, salt.as_bytes(), email.as_str().as_bytes(), PASSWORD_ROUNDS), cred)
}

/// root = PBKDF2(secret, ctx(01, B=cred) ‖ cred, 1,000), then its halves: token, device, link, recovery.
/// CRYPTO.md §2.4.
pub fn derive_secret(cred: CredentialId, secret: &CredentialSecret) -> CredentialKeys {
    halves(&root(secret.bytes(), cred, cred.as_bytes(), b"", SECRET_ROUNDS), cred)
}

/// DK(x,e) = HKDF(IK_x, nonce_e, ctx(10, org, A=x, n1=e)).  32 bytes.  CRYPTO.md §2.4.
pub fn derive_delivery(
    identity_key: &IdentityKey,
    org: OrgId,
    identity: IdentityId,
    epoch: u64,
    nonce: &Nonce,
) -> DeliveryKey {
    let ctx = Context::derivation(DELIVERY).org(org).a(identity.as_bytes()).n1(epoch);
    DeliveryKey::from_bytes(expand(identity_key.bytes(), nonce.as_bytes(), &ctx))
}

pub(crate) fn root(
    secret: &[u8],
    cred: CredentialId,
    salt: &[u8; 16],
    label: &[u8],
    rounds: u32,
) -> Zeroizing<[u8; 32]> {
    let ctx = Context::derivation(ROOT).b(cred.as_bytes());
    let mut root = Zeroizing::new([0; 32]);
    pbkdf2_hmac_sha256(secret, &[&ctx.encode(), salt.as_slice(), label].concat(), rounds, &mut *root);
    root
}

fn halves(root: &[u8; 32], cred: CredentialId) -> CredentialKeys {
    let half = |code| expand(root, b"", &Context::derivation(code).b(cred.as_bytes()));
    CredentialKeys { auth: AuthHalf::from_bytes(half(AUTH)), unlock: UnlockKey::from_bytes(half(UNLOCK)) }
}

fn expand(ikm: &[u8; 32], salt: &[u8], ctx: &Context) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf_sha256(ikm, salt, &ctx.encode(), &mut *key);
    key
}

const ROOT: u8 = 0x01;
const AUTH: u8 = 0x02;
const UNLOCK: u8 = 0x03;
const DELIVERY: u8 = 0x10;

#[cfg(test)]
mod tests;
