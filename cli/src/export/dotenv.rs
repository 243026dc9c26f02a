//! `.env` files that our own parser reads back exactly, and other dotenv libraries as far as they agree.
//!
//! Single quotes wherever they can hold the value: every library, and a shell that sources the file, takes what is in
//! them as it stands, line ends included. What they cannot hold goes into double quotes with the escapes of
//! [`crate::import::dotenv`]; libraries without `\"` or `\\` (Node's is one) keep those backslashes.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::presized;

/// A line, or several, for each variable.
pub(super) fn dotenv(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|out| {
        vars.iter().try_for_each(|(name, value)| {
            write!(out, "{name}=")?;
            if literal(value) {
                write!(out, "'{value}'")?;
            } else {
                escaped(out, value)?;
            }
            out.write_all(b"\n")
        })
    })
}

/// Whether single quotes mean the same to everybody.
///
/// CR would be taken for a line end. Some libraries know `\'` and `\\` in single quotes, so neither may stand there.
fn literal(value: &str) -> bool {
    !value.contains(['\'', '\r']) && !value.contains("\\\\") && !value.ends_with('\\')
}

fn escaped(out: &mut dyn Write, value: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for piece in value.split_inclusive(['\n', '\r', '"', '\\', '$']) {
        let plain = piece.trim_end_matches(['\n', '\r', '"', '\\', '$']);
        out.write_all(plain.as_bytes())?;
        match piece.as_bytes().get(plain.len()) {
            Some(b'\n') => out.write_all(b"\\n")?,
            Some(b'\r') => out.write_all(b"\\r")?,
            Some(special) => out.write_all(&[b'\\', *special])?,
            None => {}
        }
    }
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_chosen_for_the_value() {
        let cases = [
            ("", "''"),
            ("sk_live_1", "'sk_live_1'"),
            ("a b#c=$d\"`\\x", "'a b#c=$d\"`\\x'"),
            ("one\ntwo\n", "'one\ntwo\n'"),
            ("it's", "\"it's\""),
            ("it's $5 \"\\\n", "\"it's \\$5 \\\"\\\\\\n\""),
            ("\r\n", "\"\\r\\n\""),
            ("C:\\", "\"C:\\\\\""),
            ("\\\\host", "\"\\\\\\\\host\""),
        ];
        for (value, quoted) in cases {
            assert_eq!(dotenv(&[("A", value)]).as_slice(), format!("A={quoted}\n").as_bytes(), "{value:?}");
        }
    }
}
