//! How bash cuts a command line into words, and how it wants one of them replaced.
//!
//! bash hands over words as they were typed, quotes and all, cut also at `=`, `:` and `@`; and it puts a candidate in the
//! place of the last piece exactly as it is given. A name such as `$(reboot)` must arrive there quoted.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// The place of a candidate: what stands before it in its word, and in which quotes it is typed.
#[derive(Debug)]
pub(super) struct CompletionPoint {
    before: Vec<u8>,
    quotes: Quotes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// The words that bash's pieces stand for, and the place of the last one. `None` if they cannot be understood.
pub(super) fn words(pieces: &[OsString]) -> Option<(Vec<OsString>, CompletionPoint)> {
    let mut raw: Vec<Vec<u8>> = Vec::new();
    let mut glue = false;
    for piece in pieces {
        let piece = piece.as_bytes();
        let breaks = !piece.is_empty() && piece.iter().all(|byte| b"=:@".contains(byte));
        match raw.last_mut() {
            Some(last) if breaks || glue => last.extend_from_slice(piece),
            _ => raw.push(piece.to_vec()),
        }
        glue = breaks;
    }
    let last = raw.last()?;
    let piece = pieces.last()?.as_bytes();
    // After a `=`, what is replaced begins behind it.
    let kept = if glue { last.len() } else { last.len() - piece.len() };
    let (before, _) = unquoted(last.get(..kept)?);
    let (_, quotes) = unquoted(if glue { b"" } else { piece });
    let words = raw.iter().map(|word| OsString::from_vec(unquoted(word).0)).collect();
    Some((words, CompletionPoint { before, quotes }))
}

/// What a shell makes of a word, and the quotes that are open at its end. Nothing is expanded.
fn unquoted(raw: &[u8]) -> (Vec<u8>, Quotes) {
    let (mut plain, mut quotes) = (Vec::with_capacity(raw.len()), Quotes::None);
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        match (quotes, byte) {
            (Quotes::None, b'\'') => quotes = Quotes::Single,
            (Quotes::None, b'"') => quotes = Quotes::Double,
            (Quotes::Single, b'\'') | (Quotes::Double, b'"') => quotes = Quotes::None,
            (Quotes::None | Quotes::Double, b'\\') => plain.extend(bytes.next()),
            _ => plain.push(byte),
        }
    }
    (plain, quotes)
}

impl CompletionPoint {
    /// What bash is to put there for this candidate; `None` if its quotes cannot hold it.
    pub(super) fn replacement(&self, candidate: &OsStr) -> Option<OsString> {
        let rest = candidate.as_bytes().strip_prefix(self.before.as_slice())?;
        let escape = |unsafe_byte: fn(u8) -> bool| {
            let escaped = rest.iter().flat_map(move |byte| {
                let mark = unsafe_byte(*byte).then_some(b'\\');
                mark.into_iter().chain([*byte])
            });
            OsString::from_vec(escaped.collect())
        };
        match self.quotes {
            Quotes::None => Some(escape(needs_backslash)),
            Quotes::Double => (!rest.contains(&b'!')).then(|| escape(|byte| b"\\\"$`".contains(&byte))),
            Quotes::Single => (!rest.contains(&b'\'')).then(|| escape(|_| false)),
        }
    }
}

/// All of ASCII but what no shell gives a meaning to, anywhere in a word.
fn needs_backslash(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"_-./,+%:@=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(pieces: &[&str], candidate: &str) -> (Vec<String>, Option<String>) {
        let pieces: Vec<OsString> = pieces.iter().map(OsString::from).collect();
        let (words, place) = words(&pieces).unwrap();
        let words = words.into_iter().map(|word| word.into_string().unwrap()).collect();
        (words, place.replacement(candidate.as_ref()).map(|text| text.into_string().unwrap()))
    }

    #[test]
    fn a_name_arrives_as_one_word_that_does_nothing() {
        for (name, typed) in [
            ("production", "production"),
            ("OpenClaw Agent", r"OpenClaw\ Agent"),
            ("$(reboot)", r"\$\(reboot\)"),
            ("a;b&c|d>e<f", r"a\;b\&c\|d\>e\<f"),
            ("it's \"x\"", r#"it\'s\ \"x\""#),
            ("~root*?[a]{b,c}!#^", r"\~root\*\?\[a\]\{b,c\}\!\#\^"),
            ("größe", "größe"),
        ] {
            assert_eq!(complete(&["keyward", "run", ""], name).1.as_deref(), Some(typed));
        }
    }

    #[test]
    fn in_open_quotes_it_stays_in_them() {
        assert_eq!(complete(&["keyward", "run", "\"Open"], "Open $x").1.unwrap(), r"Open \$x");
        assert_eq!(complete(&["keyward", "run", "'Open"], "Open $x").1.unwrap(), "Open $x");
        assert_eq!(complete(&["keyward", "run", "'it"], "it's").1, None);
        assert_eq!(complete(&["keyward", "run", "\"hey"], "hey!").1, None, "! is history inside of \"");
    }

    #[test]
    fn pieces_are_put_together_and_only_the_last_one_is_replaced() {
        let (words, typed) = complete(&["keyward", "key", "import", "--map", "=", "pro"], "--map=production");
        assert_eq!((words.last().unwrap().as_str(), typed.as_deref()), ("--map=pro", Some("production")));
        let (words, typed) = complete(&["keyward", "key", "import", "--map", "="], "--map=production");
        assert_eq!((words.last().unwrap().as_str(), typed.as_deref()), ("--map=", Some("production")));
        let (words, typed) = complete(&["keyward", "access", "olga", "@", "ca"], "olga@canary.example");
        assert_eq!((words.last().unwrap().as_str(), typed.as_deref()), ("olga@ca", Some("canary.example")));
    }

    #[test]
    fn what_was_typed_is_understood_as_the_shell_would() {
        assert_eq!(complete(&["keyward", "run", r"Open\ Cl"], "Open Claw").0[2], "Open Cl");
        assert_eq!(complete(&["keyward", "run", "\"a b\"c", ""], "x").0[2], "a bc");
    }
}
