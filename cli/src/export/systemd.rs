//! systemd's `EnvironmentFile=`.
//!
//! Single quotes where there is no backslash: systemd before 240 took a backslash in them for an escape. In double quotes
//! the four characters that every version takes back are escaped. Line ends and tabs stand in quotes as they are. What
//! systemd does not take is refused: control characters, which older versions leave out of a service's environment, and the
//! code points that are no characters, at which the service does not start.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::presized;

/// A line, or several, for each variable. No variable may be one that [`refusal`] names.
pub(super) fn systemd(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|out| {
        vars.iter().try_for_each(|(name, value)| {
            write!(out, "{name}=")?;
            if value.contains(['\'', '\\']) {
                double_quoted(out, value)?;
            } else {
                write!(out, "'{value}'")?;
            }
            out.write_all(b"\n")
        })
    })
}

/// Why this value cannot be written. `None` if it can.
pub(super) fn refusal(value: &str) -> Option<&'static str> {
    let control = |c: char| c.is_ascii_control() && c != '\t' && c != '\n';
    if value.contains(control) {
        Some("a control character, which older systemd leaves out of the environment")
    } else if value.contains(is_no_character) {
        Some("a code point that is no character, which systemd takes for a broken file")
    } else {
        None
    }
}

/// U+FDD0 to U+FDEF, and the last two of each plane.
fn is_no_character(c: char) -> bool {
    ('\u{fdd0}'..='\u{fdef}').contains(&c) || u32::from(c) & 0xfffe == 0xfffe
}

fn double_quoted(out: &mut dyn Write, value: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for piece in value.split_inclusive(ESCAPED) {
        let plain = piece.strip_suffix(ESCAPED).unwrap_or(piece);
        out.write_all(plain.as_bytes())?;
        if let Some(special) = piece.as_bytes().get(plain.len()) {
            out.write_all(&[b'\\', *special])?;
        }
    }
    out.write_all(b"\"")
}

const ESCAPED: [char; 4] = ['"', '\\', '`', '$'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_chosen_for_the_value() {
        for (value, quoted) in [
            ("", "''"),
            (" a \"b\" $c `d` # ", "' a \"b\" $c `d` # '"),
            ("one\n\ttwo\n", "'one\n\ttwo\n'"),
            ("it's", "\"it's\""),
            ("\\'$`\"\"", "\"\\\\'\\$\\`\\\"\\\"\""),
            ("C:\\", "\"C:\\\\\""),
        ] {
            assert_eq!(systemd(&[("A", value)]).as_slice(), format!("A={quoted}\n").as_bytes(), "{value:?}");
            assert_eq!(refusal(value), None, "{value:?}");
        }
    }

    #[test]
    fn what_systemd_does_not_take_is_refused() {
        for value in ["a\rb", "\u{1b}[0m", "\u{7f}", "\u{1}", "\u{fdd0}", "\u{fffe}", "\u{10ffff}"] {
            assert!(refusal(value).is_some(), "{value:?}");
        }
        for value in ["\u{85}", "\u{2028}", "\u{feff}", "\u{fffd}", "\u{e000}", "\u{10fffd}"] {
            assert!(refusal(value).is_none(), "{value:?}");
        }
    }
}
