//! Doppler: `doppler secrets download --no-file --format json`, one object, name to value; and `doppler secrets --json`,
//! name to `{computed, note, …}`.
//!
//! Doppler adds three names of its own, which say where the secrets are from. They become tags of all others.

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::document::{Document, Fields, text};
use super::problem::{At, Problem};
use super::record::{Content, Record};

pub(super) fn read(document: &Document<'_>) -> Result<Content, Vec<Problem>> {
    let (mut content, mut problems) = (Content::default(), Vec::new());
    for (index, (name, value)) in document.members()?.into_iter().enumerate() {
        match record(name, value, document.at(index, value), &mut content) {
            Ok(record) => content.records.push(record),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let tag = |record: &Record| {
        let (_, word) = ORIGIN.iter().find(|(name, _)| *name == record.name)?;
        Some(format!("{word}:{}", String::from_utf8_lossy(&record.value)))
    };
    let tags: Vec<String> = content.records.iter().filter_map(tag).collect();
    content.records.retain(|record| ORIGIN.iter().all(|(name, _)| *name != record.name));
    for record in &mut content.records {
        record.tags.clone_from(&tags);
    }
    Ok(content)
}

fn record(name: String, value: &RawValue, at: At, content: &mut Content) -> Result<Record, Problem> {
    if let Some(text) = text(value) {
        return Ok(Record::new(name, bytes(text), at));
    }
    let mut fields = Fields::of(at, value)?;
    let computed = fields.text("computed")?;
    let computed =
        computed.ok_or_else(|| Problem::new(at, "Doppler gave no value: it is restricted, or empty"))?;
    let mut record = Record::new(name, bytes(computed), at);
    record.note = fields.words("note")?;
    fields.leave(&mut content.not_kept);
    Ok(record)
}

fn bytes(mut text: Zeroizing<String>) -> Zeroizing<Vec<u8>> {
    std::mem::take(&mut *text).into_bytes().into()
}

const ORIGIN: [(&str, &str); 3] =
    [("DOPPLER_PROJECT", "project"), ("DOPPLER_ENVIRONMENT", "environment"), ("DOPPLER_CONFIG", "config")];
