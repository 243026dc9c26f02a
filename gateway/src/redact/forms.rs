//! The shapes in which a value may come back: as it is, or as encoders write it.
//!
//! A *pattern* is one shape, byte for byte. The escapes of URLs, JSON and HTML are no patterns: which bytes an encoder escapes is
//! its own choice, so [`super::escape`] decodes every mixture of them, and the decoded text is compared with the patterns.

use zeroize::Zeroizing;

use super::PIECE;
use super::base64::{Alphabet, Sextets};

/// One shape of one value.
pub(super) struct Pattern {
    /// The value's index in the list that the scrubber was made of.
    pub(super) value: usize,
    /// The bytes that are searched for.
    pub(super) core: Zeroizing<Vec<u8>>,
    /// What is written over the bytes of the pattern.
    pub(super) cover: Cover,
    /// Whether this pattern is looked for in decoded escapes, too.
    pub(super) escapable: bool,
}

/// What is written over a pattern: as many bytes as the pattern has.
pub(super) enum Cover {
    /// These bytes.
    Text(Vec<u8>),
    /// The stand-in in base64. A character at either end may hold bits of the value beside bits of a neighbour: the value's bits
    /// are compared and covered, the neighbour's are kept.
    Base64 {
        /// Six bits a character: those of the value, and those of the stand-in.
        sextets: Sextets,
        alphabet: Alphabet,
    },
}

impl Pattern {
    /// How many characters before `core` belong to the pattern, and how many after it: 0 or 1 each.
    pub(super) fn edges(&self) -> (usize, usize) {
        match &self.cover {
            Cover::Text(_) => (0, 0),
            Cover::Base64 { sextets, .. } => sextets.edges(),
        }
    }

    /// The pattern's length in bytes, with its edges.
    pub(super) fn len(&self) -> usize {
        let (before, after) = self.edges();
        before + self.core.len() + after
    }
}

/// Every shape of a value, and what covers each. `stand_in` is as long as the value.
pub(super) fn patterns(value: usize, secret: &[u8], stand_in: &[u8]) -> Vec<Pattern> {
    debug_assert_eq!(secret.len(), stand_in.len());
    let mut all = Patterns { value, list: Vec::new() };
    all.text(wiped(secret), stand_in.to_vec(), true);
    all.text(hex(secret, LOWER), hex(stand_in, LOWER).to_vec(), false);
    all.text(hex(secret, UPPER), hex(stand_in, UPPER).to_vec(), false);
    for before in 0..3 {
        all.base64(&Sextets::of(before, secret, stand_in));
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        for order in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
            all.wide(text, stand_in, order);
        }
        for literal in literals(text) {
            all.starred(literal);
        }
    }
    all.list
}

struct Patterns {
    value: usize,
    list: Vec<Pattern>,
}

impl Patterns {
    /// Adds a pattern, unless it is too short to be searched for: three characters beyond ASCII are fewer bytes in UTF-16 than in
    /// UTF-8.
    fn push(&mut self, core: Zeroizing<Vec<u8>>, cover: Cover, escapable: bool) {
        if core.len() < PIECE {
            return;
        }
        self.list.push(Pattern { value: self.value, core, cover, escapable });
    }

    /// Adds a text pattern unless one with the same bytes is there.
    fn text(&mut self, core: Zeroizing<Vec<u8>>, cover: Vec<u8>, escapable: bool) {
        let is_there = |pattern: &Pattern| matches!(pattern.cover, Cover::Text(_)) && pattern.core == core;
        if !self.list.iter().any(is_there) {
            self.push(core, Cover::Text(cover), escapable);
        }
    }

    fn starred(&mut self, core: Zeroizing<Vec<u8>>) {
        let stars = vec![STAR; core.len()];
        self.text(core, stars, false);
    }

    /// Adds the value's base64 in both alphabets, once if they write it alike. Patterns that are equal at another base64 offset
    /// are kept: only their end bits differ.
    fn base64(&mut self, sextets: &Sextets) {
        let [standard, url] = [Alphabet::Standard, Alphabet::Url].map(|alphabet| sextets.core(alphabet));
        let cover = |alphabet| Cover::Base64 { sextets: sextets.clone(), alphabet };
        let differ = url != standard;
        self.push(standard, cover(Alphabet::Standard), true);
        if differ {
            self.push(url, cover(Alphabet::Url), true);
        }
    }

    /// Adds the value in UTF-16. A value beyond ASCII may have fewer units than bytes: it is covered with stars.
    fn wide(&mut self, text: &str, stand_in: &[u8], order: fn(u16) -> [u8; 2]) {
        // A text has at most as many UTF-16 units as UTF-8 bytes.
        let mut core = Zeroizing::new(Vec::with_capacity(text.len() * 2));
        core.extend(text.encode_utf16().flat_map(order));
        let cover = if text.is_ascii() {
            stand_in.iter().flat_map(|byte| order(u16::from(*byte))).collect()
        } else {
            text.encode_utf16().flat_map(|_| order(u16::from(STAR))).collect()
        };
        self.text(core, cover, false);
    }
}

