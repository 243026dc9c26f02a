//! `.env` files: one grammar, with known answers in `tests/vectors/dotenv.json`.
//!
//! ```text
//! file   = [ BOM ] { line ( LF | CRLF ) }                    UTF-8, no NUL
//! line   = blanks [ "#" … ]  |  blanks [ "export" blank blanks ] name blanks "=" blanks value
//! name   = [A-Za-z_] [A-Za-z0-9_.-]*
//! value  = bare | quoted [ blank blanks "#" … ]
//! bare   = text up to the end of the line, or to a "#" after a blank; blanks at the end dropped
//! quoted = '…' literal | `…` literal | "…" with \n \r \t \" \\ \$; any other \ stands for itself
//! ```
//!
//! Quotes may span lines; a CRLF inside them is one LF. Nothing is expanded. A line that cannot be read may hold a
//! secret all the same, so no error or warning carries any text of the file. After an error reading goes on with the
//! line after the one reported, so that all errors of a file come at once, at most one a line.

mod error;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use zeroize::Zeroizing;

pub use error::{LineError, Reason, Warning};

/// What a file says, in its order. No `Debug`: it holds values.
pub struct Parsed {
    /// Each name once.
    pub entries: Vec<Entry>,
    /// Lines that were read, but perhaps not as they were meant.
    pub warnings: Vec<Warning>,
    /// How many lines have a comment with text: values that are commented out, often enough.
    pub comments: usize,
}

/// An assignment, `name=value`.
pub struct Entry {
    /// `[A-Za-z_][A-Za-z0-9_.-]*`: not always a name that a shell takes.
    pub name: String,
    /// Unquoted and unescaped; may be empty.
    pub value: Zeroizing<String>,
    /// The line on which the entry begins, from 1.
    pub line: usize,
}

/// Reads a whole file, or says everything that is wrong with it, by line.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Vec<LineError>> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(vec![LineError { line: 1, reason: Reason::Utf16 }]);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);

    let mut errors = Vec::new();
    let mut parsed = Parsed { entries: Vec::new(), warnings: Vec::new(), comments: 0 };
    let mut reader = Reader { bytes, at: 0, line: 1, comments: 0 };
    while reader.at < bytes.len() {
        match reader.read_line(&mut parsed.warnings) {
            Ok(Some(entry)) => parsed.entries.push(entry),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    parsed.comments = reader.comments;
    errors.extend(duplicates(&parsed.entries));

    // One error a line: that its bytes are no text explains any other.
    let unreadable = unreadable_lines(bytes);
    errors.retain(|error| unreadable.binary_search_by_key(&error.line, |other| other.line).is_err());
    errors.extend(unreadable);
    errors.sort_by_key(|error| error.line);
    if errors.is_empty() { Ok(parsed) } else { Err(errors) }
}

/// Lines that are no text, comments included: a file of another encoding is not guessed at.
fn unreadable_lines(bytes: &[u8]) -> Vec<LineError> {
    let reason = |line: &[u8]| match line {
        line if line.contains(&0) => Some(Reason::Nul),
        line if std::str::from_utf8(line).is_err() => Some(Reason::NotUtf8),
        _ => None,
    };
    (1..)
        .zip(bytes.split(|byte| *byte == b'\n'))
        .filter_map(|(line, text)| Some(LineError { line, reason: reason(text)? }))
        .collect()
}

fn duplicates(entries: &[Entry]) -> Vec<LineError> {
    let mut seen = HashMap::new();
    let mut errors = Vec::new();
    for entry in entries {
        match seen.entry(entry.name.as_str()) {
            Slot::Vacant(slot) => {
                slot.insert(entry.line);
            }
            Slot::Occupied(first) => {
                errors
                    .push(LineError { line: entry.line, reason: Reason::Duplicate { first: *first.get() } });
            }
        }
    }
    errors
}

/// Stands at the beginning of a line whenever [`Reader::read_line`] is called.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    /// The number of comments, as [`Parsed::comments`].
    comments: usize,
}

impl<'a> Reader<'a> {
    /// The entry of this line, and of those that its quotes span; `None` for a blank line or a comment.
    fn read_line(&mut self, warnings: &mut Vec<Warning>) -> Result<Option<Entry>, LineError> {
        let (line, start) = (self.line, self.at);
        let text = self.take_line(start);
        let fail = |reason| Err(LineError { line, reason });

        let visible = trim(text);
        if visible.is_empty() || visible.starts_with(b"#") {
            self.note(visible);
            return if visible.contains(&b'\r') { fail(Reason::CarriageReturn) } else { Ok(None) };
        }
        let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
            return fail(match after_export(visible) {
                _ if visible.contains(&b'\r') => Reason::CarriageReturn,
                Some(_) => Reason::ExportWithoutValue,
                None => Reason::NoEquals,
            });
        };
        let (before, after) = text.split_at(equals);
        let before = trim(before);
        let name = match after_export(before).filter(|name| !name.is_empty()).unwrap_or(before) {
            name if name.contains(&b'\r') => return fail(Reason::CarriageReturn),
            name => match parse_name(name) {
                Some(name) => name,
                None => return fail(Reason::BadName),
            },
        };

