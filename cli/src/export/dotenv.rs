//! `.env` files that python-dotenv, dotenv for Node, docker compose and our own parser read back exactly.
//!
//! No two of them agree on escapes, on comments or on what is expanded where. What they do agree on:
//!
//! | form | holds | because |
//! |---|---|---|
//! | `'…'` | no `'`, no CR, no `\\`, no `\` at the end | escapes in single quotes: `\\` and `\'` for Python, `\'` for compose, none for Node |
//! | `"…"` | no `"`, few `\`, no `$` before a name | Node knows only `\n` and `\r`; compose expands `$NAME` |
//! | bare | printable text with no blank at its ends, no `#`, no quote in front, no `$` before a name | comments, trimming |
//!
//! A value that fits none of these is refused, and so is `${…}`: python-dotenv expands it everywhere, with no escape. `$(…)` stands
//! in single quotes or nowhere: dotenvx runs it as a command in the other two forms, with no escape either.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::presized;

/// A line, or several, for each variable. No variable may be one that [`refusal`] names.
pub(super) fn dotenv(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|out| {
        vars.iter().try_for_each(|(name, value)| {
            write!(out, "{name}=")?;
            match form(value) {
                Ok(Form::Single) => write!(out, "'{value}'")?,
                Ok(Form::Double) => double_quoted(out, value)?,
                Ok(Form::Bare) => out.write_all(value.as_bytes())?,
                Err(why) => return Err(io::Error::other(why)),
            }
            out.write_all(b"\n")
        })
    })
}

/// Why this value cannot be written. `None` if it can.
pub(super) fn refusal(value: &str) -> Option<&'static str> {
    form(value).err()
}

enum Form {
    Single,
    Double,
    Bare,
}

/// The first form in which everybody reads this value.
fn form(value: &str) -> Result<Form, &'static str> {
    if value.split_once("${").is_some_and(|(_, rest)| rest.contains('}')) {
        Err("a ${…}, which python-dotenv expands whatever stands around it")
    } else if fits_single_quotes(value) {
        Ok(Form::Single)
    } else if value.contains("$(") {
        Err("a $(…) that does not fit in single quotes: dotenvx would run it as a command")
    } else if fits_double_quotes(value) {
        Ok(Form::Double)
    } else if fits_bare(value) {
        Ok(Form::Bare)
    } else {
        Err("quotes, $, \\ or line ends together that .env libraries read in different ways")
    }
}

fn fits_single_quotes(value: &str) -> bool {
    !value.contains(['\'', '\r']) && !value.contains("\\\\") && !value.ends_with('\\')
}

/// A backslash may stand before what is no escape to anybody.
fn fits_double_quotes(value: &str) -> bool {
    let inert = |next: Option<char>| {
        next.is_some_and(|c| !c.is_ascii_control() && !"\\'\"`$0123456789abcefnrtuvxU".contains(c))
    };
    let mut backslashes = value.match_indices('\\').map(|(at, _)| value.get(at + 1..).unwrap_or_default());
    !value.contains('"') && !expands(value) && backslashes.all(|rest| inert(rest.chars().next()))
}

fn fits_bare(value: &str) -> bool {
    let plain = |c: char| c != '#' && (c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric());
    !value.is_empty()
        && value.chars().all(plain)
        && !value.starts_with([' ', '\'', '"', '`'])
        && !value.ends_with(' ')
        && !expands(value)
}

/// Whether a `$` begins something that compose expands, or an escaped `$`.
fn expands(value: &str) -> bool {
    let begins = |next: char| !next.is_ascii() || next.is_ascii_alphabetic() || "_{$".contains(next);
    value.split('$').skip(1).any(|rest| rest.chars().next().is_some_and(begins)) || value.contains("$$")
}

/// The only escape that everybody knows and needs: all but compose take a CR for a line end.
fn double_quoted(out: &mut dyn Write, value: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for (at, piece) in value.split('\r').enumerate() {
        write!(out, "{}{piece}", if at == 0 { "" } else { "\\r" })?;
    }
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_everybody_reads_is_taken() {
        for (value, written) in [
            ("", "''"),
            ("sk_live_1", "'sk_live_1'"),
            ("a b#c=$d\"`\\x", "'a b#c=$d\"`\\x'"),
            ("one\ntwo\n", "'one\ntwo\n'"),
            ("{\"key\": \"a\\nb\"}", "'{\"key\": \"a\\nb\"}'"),
            ("it's", "\"it's\""),
            ("it's $5 \\o/\n# no comment", "\"it's $5 \\o/\n# no comment\""),
            ("\r\n", "\"\\r\n\""),
            ("C:\\", "C:\\"),
            ("\\\\host", "\\\\host"),
            ("it's \"x\" `y` \\n", "it's \"x\" `y` \\n"),
            ("\"$(id)\"", "'\"$(id)\"'"),
        ] {
            assert_eq!(dotenv(&[("A", value)]).as_slice(), format!("A={written}\n").as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn what_libraries_read_in_different_ways_is_refused() {
        for value in [
            "${HOME}",
            "a${x:-b}c",
            "it's $HOME",
            "it's \"#\"",
            "it's \"x\"\n",
            "'\"",
            " it's\\",
            "a\r\\n",
            "\r\"",
            "it's $$",
            "it's $(id)",
            "it's \"$(id)\"",
            "$(id)\r\n",
            "$(id)\\",
            "'\u{2028}\"",
        ] {
            assert!(refusal(value).is_some(), "{value:?}");
        }
        for value in ["${", "$}", "}${", "$HOME", "$$", "'\u{2028}"] {
            assert!(refusal(value).is_none(), "{value:?}");
        }
    }
}
