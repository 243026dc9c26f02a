//! Looks for placeholders in a text that comes in pieces.

use memchr::memmem;

use super::{RANDOM, SIGN};

/// Follows a text, of which it keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// How many bytes at the end of the text so far may be the beginning of a placeholder's sign.
    begun: usize,
}

impl Watch {
    /// Looks at the next piece. True if it completes something that looks like a placeholder.
    pub(crate) fn sees(&mut self, came: &[u8]) -> bool {
        let mut at = 0;
        while self.begun > 0 {
            let Some(byte) = came.get(at) else { return false };
            self.begun = match SIGN.as_bytes().get(self.begun) {
                Some(wanted) if wanted == byte => self.begun + 1,
                // Of the sign's letters, only the first can begin it.
                Some(_) => usize::from(SIGN.as_bytes().first() == Some(byte)),
                None if byte.is_ascii_alphanumeric() => self.begun + 1,
                None => 0,
            };
            at += 1;
            if self.begun == WHOLE {
                return true;
            }
        }
        let rest = came.get(at..).unwrap_or_default();
        for start in memmem::find_iter(rest, SIGN) {
            let body = rest.get(start..).unwrap_or_default();
            let length = body.iter().take(WHOLE).take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if length == WHOLE {
                return true;
            }
            if length == body.len() {
                self.begun = length;
                return false;
            }
        }
        let begins = |length: &usize| rest.ends_with(SIGN.as_bytes().get(..*length).unwrap_or_default());
        self.begun = (1..SIGN.len()).rev().find(begins).unwrap_or(0);
        false
    }
}

const WHOLE: usize = SIGN.len() + RANDOM;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_a_placeholder_is_seen_wherever_it_is_cut_and_nothing_else_is() {
        let whole = format!("{{\"text\":\"kkw kwp kwph1 sk-kwph{}\"}}", "a1B2".repeat(6));
        let end = whole.find("a1B2").unwrap() + RANDOM;
        for size in 1..whole.len() {
            let mut watch = Watch::default();
            let seen = whole.as_bytes().chunks(size).position(|piece| watch.sees(piece));
            assert_eq!(seen, Some((end - 1) / size), "in pieces of {size}");
        }
        let short = "a".repeat(RANDOM - 1);
        for text in [
            format!("kwph{short}-kwph{short}"),
            format!("kwpx{short}aaaa"),
            format!("KWPH{short}aaaa"),
            "kwp".repeat(40),
        ] {
            for size in 1..text.len() {
                let mut watch = Watch::default();
                assert!(
                    !text.as_bytes().chunks(size).any(|piece| watch.sees(piece)),
                    "{text} in pieces of {size}"
                );
            }
        }
        assert!(Watch::default().sees(format!("kkwph{short}a").as_bytes()));
        let mut watch = Watch::default();
        assert!(!watch.sees(b"kwpk") && !watch.sees(b"wph") && watch.sees(format!("{short}a").as_bytes()));
    }
}
