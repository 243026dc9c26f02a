//! Padding to buckets, so that an envelope's length says next to nothing about its content (CRYPTO.md §2.3).
//!
//! `pad(p) = u32(len p) ‖ p ‖ 00…00`, to the next power of two from 512. Nothing is compressed anywhere.

use keyward_wire::envelope::MIN_BUCKET;
use keyward_wire::limits::STATE_BYTES;
use zeroize::Zeroizing;

/// The plaintext is longer than the largest bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too large to be sealed: at most {STATE_BYTES} bytes fit")]
pub struct TooLarge;

/// u32(len p) ‖ p ‖ 00…00.  A power of two from 512 bytes to 8 MiB; the smallest that fits.
///
/// # Errors
/// [`TooLarge`] if p is longer than [`STATE_BYTES`].
pub(crate) fn pad(plaintext: &[u8]) -> Result<Zeroizing<Vec<u8>>, TooLarge> {
    let bucket = bucket(plaintext.len()).ok_or(TooLarge)?;
    let length = u32::try_from(plaintext.len()).map_err(|_| TooLarge)?;
    let mut padded = Zeroizing::new(Vec::with_capacity(bucket));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(plaintext);
    padded.resize(bucket, 0);
    Ok(padded)
}

/// p, if this is exactly pad(p): true length, zero tail, smallest bucket. p stays in the same memory, so there is no copy to
/// wipe.
pub(crate) fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let (length, rest) = padded.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (_, tail) = rest.split_at_checked(length)?;
    if bucket(length) != Some(padded.len()) || !is_zero(tail) {
        return None;
    }
    padded.truncate(4 + length);
    padded.drain(..4);
    Some(padded)
}

/// Whether all bytes are zero. Compared in blocks: comparing slices compares many bytes at a time.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|block| ZEROS.get(..block.len()) == Some(block))
}

const ZEROS: [u8; 256] = [0; 256];

fn bucket(length: usize) -> Option<usize> {
    (length <= STATE_BYTES).then(|| (4 + length).next_power_of_two().max(MIN_BUCKET))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_change_exactly_where_the_length_no_longer_fits() {
        for (length, bucket) in [
            (0, 512),
            (508, 512),
            (509, 1024),
            (1020, 1024),
            (1021, 2048),
            (65532, 65536),
            (65533, 131_072),
            (STATE_BYTES, STATE_BYTES + 4),
        ] {
            assert_eq!(pad(&vec![b'a'; length]).unwrap().len(), bucket, "{length}");
        }
        assert!(pad(&vec![b'a'; STATE_BYTES + 1]).is_err());
    }

    #[test]
    fn every_bit_of_the_tail_must_be_zero() {
        let padded = pad(b"value").unwrap();
        for at in 9..512 {
            for bit in 0..8 {
                let mut bad = padded.to_vec();
                bad[at] ^= 1 << bit;
                assert!(unpad(Zeroizing::new(bad)).is_none(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_length_that_cuts_the_plaintext_or_leaves_the_bucket_is_refused() {
        let padded = pad(b"value").unwrap();
        for length in (0..5).chain([509, 512, 1 << 16, 1 << 24, u32::MAX - 3, u32::MAX]) {
            let mut bad = padded.to_vec();
            bad[..4].copy_from_slice(&u32::to_be_bytes(length));
            assert!(unpad(Zeroizing::new(bad)).is_none(), "{length}");
        }
    }

    #[test]
    fn another_bucket_is_refused() {
        let padded = pad(b"value").unwrap();
        let mut roomy = padded.to_vec();
        roomy.resize(1024, 0);
        assert!(unpad(Zeroizing::new(roomy)).is_none());
        for length in [0, 3, 4, 8, 511] {
            assert!(unpad(Zeroizing::new(padded[..length].to_vec())).is_none(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn what_was_padded_unpads_to_itself(plaintext in prop::collection::vec(any::<u8>(), 0..5000)) {
            let padded = pad(&plaintext).unwrap();
            prop_assert!(padded.len().is_power_of_two());
            let back = unpad(padded).unwrap();
            prop_assert_eq!(back.as_slice(), plaintext.as_slice());
        }

        #[test]
        fn arbitrary_bytes_unpad_only_to_what_pads_to_them(
            length in 0_u32..1100, bucket in prop::sample::select(vec![512_usize, 1024, 1536, 2048]), fill in 0_u8..2,
        ) {
            let mut bytes = vec![fill; bucket];
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            if let Some(plaintext) = unpad(Zeroizing::new(bytes.clone())) {
                let again = pad(&plaintext).unwrap();
                prop_assert_eq!(again.as_slice(), bytes.as_slice());
            }
        }
    }
}
