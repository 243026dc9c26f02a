//! Texts in which some bytes are written as escapes: URLs, JSON, HTML.
//!
//! An escape is one *cell* of the text and stands for one byte; every other byte is a cell of its own. Encoders differ in what
//! they escape, and one may wrap another's output, so an escape that was escaped again is read as well.

use super::forms::{LOWER, digits_of};

/// A kind of escapes, by which a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// `%2F`, `%2f`, `%252F`
    Percent,
    /// `\/`, `\"`, `\u002f`, `\\u002F`, `\x2f`
    Backslash,
    /// `&#47;`, `&#x2F;`, `&amp;`
    Entity,
}

/// What stands at a byte that may begin an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// No escape: the byte stands for itself.
    Itself,
    /// An escape: the byte that the escape stands for, and how many bytes the escape has.
    Escape { byte: u8, width: usize },
    /// The text ends too early to tell.
    Unknown,
}

impl View {
    /// All kinds of escapes.
    pub(super) const ALL: [Self; 3] = [Self::Percent, Self::Backslash, Self::Entity];

    /// The byte that every escape begins with.
    pub(super) fn sign(self) -> u8 {
        match self {
            Self::Percent => b'%',
            Self::Backslash => b'\\',
            Self::Entity => b'&',
        }
    }

    /// Whether an escape may have the byte `next` after its first byte. A quick check: in binary data, most bytes that look like
    /// the sign begin no escape.
    fn goes_on(self, next: u8) -> bool {
        match self {
            Self::Percent => next.is_ascii_hexdigit(),
            Self::Backslash => b"\\/\"'uxnrtbf".contains(&next),
            Self::Entity => b"#algq".contains(&next),
        }
    }

    /// Reads the cell that begins at `at`, where a [`sign`](Self::sign) stands.
    pub(super) fn read(self, text: &[u8], at: usize) -> Read {
        let Some(rest) = text.get(at..) else { return Read::Unknown };
        if rest.get(1).is_some_and(|next| !self.goes_on(*next)) {
            return Read::Itself;
        }
        // Within a run of backslashes no escape begins but the first; of a run that is longer than four, only the last four begin
        // one.
        if self == Self::Backslash && at.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'\\') {
            let run = run(rest);
            if run != RUN && (run > RUN || run < rest.len()) {
                return Read::Itself;
            }
        }
        self.by_its_rules(rest)
    }

    fn by_its_rules(self, rest: &[u8]) -> Read {
        match self {
            Self::Percent => percent(rest),
            Self::Backslash => backslash(rest),
            Self::Entity => entity(rest),
        }
    }

    /// The fewest bytes of an escape inside which other text may begin.
    pub(super) fn least_within(self) -> usize {
        match self {
            Self::Percent => 5,
            Self::Backslash => 3,
            Self::Entity => usize::MAX,
        }
    }

    /// Offsets inside this escape at which other text may begin. `%2541` may be an escaped `A`, or an escaped `%` followed by the
    /// text `41`. Text that has no escape before it is found by the plain search anyway.
    pub(super) fn begins_within(self, cell: &[u8]) -> [Option<usize>; LEVELS] {
        match self {
            Self::Percent => [3, 5].map(|at| {
                let signs = cell.get(1..at).filter(|_| at < cell.len())?;
                signs.chunks(2).all(|digits| digits == b"25").then_some(at)
            }),
            Self::Backslash if cell.get(1) == Some(&b'\\') => {
                let run = run(cell);
                // A `/` or a quote after the backslashes stands for itself in both readings.
                let other = cell.get(run).is_some_and(|kind| b"uxnrtbf".contains(kind));
                [other.then_some(run), None]
            }
            Self::Backslash | Self::Entity => [None; LEVELS],
        }
    }

    /// Writes `byte` as a cell of the same width and kind as `cell`. `None` if there is no such cell.
    pub(super) fn write(self, byte: u8, cell: &[u8]) -> Option<Vec<u8>> {
        if cell.len() == 1 {
            return Some(vec![byte]);
        }
        let digits = digits_of(byte, LOWER);
        let written = match self {
            Self::Percent => [cell.get(..cell.len() - 2)?, &digits].concat(),
            Self::Backslash => {
                let run = run(cell);
                let kind: &[u8] = match cell.get(run)? {
                    b'u' => b"u00",
                    b'x' => b"x",
                    _ => return None,
                };
                [cell.get(..run)?, kind, &digits].concat()
            }
            Self::Entity => {
                let decimal = byte.to_string();
                let room = cell.len().checked_sub(3)?;
                let zeros = room.checked_sub(decimal.len())?;
                [b"&#", "0".repeat(zeros).as_bytes(), decimal.as_bytes(), b";"].concat()
            }
        };
        (written.len() == cell.len()).then_some(written)
    }
}

