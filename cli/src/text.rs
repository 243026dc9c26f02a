//! Pieces of what people are told: counts, rows of names, words to paste into a shell.

use std::fmt::Display;

use crate::ctx::rfc3339;

/// Most names of a row that are shown.
const SHOWN: usize = 12;

/// Names in a row, at most a dozen of them.
pub(crate) fn list<T: Display>(names: &[T]) -> String {
    let row = names.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => row,
        more => format!("{row} and {more} more"),
    }
}

/// `1 key`, `2 keys`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A word as one would type it in a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '=' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// An end in milliseconds UTC, as a cell of a table: also whether it has come.
pub(crate) fn expiry(not_after: Option<i64>, now: i64) -> String {
    match not_after {
        None => "never".to_owned(),
        Some(end) if end <= now => format!("{} (ended)", rfc3339(end)),
        Some(end) => rfc3339(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_can_be_pasted_whatever_the_name() {
        assert_eq!(quoted("STRIPE_KEY"), "STRIPE_KEY");
        assert_eq!(quoted("my key"), "'my key'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(x)"), "'$(x)'");
    }

    #[test]
    fn a_long_row_of_names_is_cut() {
        let names: Vec<String> = (1..=14).map(|n| format!("K{n}")).collect();
        assert_eq!(list(&names[..2]), "K1, K2");
        assert!(list(&names[..12]).ends_with("K11, K12"));
        assert!(list(&names).ends_with("K12 and 2 more"));
    }

    #[test]
    fn an_end_that_has_come_is_marked() {
        assert_eq!(expiry(None, 5), "never");
        assert_eq!(expiry(Some(1000), 999), "1970-01-01T00:00:01Z");
        assert_eq!(expiry(Some(1000), 1000), "1970-01-01T00:00:01Z (ended)");
    }
}