/// The value as standard encoders write it, if its escapes cannot be read back one by one: with characters that begin an escape,
/// with line ends, with blanks that a form writes as `+`, or beyond ASCII.
fn literals(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut all = Vec::new();
    let begins_escape = text.contains(['%', '\\', '&']);
    if begins_escape || text.contains(' ') {
        for kept in ["-_.~", "-_.!~*'()", "-_.*"] {
            for digits in [LOWER, UPPER] {
                all.extend(["+", "%20"].map(|blank| percent(text, kept, digits, blank)));
            }
        }
    }
    if begins_escape || !text.is_ascii() || text.chars().any(char::is_control) {
        for (ascii, digits) in [(false, LOWER), (true, LOWER), (true, UPPER)] {
            all.extend(["\\/", "/"].map(|slash| json(text, ascii, digits, slash)));
        }
    }
    if begins_escape {
        for (quote, apostrophe) in
            [("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&#x27;"), ("&quot;", "&#039;")]
        {
            all.push(written(text, |c, out| {
                out.extend_from_slice(match c {
                    '&' => b"&amp;",
                    '<' => b"&lt;",
                    '>' => b"&gt;",
                    '"' => quote.as_bytes(),
                    '\'' => apostrophe.as_bytes(),
                    c => return put(c, out),
                });
            }));
        }
    }
    if text.contains('\n') {
        // Line ends as in the data of a server-sent event, and as in a mail or a header.
        for line_end in ["\r\n", "\ndata:", "\ndata: ", "\r\ndata:", "\r\ndata: "] {
            all.push(lines(text, line_end));
        }
    }
    all.retain(|literal| literal.as_slice() != text.as_bytes());
    all
}

fn percent(text: &str, kept: &str, digits: &[u8; 16], blank: &str) -> Zeroizing<Vec<u8>> {
    written(text, |c, out| {
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            return put(c, out);
        }
        if c == ' ' {
            return out.extend_from_slice(blank.as_bytes());
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            out.push(b'%');
            out.extend_from_slice(&digits_of(byte, digits));
        }
    })
}

fn json(text: &str, ascii: bool, digits: &[u8; 16], slash: &str) -> Zeroizing<Vec<u8>> {
    written(text, |c, out| {
        out.extend_from_slice(match c {
            '"' => b"\\\"",
            '\\' => b"\\\\",
            '/' => slash.as_bytes(),
            '\n' => b"\\n",
            '\r' => b"\\r",
            '\t' => b"\\t",
            '\u{8}' => b"\\b",
            '\u{c}' => b"\\f",
            c if c < ' ' || (ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    let bytes = unit.to_be_bytes();
                    out.extend(bytes.into_iter().flat_map(|byte| digits_of(byte, digits)));
                }
                return;
            }
            c => return put(c, out),
        });
    })
}

/// The text with `line_end` in the place of each of its line ends.
fn lines(text: &str, line_end: &str) -> Zeroizing<Vec<u8>> {
    let mut chars = text.chars().peekable();
    let next = std::iter::from_fn(|| {
        let c = chars.next()?;
        Some(if c == '\r' { chars.next_if_eq(&'\n').unwrap_or(c) } else { c })
    });
    collected(text, next, |c, out| match c {
        '\n' => out.extend_from_slice(line_end.as_bytes()),
        c => put(c, out),
    })
}

/// The text with each character written by `write`.
fn written(text: &str, write: impl FnMut(char, &mut Vec<u8>)) -> Zeroizing<Vec<u8>> {
    collected(text, text.chars(), write)
}

fn collected(
    text: &str,
    chars: impl Iterator<Item = char>,
    mut write: impl FnMut(char, &mut Vec<u8>),
) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() * WIDEST_LITERAL));
    chars.for_each(|c| write(c, &mut out));
    debug_assert!(out.len() <= text.len() * WIDEST_LITERAL, "it grew, and left a copy behind");
    out
}

fn put(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn wiped(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len() * 2));
    for byte in bytes {
        out.extend_from_slice(&digits_of(*byte, digits));
    }
    out
}

/// The two hexadecimal digits of a byte.
pub(super) fn digits_of(byte: u8, digits: &[u8; 16]) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|half| digits.get(usize::from(half)).copied().unwrap_or_default())
}

/// The byte that is written where the stand-in does not fit.
pub(super) const STAR: u8 = b'*';
pub(super) const LOWER: &[u8; 16] = b"0123456789abcdef";
pub(super) const UPPER: &[u8; 16] = b"0123456789ABCDEF";
/// The most bytes that an encoder makes of one byte: a line end in the data of a server-sent event.
const WIDEST_LITERAL: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_literal_outgrows_its_place() {
        for text in ["\n", "\r\n", "\u{1}", "\"", "'", "&", "%", "\\", " ", "é", "\u{ffff}", "🔑"] {
            // With a character of each kind that calls for literals.
            let text = format!("{}%\n é", text.repeat(40));
            for literal in literals(&text) {
                assert!(literal.len() <= text.len() * WIDEST_LITERAL, "{text:?}");
            }
        }
        assert_eq!(*lines("a\r\nb\rc\n", "\ndata: "), b"a\ndata: b\rc\ndata: ");
        assert_eq!(*json("a/\u{1}\"é🔑", true, LOWER, "\\/"), b"a\\/\\u0001\\\"\\u00e9\\ud83d\\udd11");
    }
}
