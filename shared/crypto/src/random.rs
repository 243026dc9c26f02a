//! Randomness, from the operating system only (CRYPTO.md §2.1).
//!
//! If the generator fails, the program ends: nothing useful can be sealed without randomness, and nothing must be sealed with
//! less.

use keyward_wire::id::Id;
use rand::TryRng as _;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// A fresh id: 122 random bits and the six fixed bits of a version 4 UUID.  RFC 9562 §5.4.
pub fn new_id<T: Id>() -> T {
    let mut bytes: [u8; 16] = random_bytes();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    T::from_bytes(bytes)
}

/// `N` random bytes that are not secret: nonces, salts.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// 32 secret random bytes, wiped when dropped.
pub fn random_key() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(&mut *bytes);
    bytes
}

/// A random number below `bound`, each equally likely: candidates from the last multiple of `bound` on are thrown away.
pub(crate) fn below(bound: u16) -> u16 {
    let unfair = u16::MAX - u16::MAX % bound;
    loop {
        let candidate = u16::from_le_bytes(random_bytes());
        if candidate < unfair {
            return candidate % bound;
        }
    }
}

fn fill(bytes: &mut [u8]) {
    SysRng.try_fill_bytes(bytes).expect("the operating system's random generator works");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use keyward_wire::KeyId;

    use super::*;

    #[test]
    fn new_ids_are_version_4_uuids_and_differ() {
        let ids: Vec<KeyId> = (0..1000).map(|_| new_id()).collect();
        for id in &ids {
            let text = id.to_string();
            assert_eq!(text.as_bytes()[14], b'4', "{text}");
            assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
        }
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn every_number_below_the_bound_comes_up_and_no_other() {
        let seen: HashSet<u16> = (0..2000).map(|_| below(7)).collect();
        assert_eq!(seen, (0..7).collect());
        assert_eq!(below(1), 0);
    }
}
