//! The shapes in which a value may come back: as it is, or as encoders write it.
//!
//! A *pattern* is one shape, byte for byte. The escapes of URLs, JSON and HTML are no patterns: which bytes an encoder
//! escapes is its own choice, so there every mixture is read by [`super::escape`] and compared after that.

use zeroize::Zeroizing;

use super::base64::{Alphabet, Sextets};

/// One shape of one value.
pub(super) struct Pattern {
    /// Which value: its place in the list the scrubber was made of.
    pub(super) value: usize,
    /// The bytes that are searched.
    pub(super) core: Zeroizing<Vec<u8>>,
    /// What is written over them.
    pub(super) cover: Cover,
    /// Whether it is looked for behind escapes, too.
    pub(super) escapable: bool,
}

/// What takes the place of a pattern: as many bytes as it has.
pub(super) enum Cover {
    /// These.
    Text(Vec<u8>),
    /// The stand-in in base64. A character at either end may hold bits of the value beside bits of a neighbour: those of
    /// the value are compared and covered, the others kept.
    Base64 {
        /// Six bits a character: the value's, the stand-in's.
        sextets: Sextets,
        alphabet: Alphabet,
    },
}

impl Pattern {
    /// The character before `core` that belongs to it, too, and the one after it: 0 or 1.
    pub(super) fn edges(&self) -> (usize, usize) {
        match &self.cover {
            Cover::Text(_) => (0, 0),
            Cover::Base64 { sextets, .. } => sextets.edges(),
        }
    }

    /// How many bytes it has in all.
    pub(super) fn len(&self) -> usize {
        let (before, after) = self.edges();
        before + self.core.len() + after
    }
}

/// Every shape of a value, and what covers each. `stand_in` is as long as the value.
pub(super) fn patterns(value: usize, secret: &[u8], stand_in: &[u8]) -> Vec<Pattern> {
    debug_assert_eq!(secret.len(), stand_in.len());
    let mut all = Patterns { value, list: Vec::new() };
    all.text(secret.to_vec(), stand_in.to_vec(), true);
    all.text(hex(secret, LOWER), hex(stand_in, LOWER), false);
    all.text(hex(secret, UPPER), hex(stand_in, UPPER), false);
    for before in 0..3 {
        let sextets = Sextets::of(before, secret, stand_in);
        all.base64(&sextets, Alphabet::Standard);
        all.base64(&sextets, Alphabet::Url);
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
    fn push(&mut self, core: Vec<u8>, cover: Cover, escapable: bool) {
        let core = Zeroizing::new(core);
        if !self.list.iter().any(|pattern| pattern.core == core) {
            self.list.push(Pattern { value: self.value, core, cover, escapable });
        }
    }

    fn text(&mut self, core: Vec<u8>, cover: Vec<u8>, escapable: bool) {
        self.push(core, Cover::Text(cover), escapable);
    }

    fn starred(&mut self, core: Vec<u8>) {
        let stars = vec![STAR; core.len()];
        self.text(core, stars, false);
    }

    /// Both alphabets write most values alike; then one pattern serves for both.
    fn base64(&mut self, sextets: &Sextets, alphabet: Alphabet) {
        let core = sextets.core(alphabet);
        self.push(core, Cover::Base64 { sextets: sextets.clone(), alphabet }, true);
    }

    /// UTF-16. What is not ASCII may have another number of units than bytes, and gets stars.
    fn wide(&mut self, text: &str, stand_in: &[u8], order: fn(u16) -> [u8; 2]) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let core = units.iter().flat_map(|unit| order(*unit)).collect();
        let cover = if text.is_ascii() {
            stand_in.iter().flat_map(|byte| order(u16::from(*byte))).collect()
        } else {
            units.iter().flat_map(|_| order(u16::from(STAR))).collect()
        };
        self.text(core, cover, false);
    }
}

/// What standard encoders make of values whose escapes cannot be read back one by one: those with characters that begin an
/// escape, with line ends, with blanks that a form writes as `+`, and beyond ASCII.
fn literals(text: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let begins_escape = text.contains(['%', '\\', '&']);
    if begins_escape || text.contains(' ') {
        for kept in ["-_.~", "-_.!~*'()", "-_.*"] {
            for digits in [LOWER, UPPER] {
                let percent = percent(text, kept, digits);
                all.push(percent.replace("%20", "+").into_bytes());
                all.push(percent.into_bytes());
            }
        }
    }
    if begins_escape || !text.is_ascii() || text.chars().any(char::is_control) {
        for (ascii, digits) in [(false, LOWER), (true, LOWER), (true, UPPER)] {
            let json = json(text, ascii, digits);
            all.push(json.replace('/', "\\/").into_bytes());
            all.push(json.into_bytes());
        }
    }
    if begins_escape {
        for (quote, apostrophe) in
            [("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&#x27;"), ("&quot;", "&#039;")]
        {
            let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            all.push(html.replace('"', quote).replace('\'', apostrophe).into_bytes());
        }
    }
    if text.contains('\n') {
        // As the data of one event, and with the line ends of a mail or a header.
        for line_end in ["\r\n", "\ndata:", "\ndata: ", "\r\ndata:", "\r\ndata: "] {
            all.push(text.replace("\r\n", "\n").replace('\n', line_end).into_bytes());
        }
    }
    all.retain(|literal| literal.as_slice() != text.as_bytes());
    all
}

fn percent(text: &str, kept: &str, digits: &[u8; 16]) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            out.push(c);
        } else {
            out.push('%');
            out.extend(digits_of(byte, digits).map(char::from));
        }
    }
    out
}

fn json(text: &str, ascii: bool, digits: &[u8; 16]) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str("\\u");
                    let bytes = unit.to_be_bytes();
                    out.extend(bytes.into_iter().flat_map(|byte| digits_of(byte, digits)).map(char::from));
                }
            }
            c => out.push(c),
        }
    }
    out
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| digits_of(*byte, digits)).collect()
}

/// The two hexadecimal digits of a byte.
pub(super) fn digits_of(byte: u8, digits: &[u8; 16]) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|half| digits.get(usize::from(half)).copied().unwrap_or_default())
}

/// What is written where the stand-in has no place.
pub(super) const STAR: u8 = b'*';
pub(super) const LOWER: &[u8; 16] = b"0123456789abcdef";
pub(super) const UPPER: &[u8; 16] = b"0123456789ABCDEF";
