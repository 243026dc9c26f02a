//! What a file brings, as keys can have it; or everything that is wrong with it, by line.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use keyward_crypto::state::secret::Fields;
use keyward_wire::limits::VALUE_BYTES;
use keyward_wire::name::Name;
use keyward_wire::rule::{Rule, ValueError};
use zeroize::Zeroizing;

use crate::cmd::key::fields::{check_fields, check_values};
use crate::cmd::key::label_options::NOTE_BYTES;
use crate::cmd::key::value_source::Value;
use crate::fault::Fault;
use crate::import::{At, Content, Problem, Record, Tool, aws, read};

/// A key of the file.
pub(super) struct Item {
    /// Each name once.
    pub name: Name,
    pub value: Value,
    /// Further values, by name.
    pub fields: Fields,
    /// Where the gateway may write it: a rule in its stored form.
    pub inject: Option<Zeroizing<String>>,
    pub note: Option<Zeroizing<String>>,
    pub alias: Option<String>,
    pub provider: Option<String>,
    pub tags: Vec<String>,
    /// Label of the set it belongs to, as the file says or as AWS keys show.
    pub set: Option<String>,
    /// The place where the item begins.
    pub at: At,
}

/// The items of a file.
pub(super) struct Taken {
    /// The items, in the order of the file.
    pub items: Vec<Item>,
    /// Warnings about what was perhaps not read as it was meant.
    pub warnings: Vec<String>,
    /// Names of fields that have no place in keyward.
    pub not_kept: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// A fault that lists every line that cannot be taken, without any of their text.
pub(super) fn items(tool: Tool, bytes: &[u8]) -> Result<Taken, Fault> {
    let Content { mut records, warnings, not_kept, complete } =
        read(tool, bytes).map_err(|problems| refused(tool, &problems))?;
    if !complete {
        let names: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
        let sets = aws::sets(&names);
        for (record, set) in records.iter_mut().zip(sets) {
            record.set = record.set.take().or(set);
        }
    }
    let (mut items, mut problems) = (Vec::with_capacity(records.len()), Vec::new());
    let mut seen: HashMap<Name, At> = HashMap::new();
    for record in records {
        let at = record.at;
        match item(record) {
            Ok(item) => match seen.entry(item.name.clone()) {
                Entry::Occupied(first) => problems.push((at, format!("the same name as on {}", first.get()))),
                Entry::Vacant(slot) => {
                    slot.insert(at);
                    items.push(item);
                }
            },
            Err(why) => problems.push((at, why)),
        }
    }
    if !problems.is_empty() {
        let problems: Vec<Problem> = problems.into_iter().map(|(at, why)| Problem { at, why }).collect();
        return Err(refused(tool, &problems));
    }
    if items.is_empty() {
        return Err(Fault::usage("there is no key in it").next("nothing was stored"));
    }
    Ok(Taken { items, warnings, not_kept: not_kept.into_iter().collect() })
}

fn item(record: Record) -> Result<Item, String> {
    let Record { name, value, fields, inject, note, alias, provider, tags, set, at } = record;
    let name: Name = name.parse().map_err(|error| format!("its name is {error}"))?;
    if value.len() > VALUE_BYTES {
        return Err("the value is larger than 63 KiB".to_owned());
    }
    if note.as_ref().is_some_and(|note| note.len() > NOTE_BYTES) {
        return Err(format!("the note has more than {NOTE_BYTES} bytes"));
    }
    check_fields(&fields)?;
    let inject = inject.map(|json| rule(&json, &value, &fields)).transpose()?;
    let word = |what: &str, text: String| match text.parse::<Name>() {
        Ok(word) => Ok(word.to_string()),
        Err(error) => Err(format!("{what} is {error}")),
    };
    Ok(Item {
        name,
        value,
        fields,
        inject,
        note,
        alias: alias.map(|text| word("its alias", text)).transpose()?,
        provider: provider.map(|text| word("its provider", text)).transpose()?,
        tags: tags.into_iter().map(|text| word("one of its tags", text)).collect::<Result<_, _>>()?,
        set: set.map(|text| word("its set", text)).transpose()?,
        at,
    })
}

/// The rule in its stored form, if it is one that holds for this value. Fields that the file does not have, the key may have.
fn rule(json: &str, value: &[u8], fields: &Fields) -> Result<Zeroizing<String>, String> {
    let rule =
        Rule::from_json(json.as_bytes()).map_err(|error| format!("its rule (inject) is refused: {error}"))?;
    match check_values(&rule, value, fields) {
        Ok(()) => {}
        Err(ValueError::MissingField(_)) if fields.is_empty() => {}
        Err(error) => return Err(format!("its rule (inject) does not fit its value: {error}")),
    }
    Ok(Zeroizing::new(rule.to_json()))
}

fn refused(tool: Tool, problems: &[Problem]) -> Fault {
    let mut lines: Vec<String> = problems.iter().take(SHOWN).map(|problem| format!("  {problem}")).collect();
    if problems.len() > SHOWN {
        lines.push(format!("  and {} more", problems.len() - SHOWN));
    }
    let lines = lines.join("\n");
    Fault::usage(format!("the file cannot be taken as it is (read as {}):\n{lines}", tool.word()))
        .next(format!("nothing was stored; {}", tool.advice()))
}

/// The most errors that are shown.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;

