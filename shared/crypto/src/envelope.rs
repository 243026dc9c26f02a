//! Sealing and opening: one envelope format for everything (CRYPTO.md §2.3).

use keyward_wire::Envelope;
use keyward_wire::envelope::OVERHEAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::context::{CONTEXT_BYTES, Context};
use crate::hazmat::{aes256_gcm_open, aes256_gcm_seal, hkdf_sha256};
use crate::key::Key;
use crate::padding::{TooLarge, pad, unpad};
use crate::random::random_bytes;

/// The envelope is not what was sealed, or not for this reader.
///
/// This is the one answer to every cause. Answers that differ would let whoever serves the bytes ask questions about the
/// plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not what was sealed, or not for this reader")]
pub struct Integrity;

/// `"KWE1" ‖ purpose ‖ suite ‖ 00 00 ‖ N[32] ‖ C[32] ‖ AES-256-GCM(k, iv; ctx; pad(plaintext))` with a fresh random N and
/// `k[32] ‖ iv[12] ‖ C[32] = HKDF-SHA256(key, N, ctx)`.  88 bytes more than the bucket.  CRYPTO.md §2.3.
///
/// # Errors
/// [`TooLarge`] if the plaintext is longer than [`STATE_BYTES`](keyward_wire::limits::STATE_BYTES).
pub fn seal<K: Key>(key: &K, ctx: &Context, plaintext: &[u8]) -> Result<Envelope, TooLarge> {
    seal_with_nonce(key, ctx, plaintext, &random_bytes())
}

/// [`seal`] with this N, which must be fresh. Called by `seal`, and by tests with known answers.
pub(crate) fn seal_with_nonce<K: Key>(
    key: &K,
    ctx: &Context,
    plaintext: &[u8],
    nonce: &[u8; 32],
) -> Result<Envelope, TooLarge> {
    let padded = pad(plaintext)?;
    let info = ctx.encode();
    let message = MessageKeys::derive(key, nonce, &info);
    let sealed = aes256_gcm_seal(message.key(), message.iv(), &info, &padded);
    let mut bytes = Vec::with_capacity(OVERHEAD + padded.len());
    bytes.extend_from_slice(&ctx.header());
    bytes.extend_from_slice(nonce);
    bytes.extend_from_slice(message.commitment());
    bytes.extend_from_slice(&sealed);
    Ok(Envelope::from_bytes(bytes).expect("an envelope purpose, and a bucket"))
}

/// The plaintext sealed under this key for this context.
///
/// # Errors
/// [`Integrity`] if any byte of envelope, context or key is another.
pub fn open<K: Key>(key: &K, ctx: &Context, envelope: &Envelope) -> Result<Zeroizing<Vec<u8>>, Integrity> {
    let (header, rest) = envelope.as_bytes().split_first_chunk::<8>().ok_or(Integrity)?;
    let (nonce, rest) = rest.split_first_chunk::<32>().ok_or(Integrity)?;
    let (commitment, sealed) = rest.split_first_chunk::<32>().ok_or(Integrity)?;
    if *header != ctx.header() {
        return Err(Integrity);
    }
    let info = ctx.encode();
    let message = MessageKeys::derive(key, nonce, &info);
    if !bool::from(message.commitment().ct_eq(commitment)) {
        return Err(Integrity);
    }
    let padded = aes256_gcm_open(message.key(), message.iv(), &info, sealed).ok_or(Integrity)?;
    unpad(padded).ok_or(Integrity)
}

/// k[32] ‖ iv[12] ‖ C[32] of one envelope.
///
/// C commits to key and context: AES-GCM alone can be made to open under two keys.
struct MessageKeys(Zeroizing<[u8; 76]>);

impl MessageKeys {
    fn derive<K: Key>(key: &K, nonce: &[u8; 32], info: &[u8; CONTEXT_BYTES]) -> Self {
        let mut okm = Zeroizing::new([0; 76]);
        hkdf_sha256(key.bytes(), nonce, info, &mut *okm);
        Self(okm)
    }

    fn key(&self) -> &[u8; 32] {
        self.part::<0, 32>()
    }

    fn iv(&self) -> &[u8; 12] {
        self.part::<32, 12>()
    }

    fn commitment(&self) -> &[u8; 32] {
        self.part::<44, 32>()
    }

    fn part<const AT: usize, const LEN: usize>(&self) -> &[u8; LEN] {
        const { assert!(AT + LEN <= 76) };
        self.0.get(AT..).and_then(<[u8]>::first_chunk).expect("within the 76 bytes")
    }
}

#[cfg(test)]
mod tests;
