//! Passwords: normalised, wiped when dropped, and judged when they are chosen (CRYPTO.md §2.2).

use diceware_wordlists::EFF_LONG_WORDLIST;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::absent::assert_secret;
use crate::random::below;

/// The fewest characters of a password that is chosen.
pub const MIN_CHARACTERS: usize = 12;

/// The fewest guesses that a chosen password must be estimated to withstand: 2^50.
pub const MIN_GUESSES: u64 = 1 << 50;

/// A password as a person typed it: UTF-8 in NFKC, not trimmed. Wiped when dropped.
pub struct Password(Zeroizing<String>);

assert_secret!(Password);

/// Why a chosen password is refused. The message says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// The password has fewer than [`MIN_CHARACTERS`].
    #[error("too short: use at least {MIN_CHARACTERS} characters, best a generated passphrase of six words")]
    Short,
    /// The password is estimated to withstand fewer than [`MIN_GUESSES`].
    #[error(
        "too easy to guess: make it longer with unrelated words, or use a generated passphrase of six words"
    )]
    Guessable,
}

impl Password {
    /// A password typed to sign in. Its strength is not judged: it may be older than today's policy.
    pub fn entered(text: &str) -> Self {
        // Counted first, so that the text never grows and leaves a copy behind.
        let length = text.nfkc().map(char::len_utf8).sum();
        let mut normal = Zeroizing::new(String::with_capacity(length));
        normal.extend(text.nfkc());
        Self(normal)
    }

    /// A password that is being chosen. `inputs` are words that an attacker would try first: e-mail, names of person and
    /// organisation.
    ///
    /// # Errors
    /// [`WeakPassword`] if it can be guessed.
    pub fn chosen(text: &str, inputs: &[&str]) -> Result<Self, WeakPassword> {
        let password = Self::entered(text);
        if password.0.chars().count() < MIN_CHARACTERS {
            return Err(WeakPassword::Short);
        }
        if zxcvbn::zxcvbn(&password.0, inputs).guesses() < MIN_GUESSES {
            return Err(WeakPassword::Guessable);
        }
        Ok(password)
    }

    /// A passphrase: six words of 7,776, each equally likely, with spaces between: 77 bits.
    pub fn generate_passphrase() -> Zeroizing<String> {
        let count = u16::try_from(WORDS.len()).expect("7,776 words");
        let mut phrase = Zeroizing::new(String::with_capacity(6 * (LONGEST + 1)));
        for word in 0..6 {
            if word > 0 {
                phrase.push(' ');
            }
            let letters = WORDS.get(usize::from(below(count))).expect("below their number");
            phrase.extend(letters.iter().filter(|letter| **letter != 0).map(|letter| char::from(*letter)));
        }
        phrase
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Letters of the longest word.
const LONGEST: usize = 9;

/// The words' letters, each word filled up with zeros. A table of `&str` holds addresses, which would be relocated at every start
/// of a program; that costs a program that lives for milliseconds a twentieth of its time.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of range does not compile"
)]
static WORDS: [[u8; LONGEST]; EFF_LONG_WORDLIST.len()] = {
    let mut words = [[0; LONGEST]; EFF_LONG_WORDLIST.len()];
    let mut at = 0;
    while at < words.len() {
        let word = EFF_LONG_WORDLIST[at].as_bytes();
        words[at].split_at_mut(word.len()).0.copy_from_slice(word);
        at += 1;
    }
    words
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_password_typed_on_another_keyboard_is_the_same() {
        for (typed, normal) in [
            ("caf\u{e9}", "caf\u{e9}"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{ff41}\u{fb01}\u{2460}", "afi1"),
            (" spaces stay ", " spaces stay "),
            ("", ""),
        ] {
            assert_eq!(Password::entered(typed).bytes(), normal.as_bytes(), "{typed:?}");
        }
    }

    #[test]
    fn the_words_are_the_lists_words() {
        for (letters, word) in WORDS.iter().zip(EFF_LONG_WORDLIST) {
            assert_eq!(std::str::from_utf8(letters).unwrap().trim_end_matches('\0'), word);
            assert!(!word.contains('\0') && !word.is_empty(), "{word:?}");
        }
    }

    #[test]
    fn normalising_never_grows_the_buffer() {
        // The worst case of NFKC: one character becomes eighteen.
        let password = Password::entered(&"\u{fdfa}".repeat(100));
        assert_eq!(password.0.capacity(), password.0.len());
    }

    #[test]
    fn eleven_characters_are_too_short_however_random() {
        assert_eq!(Password::chosen("k8#Zq!v2PxW", &[]).err(), Some(WeakPassword::Short));
        // Twelve characters typed, eleven after normalisation.
        assert_eq!(Password::chosen("k8#Zq!v2Pxe\u{301}", &[]).err(), Some(WeakPassword::Short));
        assert_eq!(Password::chosen("k8#Zq!v2PxWj", &[]).err(), Some(WeakPassword::Guessable));
        assert!(Password::chosen("k8#Zq!v2PxWjTr%m", &[]).is_ok());
    }

    #[test]
    fn long_but_guessable_is_refused() {
        for weak in ["passwordpassword", "aaaaaaaaaaaaaaaaaaaaaaaa", "qwertyuiop123456", "correcthorse1"] {
            assert_eq!(Password::chosen(weak, &[]).err(), Some(WeakPassword::Guessable), "{weak}");
        }
    }

    #[test]
    fn a_password_made_of_what_is_known_of_its_owner_is_refused() {
        let mine = "quvlophimdrastenwoc";
        assert!(Password::chosen(mine, &[]).is_ok());
        assert!(Password::chosen(mine, &["quvlophimdrasten"]).is_err());
    }

    #[test]
    fn generated_passphrases_pass_their_own_rule_and_differ() {
        let words: HashSet<&str> = EFF_LONG_WORDLIST.iter().copied().collect();
        assert_eq!(words.len(), 7776);
        assert!(words.iter().all(|word| word.len() <= 9));
        let mut seen = HashSet::new();
        for _ in 0..50 {
            let phrase = Password::generate_passphrase();
            assert_eq!(phrase.split(' ').filter(|word| words.contains(word)).count(), 6, "{}", *phrase);
            assert!(Password::chosen(&phrase, &[]).is_ok(), "{}", *phrase);
            assert!(seen.insert(phrase.to_string()));
        }
    }
}