/// Reads `%`, then up to two times `25` (a `%` that was escaped again), then two digits.
fn percent(rest: &[u8]) -> Read {
    let mut at = 1;
    for level in 0.. {
        let (Some(high), low) = (rest.get(at), rest.get(at + 1)) else { return Read::Unknown };
        let Some(high) = hex_digit(*high) else { return Read::Itself };
        let Some(low) = low else { return Read::Unknown };
        let Some(low) = hex_digit(*low) else { return Read::Itself };
        let byte = high << 4 | low;
        let again = byte == b'%' && level < LEVELS;
        match again
            .then(|| (rest.get(at + 2).copied().map(hex_digit), rest.get(at + 3).copied().map(hex_digit)))
        {
            Some((Some(Some(_)), Some(Some(_)))) => at += 2,
            Some((None, _) | (Some(Some(_)), None)) => return Read::Unknown,
            Some(_) | None => return Read::Escape { byte, width: at + 2 },
        }
    }
    Read::Itself
}

/// Reads one to four backslashes, then what JSON, JavaScript or Python write after one.
fn backslash(rest: &[u8]) -> Read {
    let run = run(rest);
    if run > RUN {
        return Read::Itself;
    }
    let Some(kind) = rest.get(run) else { return Read::Unknown };
    let byte = match kind {
        b'u' => return code(rest, run + 1, 4),
        b'x' => return code(rest, run + 1, 2),
        b'/' | b'"' | b'\'' => *kind,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        _ => return Read::Itself,
    };
    Read::Escape { byte, width: run + 1 }
}

/// The number of backslashes at the beginning of a text, counted up to one more than an escape may have.
fn run(text: &[u8]) -> usize {
    text.iter().take(RUN + 1).take_while(|byte| **byte == b'\\').count()
}

/// Reads `digits` hexadecimal digits from `at`, for an ASCII character.
fn code(rest: &[u8], at: usize, digits: usize) -> Read {
    let mut code = 0_u32;
    for at in at..at + digits {
        let Some(digit) = rest.get(at) else { return Read::Unknown };
        let Some(digit) = hex_digit(*digit) else { return Read::Itself };
        code = code << 4 | u32::from(digit);
    }
    ascii(code).map_or(Read::Itself, |byte| Read::Escape { byte, width: at + digits })
}

/// Reads `&#47;`, `&#x2f;` (up to six digits), or one of the names that HTML needs.
fn entity(rest: &[u8]) -> Read {
    let named: [(&[u8], u8); 5] =
        [(b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\'')];
    for (name, byte) in named {
        let have = rest.get(..name.len()).unwrap_or(rest);
        if have == name {
            return Read::Escape { byte, width: name.len() };
        }
        if have.len() < name.len() && name.starts_with(have) {
            return Read::Unknown;
        }
    }
    if rest.get(1) != Some(&b'#') {
        return Read::Itself;
    }
    let (radix, from) = match rest.get(2) {
        Some(b'x' | b'X') => (16, 3),
        Some(_) => (10, 2),
        None => return Read::Unknown,
    };
    let mut code = 0_u32;
    for at in from..=from + 6 {
        match rest.get(at) {
            None => return Read::Unknown,
            Some(b';') if at > from => {
                return ascii(code).map_or(Read::Itself, |byte| Read::Escape { byte, width: at + 1 });
            }
            Some(digit) => match char::from(*digit).to_digit(radix) {
                Some(digit) => code = code * radix + digit,
                None => return Read::Itself,
            },
        }
    }
    Read::Itself
}

