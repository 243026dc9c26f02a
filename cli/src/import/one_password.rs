//! 1Password: `op item get ITEM --format json`; several items one after another, as `op item list --format json |
//! op item get - --format json` prints them, or in a list.
//!
//! An item has many fields, and keyward's key one value: each field that a program could want becomes a key. A field whose
//! label is a variable's name in capitals keeps it; others are named after item and label, `STRIPE_CREDENTIAL` for the
//! field `credential` of `Stripe`, with `Stripe / credential` as their alias. The item's notes go with each, its tags and
//! its vault become tags. One-time passwords, dates, menus and files are no values for programs: they are named as not kept, and so
//! are fields without a value.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::document::{Document, Fields};
use super::problem::{At, Problem};
use super::record::{Content, Record};

pub(super) fn read(document: &Document<'_>) -> Result<Content, Vec<Problem>> {
    let (mut content, mut problems) = (Content::default(), Vec::new());
    for fields in document.records()? {
        if let Err(problem) = item(document, fields, &mut content) {
            problems.push(problem);
        }
    }
    if problems.is_empty() { Ok(content) } else { Err(problems) }
}

fn item(document: &Document<'_>, mut item: Fields<'_>, content: &mut Content) -> Result<(), Problem> {
    let at = item.at();
    if !item.has("fields") {
        return Err(Problem::new(
            at,
            "an item without its fields: export it with `op item get`, not `op item list`",
        ));
    }
    let title = item.required("title")?;
    let mut tags = item.list("tags")?;
    if let Some(vault) = item.take("vault")? {
        tags.extend(Fields::of(at, vault)?.words("name")?.map(|name| format!("vault:{}", *name)));
    }
    let (mut records, mut note) = (Vec::new(), None);
    for part in item.parts("fields")? {
        match field(document, at, part, &title, &mut content.not_kept)? {
            Field::Value(record) => records.push(*record),
            Field::Note(text) => note = Some(text),
            Field::NotKept(kind) => drop(content.not_kept.insert(kind)),
            Field::NoNote => {}
        }
    }
    if records.is_empty() {
        return Err(Problem::new(at, "an item with no field that a program could use"));
    }
    for mut record in records {
        record.note.clone_from(&note);
        record.tags.clone_from(&tags);
        content.records.push(record);
    }
    item.leave(&mut content.not_kept);
    Ok(())
}

enum Field {
    Value(Box<Record>),
    Note(Zeroizing<String>),
    NotKept(String),
    NoNote,
}

fn field(
    document: &Document<'_>,
    item: At,
    part: &RawValue,
    title: &str,
    not_kept: &mut BTreeSet<String>,
) -> Result<Field, Problem> {
    let at = match item {
        At::Record { number, .. } => At::Record { number, line: document.line(part) },
        At::Line(_) => At::Line(document.line(part)),
    };
    let mut field = Fields::of(at, part)?;
    let value = field.words("value")?;
    let is_note = field.text("purpose")?.is_some_and(|purpose| *purpose == "NOTES");
    let Some(mut value) = value else {
        // Every item has this one, whether or not anybody wrote a note.
        let empty = if is_note { Field::NoNote } else { Field::NotKept("fields without a value".to_owned()) };
        return Ok(empty);
    };
    if is_note {
        return Ok(Field::Note(value));
    }
    let kind = field.required("type")?;
    if !KINDS.contains(&kind.as_str()) {
        return Ok(Field::NotKept(format!("fields of type {}", *kind)));
    }
    let label = match field.words("label")? {
        Some(label) => label,
        None => field.required("id")?,
    };
    if let Some(details) = field.take("password_details")?
        && !Fields::of(at, details)?.parts("history")?.is_empty()
    {
        not_kept.insert("former passwords".to_owned());
    }
    for bookkeeping in FIELD_BOOKKEEPING {
        field.take(bookkeeping)?;
    }
    field.leave(not_kept);
    let value = std::mem::take(&mut *value).into_bytes().into();
    if is_variable(&label) {
        return Ok(Field::Value(Box::new(Record::new(label.to_string(), value, at))));
    }
    let mut record = Record::new(variable(&format!("{title} {}", *label)), value, at);
    record.alias = Some(format!("{title} / {}", *label));
    Ok(Field::Value(Box::new(record)))
}

/// `[A-Z_][A-Z0-9_]*`
fn is_variable(label: &str) -> bool {
    let word = |c: char| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit();
    label.chars().all(word) && !label.starts_with(|c: char| c.is_ascii_digit())
}

/// Capitals, digits and single underscores: `Stripe (live) API key` gives `STRIPE_LIVE_API_KEY`.
fn variable(words: &str) -> String {
    let parts = words.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let name = parts.map(str::to_uppercase).collect::<Vec<_>>().join("_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// What an item says of each field beside its value: which one it is, where it stands, and other forms of the value.
const FIELD_BOOKKEEPING: [&str; 5] = ["id", "reference", "section", "entropy", "ssh_formats"];
const KINDS: [&str; 6] = ["CONCEALED", "STRING", "EMAIL", "URL", "PHONE", "SSHKEY"];
