//! What the gateway's scrubber must cover, found the slow way: each form at each place, one bit at a time.
//!
//! Nothing here is shared with the scrubber. It knows the forms that every value has; values with characters that begin an
//! escape have a few more there.

/// One byte of a text as it is read, and where it is written.
struct Cell {
    byte: u8,
    start: usize,
    end: usize,
}

/// Which bytes of `text` belong to a complete form of one of `values`.
pub fn covered(values: &[Vec<u8>], text: &[u8]) -> Vec<bool> {
    let mut covered = vec![false; text.len()];
    for view in [None, Some('%'), Some('\\'), Some('&')] {
        let cells = cells(view, text);
        for value in values {
            for length in (0..cells.len()).flat_map(|at| lengths_at(&cells, at, value, view.is_none())) {
                let (at, count) = length;
                let (start, end) = (cells[at].start, cells[at + count - 1].end);
                covered[start..end].fill(true);
            }
        }
    }
    covered
}

/// Whether a value can be written in no more than the forms known here.
pub fn is_plain(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_graphic() && !b"%\\&".contains(byte))
}

/// Every form of `value` that begins at cell `at`: how many cells each has.
fn lengths_at(cells: &[Cell], at: usize, value: &[u8], plain: bool) -> Vec<(usize, usize)> {
    let here: Vec<u8> = cells[at..].iter().take(value.len() * 2 + 4).map(|cell| cell.byte).collect();
    let mut lengths = Vec::new();
    let mut try_form = |form: &[u8]| {
        if here.starts_with(form) {
            lengths.push((at, form.len()));
        }
    };
    try_form(value);
    if plain {
        let lower = value.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        try_form(lower.as_bytes());
        try_form(lower.to_uppercase().as_bytes());
        if let Ok(text) = std::str::from_utf8(value) {
            let units: Vec<u16> = text.encode_utf16().collect();
            try_form(&units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>());
            try_form(&units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<u8>>());
        }
    }
    for before in 0..3 {
        for last_two in [*b"+/", *b"-_"] {
            if let Some(count) = base64_at(&here, before, value, last_two) {
                lengths.push((at, count));
            }
        }
    }
    lengths
}

/// How many characters `value` has part in, if it stands here as base64, `before` bytes after a whole group.
fn base64_at(here: &[u8], before: usize, value: &[u8], last_two: [u8; 2]) -> Option<usize> {
    let (first, end) = (before * 8, (before + value.len()) * 8);
    let (skipped, count) = (first / 6, end.div_ceil(6) - first / 6);
    if here.len() < count {
        return None;
    }
    for (number, byte) in here[..count].iter().enumerate() {
        let bits: Vec<usize> = (0..6).map(|bit| (skipped + number) * 6 + bit).collect();
        let shared = !bits.iter().all(|bit| (first..end).contains(bit));
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            // A character that is shared with a neighbour may be of either alphabet.
            b'+' if shared || last_two == *b"+/" => 62,
            b'/' if shared || last_two == *b"+/" => 63,
            b'-' if shared || last_two == *b"-_" => 62,
            b'_' if shared || last_two == *b"-_" => 63,
            _ => return None,
        };
        for (place, bit) in bits.into_iter().enumerate().filter(|(_, bit)| (first..end).contains(bit)) {
            let wanted = value[(bit - first) / 8] >> (7 - (bit - first) % 8) & 1;
            if six >> (5 - place) & 1 != wanted {
                return None;
            }
        }
    }
    Some(count)
}

fn cells(view: Option<char>, text: &[u8]) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let escape = match view {
            Some('%') if rest[0] == b'%' => percent(rest),
            Some('\\') if rest[0] == b'\\' && (at == 0 || text[at - 1] != b'\\') => backslash(rest),
            Some('&') if rest[0] == b'&' => entity(rest),
            _ => None,
        };
        let (byte, width) = escape.unwrap_or((rest[0], 1));
        cells.push(Cell { byte, start: at, end: at + width });
        at += width;
    }
    cells
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
    let run = rest.iter().take_while(|byte| **byte == b'\\').count();
    if run > 4 {
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