fn ascii(code: u32) -> Option<u8> {
    u8::try_from(code).ok().filter(u8::is_ascii)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Bytes of the longest escape: `&#x00002f;`.
pub(super) const WIDEST: usize = 10;
/// Bytes of the longest other text that may begin inside an escape and end with it: `u0041`.
pub(super) const WITHIN: usize = 5;
/// How often a `%` may have been escaped again.
const LEVELS: usize = 2;
/// The most backslashes of one escape: a JSON string in a JSON string in a JSON string. Of a longer run, the last four are read
/// as one escape: the backslashes before them are text that stands before a value.
const RUN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_one_byte_at_any_level() {
        let read = |view: View, text: &[u8]| view.read(text, 0);
        for (view, text, byte) in [
            (View::Percent, "%2F", b'/'),
            (View::Percent, "%2f", b'/'),
            (View::Percent, "%25zz", b'%'),
            (View::Percent, "%252Fx", b'/'),
            (View::Percent, "%25252F", b'/'),
            (View::Backslash, "\\/", b'/'),
            (View::Backslash, "\\\\/", b'/'),
            (View::Backslash, "\\u002f", b'/'),
            (View::Backslash, "\\\\u002F", b'/'),
            (View::Backslash, "\\x2f", b'/'),
            (View::Backslash, "\\n", b'\n'),
            (View::Entity, "&#47;", b'/'),
            (View::Entity, "&#047;", b'/'),
            (View::Entity, "&#x2f;", b'/'),
            (View::Entity, "&#X2F;", b'/'),
            (View::Entity, "&#x00002f;", b'/'),
            (View::Entity, "&amp;", b'&'),
            (View::Entity, "&apos;", b'\''),
        ] {
            let width = text.trim_end_matches(['z', 'x']).len();
            assert_eq!(read(view, text.as_bytes()), Read::Escape { byte, width }, "{text}");
            assert!(width <= WIDEST);
            // No beginning of it is taken for something else.
            for end in 1..width {
                let unknown = read(view, &text.as_bytes()[..end]);
                assert_eq!(unknown, Read::Unknown, "{text} after {end} bytes");
            }
        }
        for (view, text) in [
            (View::Percent, "%zz"),
            (View::Percent, "%2z"),
            (View::Backslash, "\\q"),
            (View::Backslash, "\\u00e9"),
            (View::Backslash, "\\\\\\\\\\/"),
            (View::Entity, "&nbsp;"),
            (View::Entity, "&#;"),
            (View::Entity, "&#x;"),
            (View::Entity, "&#4712345;"),
            (View::Entity, "&&#47;"),
        ] {
            assert_eq!(read(view, text.as_bytes()), Read::Itself, "{text}");
        }
        for view in View::ALL {
            // Whatever does not go on is read as no escape by the rules, too.
            for next in (0..=u8::MAX).filter(|next| !view.goes_on(*next)) {
                for after in [&b""[..], b"amp;", b"2f", b"#47;"] {
                    let text = [&[view.sign(), next], after].concat();
                    assert_eq!(view.by_its_rules(&text), Read::Itself, "{text:?}");
                }
            }
        }
        assert_eq!(View::Backslash.read(b"\\\\/", 1), Read::Itself);
        // Of a long run, only the last four are one.
        for run in 5..12 {
            let text = ["\\".repeat(run).as_bytes(), b"u002f"].concat();
            for at in 0..run {
                let whole = View::Backslash.read(&text, at);
                let last = at == run - RUN;
                assert_eq!(whole, if last { Read::Escape { byte: b'/', width: 9 } } else { Read::Itself });
                // What it is while it comes is not said before it is known.
                for end in at + 1..text.len() {
                    let read = View::Backslash.read(&text[..end], at);
                    assert!(read == whole || read == Read::Unknown, "{run} {at} {end}: {read:?}");
                    assert!(!last || read == Read::Unknown, "{run} {at} {end}: {read:?}");
                }
            }
        }
    }

    #[test]
    fn after_an_escaped_sign_another_text_may_begin() {
        for (view, cell, begins) in [
            (View::Percent, "%41", [None, None]),
            (View::Percent, "%25", [None, None]),
            (View::Percent, "%2541", [Some(3), None]),
            (View::Percent, "%2525", [Some(3), None]),
            (View::Percent, "%252541", [Some(3), Some(5)]),
            (View::Backslash, "\\n", [None, None]),
            (View::Backslash, "\\u0041", [None, None]),
            (View::Backslash, "\\\\/", [None, None]),
            (View::Backslash, "\\\\n", [Some(2), None]),
            (View::Backslash, "\\\\\\\\u0041", [Some(4), None]),
            (View::Entity, "&amp;", [None, None]),
        ] {
            assert_eq!(view.begins_within(cell.as_bytes()), begins, "{cell}");
            assert!(begins.iter().flatten().all(|at| cell.len() - at <= WITHIN));
            assert!(begins == [None, None] || cell.len() >= view.least_within());
        }
    }

    #[test]
    fn a_cell_is_written_again_at_its_width() {
        for (view, cell, written) in [
            (View::Percent, "%2F", Some("%6b")),
            (View::Percent, "%252F", Some("%256b")),
            (View::Backslash, "\\u002f", Some("\\u006b")),
            (View::Backslash, "\\\\u002f", Some("\\\\u006b")),
            (View::Backslash, "\\x2f", Some("\\x6b")),
            (View::Backslash, "\\/", None),
            (View::Entity, "&#x2f;", Some("&#107;")),
            (View::Entity, "&#0047;", Some("&#0107;")),
            (View::Entity, "&#47;", None),
            (View::Entity, "/", Some("k")),
        ] {
            assert_eq!(
                view.write(b'k', cell.as_bytes()),
                written.map(|text| text.as_bytes().to_vec()),
                "{cell}"
            );
        }
    }
}
