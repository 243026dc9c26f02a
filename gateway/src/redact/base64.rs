//! A value inside a longer base64 text.
//!
//! Three bytes are four characters, so a value looks different at each of three offsets, and a character at either end may hold
//! bits of the value beside bits of its neighbour.

use zeroize::Zeroizing;

/// The two last characters of the alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// `+` and `/`
    Standard,
    /// `-` and `_`
    Url,
}

/// The characters of a base64 text that hold bits of a value, as six bits each.
#[derive(Clone)]
pub(super) struct Sextets {
    list: Zeroizing<Vec<Sextet>>,
}

/// One character.
#[derive(Clone, Copy, Default)]
struct Sextet {
    /// The bits of the value.
    secret: u8,
    /// The bits that take the place of the value's.
    cover: u8,
    /// Which of the six bits are the value's: all of them, except at the ends.
    mask: u8,
}

impl zeroize::DefaultIsZeroes for Sextet {}

impl Sextets {
    /// The characters of a value that begins `before` bytes after a whole group of three.
    pub(super) fn of(before: usize, secret: &[u8], stand_in: &[u8]) -> Self {
        let first = before * 8;
        let end = first + secret.len() * 8;
        let bit = |bytes: &[u8], at: usize| -> u8 {
            let byte = at.checked_sub(first).and_then(|at| bytes.get(at / 8).map(|byte| (byte, at % 8)));
            byte.map_or(0, |(byte, at)| (byte >> (7 - at)) & 1)
        };
        let list = (first / 6..end.div_ceil(6))
            .map(|place| {
                let mut sextet = Sextet::default();
                for at in place * 6..place * 6 + 6 {
                    sextet.secret = sextet.secret << 1 | bit(secret, at);
                    sextet.cover = sextet.cover << 1 | bit(stand_in, at);
                    sextet.mask = sextet.mask << 1 | u8::from((first..end).contains(&at));
                }
                sextet
            })
            .collect();
        Self { list: Zeroizing::new(list) }
    }

    /// For each end: 1 if its character is shared with a neighbour, else 0.
    pub(super) fn edges(&self) -> (usize, usize) {
        let shared = |sextet: Option<&Sextet>| usize::from(sextet.is_some_and(|sextet| sextet.mask != WHOLE));
        (shared(self.list.first()), shared(self.list.last()))
    }

    /// The characters that hold bits of the value only.
    pub(super) fn core(&self, alphabet: Alphabet) -> Zeroizing<Vec<u8>> {
        let whole = self.list.iter().filter(|sextet| sextet.mask == WHOLE);
        let mut core = Zeroizing::new(Vec::with_capacity(self.list.len()));
        core.extend(whole.map(|sextet| alphabet.write(sextet.secret)));
        core
    }

    /// What to write over `found`, which has as many characters as this. `None` if its ends do not hold the value's bits.
    pub(super) fn cover(&self, found: &[u8], alphabet: Alphabet) -> Option<Vec<u8>> {
        let url = found.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let standard = found.iter().any(|byte| matches!(byte, b'+' | b'/'));
        // If no character tells the two alphabets apart, the pattern's alphabet is used.
        let alphabet = match (url, standard) {
            (true, false) => Alphabet::Url,
            (false, true) => Alphabet::Standard,
            _ => alphabet,
        };
        if found.len() != self.list.len() {
            return None;
        }
        found
            .iter()
            .zip(self.list.iter())
            .map(|(byte, sextet)| {
                let there = read(*byte)?;
                let same = there & sextet.mask == sextet.secret;
                same.then(|| alphabet.write(there & !sextet.mask | sextet.cover))
            })
            .collect()
    }
}

impl Alphabet {
    fn write(self, sextet: u8) -> u8 {
        match (sextet, self) {
            (0..=25, _) => b'A' + sextet,
            (26..=51, _) => b'a' + (sextet - 26),
            (52..=61, _) => b'0' + (sextet - 52),
            (62, Self::Standard) => b'+',
            (62, Self::Url) => b'-',
            (_, Self::Standard) => b'/',
            (_, Self::Url) => b'_',
        }
    }
}

/// The six bits of a character of either alphabet.
fn read(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

const WHOLE: u8 = 0b11_1111;

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64URL_NOPAD};

    use super::*;

    #[test]
    fn the_stand_in_is_read_where_the_value_was_and_neighbours_stay() {
        let (secret, stand_in) = (b"\xffs3cret/\xfe?value", b"kwph01234567890");
        for before in 0..8_usize {
            for after in 0..4_usize {
                let neighbours = |middle: &[u8]| [&b"<<<<<<<<"[..before], middle, &b">>>>"[..after]].concat();
                for encoding in [&BASE64, &BASE64URL_NOPAD] {
                    let text = encoding.encode(&neighbours(secret)).into_bytes();
                    let sextets = Sextets::of(before % 3, secret, stand_in);
                    let start = before / 3 * 4 + before % 3;
                    let range = start..start + sextets.list.len();
                    let mut changed = text.clone();
                    let alphabet = if *encoding == BASE64 { Alphabet::Standard } else { Alphabet::Url };
                    changed[range.clone()].copy_from_slice(&sextets.cover(&text[range], alphabet).unwrap());
                    assert_eq!(encoding.decode(&changed).unwrap(), neighbours(stand_in), "{before} {after}");
                }
            }
        }
    }

    #[test]
    fn a_neighbouring_value_is_no_match() {
        let sextets = Sextets::of(1, b"secret-0", b"kwph7777");
        let text = BASE64.encode(b".secret-0").into_bytes();
        let (before, after) = sextets.edges();
        assert_eq!((before, after), (1, 0));
        assert!(sextets.cover(&text[1..], Alphabet::Standard).is_some());
        let other = BASE64.encode(b".Cecret-0").into_bytes();
        assert!(sextets.cover(&other[1..], Alphabet::Standard).is_none());
    }
}
