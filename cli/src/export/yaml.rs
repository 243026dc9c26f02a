//! YAML: one mapping, name to value. Names and values are in double quotes, so that neither `NO` nor `1e3` is anything but text
//! to a reader of YAML 1.1 or 1.2, and no line is folded. Strings of JSON are such strings, if what YAML cannot show is
//! escaped, too.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::ser::{Formatter, Serializer};
use zeroize::Zeroizing;

use super::presized;

/// A mapping in the order of `vars`.
pub(super) fn yaml(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|out| {
        if vars.is_empty() {
            return out.write_all(b"{}\n");
        }
        vars.iter().try_for_each(|(name, value)| {
            text(out, name)?;
            out.write_all(b": ")?;
            text(out, value)?;
            out.write_all(b"\n")
        })
    })
}

/// Straight into `out`: no copy of a value is left behind.
fn text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    text.serialize(&mut Serializer::with_formatter(out, Quoted)).map_err(io::Error::other)
}

/// Escapes beside what JSON must.
struct Quoted;

impl Formatter for Quoted {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_not_shown(*c)) {
            let (before, after) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            write!(out, "\\u{:04x}", u32::from(c))?;
            rest = after.strip_prefix(c).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
}

/// What a text of YAML does not hold as it is, or takes for the end of a line.
fn is_not_shown(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_quoted_text() {
        let vars = [
            ("NO", "yes"),
            ("B", ""),
            ("C", "it's\n\u{1}é"),
            ("D", "a\\b: #c\"/"),
            ("E", "\u{85}x\u{2028}\u{feff}😀\u{7f}"),
        ];
        assert_eq!(
            str::from_utf8(&yaml(&vars)).unwrap(),
            "\"NO\": \"yes\"\n\"B\": \"\"\n\"C\": \"it's\\n\\u0001é\"\n\"D\": \"a\\\\b: #c\\\"/\"\n\
             \"E\": \"\\u0085x\\u2028\\ufeff😀\\u007f\"\n"
        );
        assert_eq!(str::from_utf8(&yaml(&[])).unwrap(), "{}\n");
    }
}
