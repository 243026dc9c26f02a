//! The forms in which a value can be told, found the plain way: each at each place.
//!
//! Nothing here is shared with the scrubber, which is held against it (`fuzz/src/scrub.rs`), and so are all answers of the cases.
//! It knows the forms that every value has; values with characters that begin an escape have a few more for the scrubber.

use std::ops::{ControlFlow, Range};

/// Forms of some values, ready to be looked for.
pub struct Forms {
    all: Vec<Form>,
    /// For each byte, the forms that may begin with it.
    begun_by: Vec<Vec<usize>>,
    /// The number of places of the longest form.
    longest: usize,
}

/// A form: for each of its places, the bytes that may stand there.
struct Form {
    value: usize,
    places: Vec<Bytes>,
    /// Whether the form is not looked for in escapes.
    plain_only: bool,
}

/// A set of bytes.
#[derive(Clone, Copy, Default)]
struct Bytes([u128; 2]);

impl Bytes {
    fn those(fit: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        for byte in (0..=u8::MAX).filter(|byte| fit(*byte)) {
            set.0[usize::from(byte >> 7)] |= 1 << (byte & 127);
        }
        set
    }

    fn has(self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)] >> (byte & 127) & 1 == 1
    }
}

impl Forms {
    /// All forms of these values.
    pub fn of<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> Self {
        let mut all = Vec::new();
        for (number, value) in values.into_iter().enumerate() {
            add_forms(&mut all, number, value.as_ref());
        }
        let begins = |byte| {
            let by = |form: &Form| form.places.first().is_some_and(|first| first.has(byte));
            (0..all.len()).filter(|number| by(&all[*number])).collect()
        };
        let begun_by = (0..=u8::MAX).map(begins).collect();
        let longest = all.iter().map(|form| form.places.len()).max().unwrap_or(0);
        Self { all, begun_by, longest }
    }

    /// For each byte of `text`, whether it belongs to a complete form.
    pub fn covered(&self, text: &[u8]) -> Vec<bool> {
        let mut covered = vec![false; text.len()];
        let _ = self.search(text, |_, range| {
            covered[range].fill(true);
            ControlFlow::Continue(())
        });
        covered
    }

    /// The number of a value that is in `text`.
    pub fn any_in(&self, text: &[u8]) -> Option<usize> {
        self.search(text, |value, _| ControlFlow::Break(value)).break_value()
    }

