//! Properties that hold for any file, and for any export.

use std::collections::BTreeMap;
use std::path::Path;

use keyward_crypto::state::secret::Secret;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::TOOLS;
use crate::export::archive::{Archive, Content as Sealed, FORMAT, Key, VERSION};
use crate::import::*;

/// JSON's own characters, and the names that the forms know.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\n",
        " ",
        "null",
        "1",
        "\"key\":",
        "\"value\":",
        "\"x\"",
        "\"fields\":",
        "\"title\":",
        "\"computed\":",
        "\"tags\":",
        "\"format\":\"keyward-export\"",
        "\"v\":1",
        "\"keys\":",
        "\u{feff}",
        "é",
        "{\"key\":\"A\",\"value\":\"B\"}",
        "\"\\ud800\"",
        "A=1",
        "PK",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z_ é\\\\\"\n]{1,12}"
}

/// Value, fields, rule, note.
type Inside = (Vec<u8>, BTreeMap<String, String>, Option<String>, Option<String>);

/// Name, alias, provider, tags, set.
type Said = (String, Option<String>, Option<String>, Vec<String>, Option<String>);

fn secret((value, fields, inject, note): &Inside) -> Secret {
    Secret {
        value: Zeroizing::new(value.clone()),
        fields: fields.iter().map(|(name, text)| (name.clone(), Zeroizing::new(text.clone()))).collect(),
        inject: inject.clone().map(Zeroizing::new),
        note: note.clone().map(Zeroizing::new),
    }
}

fn sealed<'a>((name, alias, provider, tags, set): &'a Said, secret: &'a Secret) -> Key<'a> {
    Key {
        name,
        alias: alias.as_deref(),
        provider: provider.as_deref(),
        tags,
        set: set.as_deref(),
        content: Sealed::new(secret),
        version: 3,
        updated_at: "now".to_owned(),
        variables: Vec::new(),
        history: Vec::new(),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_with_their_place(
        bytes in prop_oneof![hostile(), prop::collection::vec(any::<u8>(), 0..200)],
    ) {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        let _ = Tool::detect(Path::new("x"), &bytes);
        for tool in TOOLS {
            match read(tool, &bytes) {
                Ok(content) => {
                    prop_assert!(content.records.iter().all(|record| (1..=lines).contains(&record.at.line())));
                }
                Err(problems) => {
                    prop_assert!(!problems.is_empty());
                    prop_assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.at.line())));
                }
            }
        }
    }

    #[test]
    fn what_an_export_says_is_read_back_exactly(
        keys in prop::collection::vec(
            ((word(), prop::option::of(word()), prop::option::of(word()), prop::collection::vec(word(), 0..3),
              prop::option::of(word())),
             (prop::collection::vec(any::<u8>(), 0..40), prop::collection::btree_map(".*", ".*", 0..3),
              prop::option::of(Just(r#"{"v":1,"hosts":["a.test"]}"#.to_owned())), prop::option::of(".*"))),
            0..6,
        ),
    ) {
        let secrets: Vec<Secret> = keys.iter().map(|(_, inside)| secret(inside)).collect();
        let archive = Archive {
            format: FORMAT, v: VERSION, organisation: "Acme", exported_at: "now".to_owned(),
            keys: keys.iter().zip(&secrets).map(|((said, _), secret)| sealed(said, secret)).collect(),
        };
        let text = archive.render();
        prop_assert_eq!(text.len(), text.capacity());
        prop_assert_eq!(Tool::detect(Path::new("-"), &text), Tool::Json);
        let content = read(Tool::Json, &text).map_err(|problems| TestCaseError::fail(format!("{problems:?}")))?;
        let back: Vec<_> = content.records.iter().map(|record| {
            let text = |text: &Option<Zeroizing<String>>| text.as_ref().map(|text| text.to_string());
            let fields = record.fields.iter().map(|(name, text)| (name.clone(), text.to_string())).collect();
            ((record.name.clone(), record.alias.clone(), record.provider.clone(), record.tags.clone(), record.set.clone()),
             (record.value.to_vec(), fields, text(&record.inject), text(&record.note)))
        }).collect();
        prop_assert_eq!(back, keys);
        prop_assert!(content.complete);
    }
}
