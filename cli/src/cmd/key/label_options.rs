//! What is said about a key, beside its name and value.

use clap::Args;
use keyward_crypto::state::org::KeyEntry;
use keyward_wire::name::{Name, NameError};
use zeroize::Zeroizing;

/// Largest note, in bytes.
pub(super) const NOTE_BYTES: usize = 4096;

#[derive(Args)]
pub(super) struct LabelOptions {
    /// Whose service it is for, such as Stripe (empty: nobody's)
    #[arg(long, value_name = "PROVIDER", value_parser = parse_label)]
    provider: Option<String>,
    /// A label; may be given several times and replaces all former ones (empty: none)
    #[arg(long = "tag", value_name = "TAG", value_parser = parse_label)]
    tags: Option<Vec<String>>,
    /// Label of the set of keys it belongs to, such as an access key with its secret (empty: none)
    #[arg(long, value_name = "LABEL", value_parser = parse_label)]
    set: Option<String>,
    /// Another word for it, for people (empty: none)
    #[arg(long, value_name = "WORD", value_parser = parse_label)]
    alias: Option<String>,
    /// A note, sealed with the value and shown by `key show` (empty: none)
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
}

impl LabelOptions {
    /// Whether any of them is given.
    pub(super) fn are_given(&self) -> bool {
        let words = [&self.provider, &self.set, &self.alias, &self.note];
        self.tags.is_some() || words.iter().any(|word| word.is_some())
    }

    /// The provider whose service the key is for, if the option is given.
    pub(super) fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Writes those that stand in ORG, as far as they are given.
    pub(super) fn apply(&self, key: &mut KeyEntry) {
        let unless_empty = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let single =
            [(&mut key.provider, &self.provider), (&mut key.set, &self.set), (&mut key.alias, &self.alias)];
        for (has, said) in single {
            if let Some(said) = said {
                *has = unless_empty(said);
            }
        }
        if let Some(tags) = &self.tags {
            key.tags.clear();
            for tag in tags.iter().filter_map(unless_empty) {
                if !key.tags.contains(&tag) {
                    key.tags.push(tag);
                }
            }
        }
    }

    /// Whether a note is given, or taken away.
    pub(super) fn have_note(&self) -> bool {
        self.note.is_some()
    }

    /// The note of a key that had this one.
    pub(super) fn note(&self, former: Option<Zeroizing<String>>) -> Option<Zeroizing<String>> {
        match self.note.as_deref() {
            None => former,
            Some("") => None,
            Some(note) => Some(Zeroizing::new(note.to_owned())),
        }
    }
}

/// Reads an empty text, or one that would do as a name.
pub(super) fn parse_label(text: &str) -> Result<String, NameError> {
    if text.is_empty() { Ok(String::new()) } else { text.parse().map(|name: Name| name.to_string()) }
}

fn note(text: &str) -> Result<String, String> {
    if text.len() > NOTE_BYTES {
        return Err(format!("a note may have at most {NOTE_BYTES} bytes"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        labels: LabelOptions,
    }

    fn labels(arguments: &[&str]) -> LabelOptions {
        Line::try_parse_from([&["x"], arguments].concat()).unwrap().labels
    }

    #[test]
    fn an_empty_note_takes_the_former_one_away_and_none_given_keeps_it() {
        let after = |arguments: &[&str]| {
            labels(arguments).note(Some(Zeroizing::new("former".to_owned()))).map(|note| note.to_string())
        };
        assert_eq!(after(&[]).as_deref(), Some("former"));
        assert_eq!(after(&["--note", "new"]).as_deref(), Some("new"));
        assert_eq!(after(&["--note", ""]), None);
        assert!(labels(&["--note", ""]).have_note() && !labels(&[]).are_given());
    }

    #[test]
    fn words_that_would_disturb_a_terminal_are_refused() {
        for bad in ["a\u{1b}[2J", "\u{202e}", " a", "a\n"] {
            for flag in ["--provider", "--tag", "--alias", "--set"] {
                assert!(Line::try_parse_from(["x", flag, bad]).is_err(), "{flag} {bad:?}");
            }
        }
        assert!(labels(&["--tag", ""]).are_given());
    }
}