    /// Hands each form in `text` to `found`: of which value, and where.
    fn search(
        &self,
        text: &[u8],
        mut found: impl FnMut(usize, Range<usize>) -> ControlFlow<usize>,
    ) -> ControlFlow<usize> {
        for view in [None, Some(b'%'), Some(b'\\'), Some(b'&')] {
            if view.is_some_and(|sign| !text.contains(&sign)) {
                continue;
            }
            let read = cells(view, text, 0, usize::MAX);
            for at in 0..read.len() {
                self.begun(view, &read[at..], &mut found)?;
                for start in begins_within(view, &text[read[at].start..read[at].end]) {
                    let again = cells(view, text, read[at].start + start, self.longest);
                    self.begun(view, &again, &mut found)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Hands on each form that begins with the first of these cells.
    fn begun(
        &self,
        view: Option<u8>,
        cells: &[Cell],
        found: &mut impl FnMut(usize, Range<usize>) -> ControlFlow<usize>,
    ) -> ControlFlow<usize> {
        for number in &self.begun_by[usize::from(cells[0].byte)] {
            let form = &self.all[*number];
            let Some(here) = cells.get(..form.places.len()) else { continue };
            let is_here = here.iter().zip(&form.places).all(|(cell, place)| place.has(cell.byte));
            if is_here && (view.is_none() || !form.plain_only) {
                found(form.value, here[0].start..here[here.len() - 1].end)?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a value can be written in no more than the forms known here.
pub fn is_plain(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_graphic() && !b"%\\&".contains(byte))
}

fn add_forms(forms: &mut Vec<Form>, number: usize, value: &[u8]) {
    let mut add = |plain_only, places: Vec<Bytes>| forms.push(Form { value: number, places, plain_only });
    let exactly = |text: &[u8]| text.iter().map(|own| Bytes::those(|byte| byte == *own)).collect();
    add(false, exactly(value));
    let lower = data_encoding::HEXLOWER.encode(value);
    add(true, exactly(lower.as_bytes()));
    add(true, exactly(lower.to_uppercase().as_bytes()));
    if let Ok(text) = std::str::from_utf8(value) {
        let units: Vec<u16> = text.encode_utf16().collect();
        add(true, exactly(&units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>()));
        add(true, exactly(&units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<u8>>()));
    }
    for before in 0..3 {
        for last_two in [*b"+/", *b"-_"] {
            add(false, base64(before, value, last_two));
        }
    }
}

/// The characters that `value` has part in, as base64, `before` bytes after a whole group; one bit at a time.
fn base64(before: usize, value: &[u8], last_two: [u8; 2]) -> Vec<Bytes> {
    let (first, end) = (before * 8, (before + value.len()) * 8);
    let (skipped, count) = (first / 6, end.div_ceil(6) - first / 6);
    let fits = |number: usize, byte: u8| {
        let bits = || (0..6).map(|bit| (skipped + number) * 6 + bit);
        let is_own = |bit: &usize| (first..end).contains(bit);
        let shared = !bits().all(|bit| is_own(&bit));
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            // A character that is shared with a neighbour may be of either alphabet.
            b'+' if shared || last_two == *b"+/" => 62,
            b'/' if shared || last_two == *b"+/" => 63,
            b'-' if shared || last_two == *b"-_" => 62,
            b'_' if shared || last_two == *b"-_" => 63,
            _ => return false,
        };
        bits().enumerate().filter(|(_, bit)| is_own(bit)).all(|(place, bit)| {
            let wanted = value[(bit - first) / 8] >> (7 - (bit - first) % 8) & 1;
            six >> (5 - place) & 1 == wanted
        })
    };
    (0..count).map(|number| Bytes::those(|byte| fits(number, byte))).collect()
}

/// One byte of a text as it is read, and where it is written.
struct Cell {
    byte: u8,
    start: usize,
    end: usize,
}

/// The cells that are read from `at` on, at most `most`.
fn cells(view: Option<u8>, text: &[u8], mut at: usize, most: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    while at < text.len() && cells.len() < most {
        let rest = &text[at..];
        let escape = match view {
            Some(b'%') if rest[0] == b'%' => percent(rest),
            // Of a run of more than four, the last four.
            Some(b'\\') if at == 0 || text[at - 1] != b'\\' || signs(rest) == 4 => backslash(rest),
            Some(b'&') if rest[0] == b'&' => entity(rest),
            _ => None,
        };
        let (byte, width) = escape.unwrap_or((rest[0], 1));
        cells.push(Cell { byte, start: at, end: at + width });
        at += width;
    }
    cells
}

/// What reads as the escape of an escape may be that of a sign only, and what follows another text: where that begins.
fn begins_within(view: Option<u8>, cell: &[u8]) -> Vec<usize> {
    let after =
        |signs: &str| (cell.len() > signs.len() && cell.starts_with(signs.as_bytes())).then_some(signs.len());
    match view {
        Some(b'%') => ["%25", "%2525"].into_iter().filter_map(after).collect(),
        Some(b'\\') => ["\\\\", "\\\\\\", "\\\\\\\\"]
            .into_iter()
            .filter_map(after)
            .filter(|at| !b"\\/\"'".contains(&cell[*at]))
            .collect(),
        _ => Vec::new(),
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.is_empty() || !text.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(text, radix).ok().and_then(|code| u8::try_from(code).ok())
}

fn percent(rest: &[u8]) -> Option<(u8, usize)> {
    // The longest of the three that is an escape.
    ["2525", "25", ""].iter().find_map(|again| {
        let digits = rest[1..].strip_prefix(again.as_bytes())?.get(..2)?;
        Some((number(digits, 16)?, again.len() + 3))
    })
}

fn backslash(rest: &[u8]) -> Option<(u8, usize)> {
    let run = signs(rest);
    if run == 0 || run > 4 {
        return None;
    }
    let code = |digits: usize| number(rest.get(run + 1..run + 1 + digits)?, 16).filter(u8::is_ascii);
    let short = |byte| Some((byte, run + 1));
    match rest.get(run)? {
        b'u' => Some((code_of_four(rest.get(run + 1..run + 5)?)?, run + 5)),
        b'x' => Some((code(2)?, run + 3)),
        b'n' => short(10),
        b'r' => short(13),
        b't' => short(9),
        b'b' => short(8),
        b'f' => short(12),
        quoted @ (b'/' | b'"' | b'\'') => short(*quoted),
        _ => None,
    }
}

/// How many backslashes it begins with; five are as good as more.
fn signs(rest: &[u8]) -> usize {
    rest.iter().take(5).take_while(|byte| **byte == b'\\').count()
}

fn code_of_four(digits: &[u8]) -> Option<u8> {
    (digits.starts_with(b"00")).then(|| number(&digits[2..], 16)).flatten().filter(u8::is_ascii)
}

fn entity(rest: &[u8]) -> Option<(u8, usize)> {
    let end = rest.iter().take(10).position(|byte| *byte == b';')?;
    let name = &rest[1..end];
    let byte = match name {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        _ => {
            let digits = name.strip_prefix(b"#")?;
            let (digits, radix) = match digits.strip_prefix(b"x").or(digits.strip_prefix(b"X")) {
                Some(digits) => (digits, 16),
                None => (digits, 10),
            };
            (digits.len() <= 6).then(|| number(digits, radix)).flatten().filter(u8::is_ascii)?
        }
    };
    Some((byte, end + 1))
}
