//! Random values.

use keyward_crypto::random_bytes;
use zeroize::Zeroizing;

/// Letters and digits without those that are taken for one another (0 and O, 1, l and I): safe in URLs, shells and JSON.
const ALPHABET: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// A value of `length` characters, each equally likely: bytes beyond the last multiple of the alphabet's size are thrown
/// away.
pub(super) fn generate(length: usize) -> Zeroizing<Vec<u8>> {
    let fair = u8::MAX - u8::MAX % size();
    let mut value = Zeroizing::new(Vec::with_capacity(length));
    while value.len() < length {
        let bytes = Zeroizing::new(random_bytes::<64>());
        let characters = bytes.iter().filter(|byte| **byte < fair).map(|byte| byte % size());
        let characters = characters.filter_map(|at| ALPHABET.get(usize::from(at)).copied());
        let missing = length - value.len();
        value.extend(characters.take(missing));
    }
    value
}

/// What it takes to guess such a value, in bits, rounded down.
pub(super) fn bits(length: usize) -> u64 {
    // log2(57) = 5.8328…; lengths are small.
    (length as u64) * 58_328 / 10_000
}

fn size() -> u8 {
    u8::try_from(ALPHABET.len()).expect("an alphabet of bytes has fewer than 256")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_alphabet_has_no_character_twice_and_none_that_looks_like_another() {
        let all: BTreeSet<u8> = ALPHABET.iter().copied().collect();
        assert_eq!((all.len(), ALPHABET.len()), (57, 57));
        assert!(all.iter().all(u8::is_ascii_alphanumeric));
        assert!(b"0O1lI".iter().all(|byte| !all.contains(byte)));
        let exact = 57_f64.log2();
        for length in [1_u16, 8, 32, 1024] {
            let difference =
                exact * f64::from(length) - f64::from(u32::try_from(bits(usize::from(length))).unwrap());
            assert!((0.0..1.1).contains(&difference), "{length}: {difference}");
        }
    }

    #[test]
    fn values_have_their_length_and_every_character_is_as_likely_as_any_other() {
        for length in [0, 1, 8, 63, 64, 65, 1024] {
            assert_eq!(generate(length).len(), length);
        }
        assert_ne!(*generate(32), *generate(32));
        let mut seen = [0_u32; 256];
        for byte in generate(57 * 20_000).iter() {
            seen[usize::from(*byte)] += 1;
        }
        // 20,000 each, give or take seven times the standard deviation. Without rejection half of them were 11 % off.
        for byte in ALPHABET {
            let times = seen[usize::from(*byte)];
            assert!((19_000..=21_000).contains(&times), "{}: {times}", *byte as char);
        }
        assert_eq!(seen.iter().sum::<u32>(), 57 * 20_000);
    }
}
