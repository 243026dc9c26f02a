//! The primitives AES-256-GCM, HKDF-SHA256, PBKDF2-HMAC-SHA256 and SHA-256, with all parameters left to the caller (CRYPTO.md
//! §2.1).
//!
//! The only file that names `aes-gcm`, `hkdf` and `pbkdf2`. Each of these functions is a hole if it is used wrongly. They are
//! used by [`envelope`](crate::envelope), [`derive`](crate::derive) and [`token`](crate::token), and by nothing else.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// ct ‖ tag = AES-256-GCM(key, iv; aad; plaintext).  `plaintext.len()` + 16 bytes.  NIST SP 800-38D.
///
/// A key and iv must never be used for a second plaintext.
pub(crate) fn aes256_gcm_seal(key: &[u8; 32], iv: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    Aes256Gcm::new(key.into())
        .encrypt(iv.into(), Payload { msg: plaintext, aad })
        .expect("a plaintext in memory is shorter than the 64 GiB that AES-GCM can take")
}

/// The plaintext. `None` if tag, ciphertext, aad, iv or key is another one. NIST SP 800-38D.
///
/// Works on its own copy, so that no byte of an unauthenticated plaintext reaches the caller.
pub(crate) fn aes256_gcm_open(
    key: &[u8; 32],
    iv: &[u8; 12],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    Aes256Gcm::new(key.into()).decrypt(iv.into(), Payload { msg: sealed, aad }).ok().map(Zeroizing::new)
}

/// Fills `okm` with HKDF-SHA256(ikm, salt, info).  At most 8,160 bytes.  RFC 5869.
pub(crate) fn hkdf_sha256(ikm: &[u8], salt: &[u8], info: &[u8], okm: &mut [u8]) {
    Hkdf::<Sha256>::new(Some(salt), ikm).expand(info, okm).expect("suite 1 asks for at most 76 bytes");
}

/// Fills `key` with PBKDF2-HMAC-SHA256(secret, salt, rounds).  RFC 8018 §5.2.
pub(crate) fn pbkdf2_hmac_sha256(secret: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha256>(secret, salt, rounds, key);
}

/// SHA-256(bytes), where the bytes are secret: wiped when dropped.  FIPS 180-4.
pub(crate) fn sha256(bytes: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