    fn fault(text: &str) -> Fault {
        items(Tool::Dotenv, text.as_bytes()).err().unwrap()
    }

    #[test]
    fn one_bad_line_refuses_the_whole_file_without_a_word_of_it() {
        let fault = fault("GOOD=1\nhunter2\nhunter3\n");
        assert_eq!(fault.code, Code::Usage);
        let text = fault.to_string();
        assert!(text.contains("line 2") && text.contains("line 3") && !text.contains("hunter"), "{text}");
    }

    #[test]
    fn what_does_not_fit_a_key_is_named_by_its_line() {
        let large = "x".repeat(VALUE_BYTES + 1);
        let long = "N".repeat(257);
        let text = fault(&format!("A=1\nB={large}\n{long}=1\n")).to_string();
        assert!(text.contains("line 2: the value is larger") && text.contains("line 3: "), "{text}");
        assert!(items(Tool::Dotenv, format!("B={}", "x".repeat(VALUE_BYTES)).as_bytes()).is_ok());
    }

    #[test]
    fn words_that_no_key_may_have_are_refused_with_their_record() {
        let of = |fields: &str| {
            let text = format!(
                "{{\"format\": \"keyward-export\", \"v\": 1, \"keys\": [{{\"name\": \"A\", \"value\": \"x\", {fields}}}]}}"
            );
            items(Tool::Json, text.as_bytes()).err().map(|fault| fault.to_string())
        };
        assert_eq!(
            of(r#""tags": ["a b", "é"], "set": "s", "alias": "a", "provider": "p", "note": "n""#),
            None
        );
        let long = format!(r#""note": "{}""#, "n".repeat(NOTE_BYTES + 1));
        for (fields, said) in [
            (r#""tags": ["fine", "\u001b[2J"]"#, "one of its tags is not a usable name"),
            (r#""set": " hunter2""#, "its set is not a usable name"),
            (r#""alias": "a\n""#, "its alias is not a usable name"),
            (r#""provider": "\u202e""#, "its provider is not a usable name"),
            (long.as_str(), "the note has more than 4096 bytes"),
        ] {
            let text = of(fields).unwrap();
            assert!(
                text.contains(&format!("record 1 (line 1): {said}")) && !text.contains("hunter2"),
                "{text}"
            );
        }
    }

    #[test]
    fn names_that_are_one_name_to_keyward_are_named_with_both_their_records() {
        let text = "{\n\"\u{e9}\": \"1\",\n\"x\": \"2\",\n\"e\u{301}\": \"3\"\n}";
        let text = items(Tool::Json, text.as_bytes()).err().unwrap().to_string();
        assert!(text.contains("record 3 (line 4): the same name as on record 1 (line 2)"), "{text}");
    }

    #[test]
    fn a_file_without_variables_is_no_import() {
        for text in ["", "\n\n", "# nothing\n", "\u{feff}"] {
            assert_eq!(fault(text).code, Code::Usage);
        }
    }

    #[test]
    fn very_many_errors_are_cut() {
        let text = fault(&"bad\n".repeat(100)).to_string();
        assert!(
            text.contains("line 20:") && !text.contains("line 21:") && text.contains("and 80 more"),
            "{text}"
        );
    }

    #[test]
    fn aws_pairs_become_a_set() {
        let pair = b"A=1\nPROD_AWS_ACCESS_KEY_ID=AKIA\nPROD_AWS_SECRET_ACCESS_KEY=x\n";
        let Taken { items, .. } = items(Tool::Dotenv, pair).ok().unwrap();
        let sets: Vec<_> = items.iter().map(|item| item.set.as_deref()).collect();
        assert_eq!(sets, [None, Some("PROD AWS Credentials"), Some("PROD AWS Credentials")]);
    }
}
