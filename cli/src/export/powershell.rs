//! PowerShell, Windows PowerShell 5.1 as well: `keyward … --format powershell | Invoke-Expression`.
//!
//! The pipe hands on a line at a time, decoded by whatever code page the console has. So each statement is one line of
//! printable ASCII. A value of such characters stands in single quotes, where only a quote is doubled; in ASCII there are
//! none of the typographic quotes that PowerShell takes for the same. Any other value is Base64 of its UTF-8 text.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::presized;

/// A statement for each variable. No variable may be one that [`refusal`] names.
pub(super) fn powershell(vars: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    presized(|out| {
        for (name, value) in vars {
            write!(out, "${{env:{name}}} = ")?;
            if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                for (at, piece) in value.split('\'').enumerate() {
                    write!(out, "{}{piece}", if at == 0 { "'" } else { "''" })?;
                }
                out.write_all(b"'\n")?;
            } else {
                out.write_all(b"[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('")?;
                write!(out, "{}", BASE64.encode_display(value.as_bytes()))?;
                out.write_all(b"'))\n")?;
            }
        }
        Ok(())
    })
}

/// What is in the way of this value, or of this name among `names`.
pub(super) fn refusal<'a>(
    name: &str,
    value: &str,
    mut names: impl Iterator<Item = &'a str>,
) -> Option<&'static str> {
    if value.is_empty() {
        Some("an empty value, which PowerShell before 7.5 takes for no variable")
    } else if value.encode_utf16().count() > UNITS {
        Some("longer than a variable of Windows (32,766 characters)")
    } else if names.any(|other| other != name && other.eq_ignore_ascii_case(name)) {
        Some("another variable's name but for its case, which Windows does not see")
    } else {
        None
    }
}

/// Longest value that Windows takes, in UTF-16 code units.
const UNITS: usize = 32_766;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_is_a_line_of_printable_ascii() {
        for (value, text) in [
            ("plain $x \"y\" `z` #  ", "'plain $x \"y\" `z` #  '"),
            ("it's ''", "'it''s '''''"),
            ("é’", "[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('w6nigJk='))"),
            ("a\n", "[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('YQo='))"),
        ] {
            let wanted = format!("${{env:A}} = {text}\n");
            assert_eq!(powershell(&[("A", value)]).as_slice(), wanted.as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn what_windows_cannot_tell_apart_or_hold_is_refused() {
        let names = || ["A", "a", "B"].into_iter();
        assert!(refusal("A", "x", names()).is_some() && refusal("a", "x", names()).is_some());
        assert!(refusal("B", "x", names()).is_none());
        assert!(refusal("B", "", names()).is_some());
        assert!(refusal("B", &"x".repeat(32_766), names()).is_none());
        assert!(refusal("B", &"𝄞".repeat(16_384), names()).is_some());
    }
}