        let blanks = after.iter().skip(1).take_while(|byte| is_blank(**byte)).count();
        let value_at = start + equals + 1 + blanks;
        let raw = match self.bytes.get(value_at) {
            Some(&mark @ (b'\'' | b'"' | b'`')) => self.take_quoted(line, value_at + 1, mark)?,
            _ if after.contains(&b'\r') => return fail(Reason::CarriageReturn),
            _ => {
                let (raw, comment) = bare(after, 1 + blanks);
                self.note(comment);
                raw
            }
        };
        // Bytes that are no text have been reported already.
        let Some((value, looks_expanded)) = raw.value() else { return Ok(None) };
        if looks_expanded {
            warnings.push(Warning { line });
        }
        Ok(Some(Entry { name, value, line }))
    }

    /// Counts a comment that says something: a rule of dashes does not.
    fn note(&mut self, comment: &[u8]) {
        let says = comment.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
        self.comments += usize::from(says);
    }

    /// The rest of the line from `from`, without its end; the reader then stands at the next line.
    fn take_line(&mut self, from: usize) -> &'a [u8] {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let len = rest.iter().position(|byte| *byte == b'\n');
        let text = rest.get(..len.unwrap_or(rest.len())).unwrap_or_default();
        self.line += usize::from(len.is_some());
        self.at = from + text.len() + usize::from(len.is_some());
        text.strip_suffix(b"\r").unwrap_or(text)
    }

    /// What stands between the quote before `from` and the one that closes it.
    fn take_quoted(&mut self, opened: usize, from: usize, mark: u8) -> Result<Raw<'a>, LineError> {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let Some(len) = closing_quote(rest, mark) else {
            return Err(LineError { line: opened, reason: Reason::UnterminatedQuote });
        };
        let inside = rest.get(..len).unwrap_or_default();
        let line = opened + inside.split(|byte| *byte == b'\n').skip(1).count();
        self.line = line;
        let after = self.take_line(from + len + 1);
        let comment = trim(after);
        let is_comment = comment.starts_with(b"#") && after.first().is_some_and(|byte| is_blank(*byte));
        if !comment.is_empty() && !is_comment {
            return Err(LineError { line, reason: Reason::TextAfterQuote { opened } });
        }
        if comment.contains(&b'\r') {
            return Err(LineError { line, reason: Reason::CarriageReturn });
        }
        self.note(comment);
        Ok(if mark == b'"' { Raw::Escaped(inside) } else { Raw::Literal(inside) })
    }
}

fn closing_quote(text: &[u8], mark: u8) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let closes = byte == mark && !escaped;
        escaped = mark == b'"' && byte == b'\\' && !escaped;
        closes
    })
}

/// The value and the comment. `after` begins with `=`; the value begins at `from`.
fn bare(after: &[u8], from: usize) -> (Raw<'_>, &[u8]) {
    let comment = (from..after.len()).find(|&at| {
        let previous = at.checked_sub(1).and_then(|at| after.get(at));
        after.get(at) == Some(&b'#') && previous.is_some_and(|byte| is_blank(*byte))
    });
    let (value, comment) = after.split_at(comment.unwrap_or(after.len()));
    (Raw::Bare(trim(value.get(from..).unwrap_or_default())), comment)
}

/// A value as the file has it.
enum Raw<'a> {
    Bare(&'a [u8]),
    Literal(&'a [u8]),
    Escaped(&'a [u8]),
}

impl Raw<'_> {
    /// The value, and whether it looks as if a `$NAME` was meant to be expanded. `None` if it is not UTF-8.
    fn value(&self) -> Option<(Zeroizing<String>, bool)> {
        let (Self::Bare(bytes) | Self::Literal(bytes) | Self::Escaped(bytes)) = self;
        let escapes = matches!(self, Self::Escaped(_));
        let raw = std::str::from_utf8(bytes).ok()?;
        // Unescaping never grows, so no copy is left behind by a reallocation.
        let mut value = Zeroizing::new(String::with_capacity(raw.len()));
        let mut expanded = false;
        let mut rest = raw.chars();
        while let Some(c) = rest.next() {
            let escape = rest.clone().next().filter(|_| escapes && c == '\\').and_then(unescape);
            match (c, escape) {
                (_, Some(meant)) => {
                    value.push(meant);
                    rest.next();
                }
                ('\r', None) if rest.as_str().starts_with('\n') => {}
                _ => {
                    expanded |= c == '$' && looks_like_expansion(rest.as_str());
                    value.push(c);
                }
            }
        }
        Some((value, expanded && !matches!(self, Self::Literal(_))))
    }
}

fn unescape(c: char) -> Option<char> {
    match c {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '"' | '\\' | '$' => Some(c),
        _ => None,
    }
}

/// What follows a `$`: `{NAME`, `(`, or two or more of `A-Z0-9_` with no lower-case letter after them.
///
/// Narrow, because passwords and their hashes are full of `$`.
fn looks_like_expansion(rest: &str) -> bool {
    let name = |c: char| c == '_' || c.is_ascii_alphabetic();
    if let Some(inside) = rest.strip_prefix('{') {
        return inside.starts_with(name);
    }
    let word = rest.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let shouted = !word.contains(|c: char| c.is_ascii_lowercase());
    rest.starts_with('(') || word.len() >= 2 && word.starts_with(name) && shouted
}

fn parse_name(name: &[u8]) -> Option<String> {
    let begins = |byte: &u8| *byte == b'_' || byte.is_ascii_alphabetic();
    let goes_on = |byte: &u8| begins(byte) || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let valid = name.first().is_some_and(begins) && name.iter().all(goes_on);
    valid.then(|| name.iter().copied().map(char::from).collect())
}

/// What follows the word `export`, which `export` alone and `export=` are not.
fn after_export(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"export")?;
    rest.first().is_none_or(|byte| is_blank(*byte)).then(|| trim(rest))
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
