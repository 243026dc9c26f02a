//! Bitwarden Secrets Manager: `bws secret list --output json`, or `bws secret get`.
//!
//! Its `--output env` is no source: values stand in double quotes there without any escape, so that a quote or a
//! backslash in one cannot be told from what it means in a `.env` file.

use super::document::{Document, Fields};
use super::problem::Problem;
use super::record::{Content, Record};

pub(super) fn read(document: &Document<'_>) -> Result<Content, Vec<Problem>> {
    let (mut content, mut problems) = (Content::default(), Vec::new());
    for fields in document.records()? {
        match record(fields, &mut content) {
            Ok(record) => content.records.push(record),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(content) } else { Err(problems) }
}

fn record(mut fields: Fields<'_>, content: &mut Content) -> Result<Record, Problem> {
    let name = fields.required("key")?.to_string();
    let value = std::mem::take(&mut *fields.required("value")?).into_bytes().into();
    let mut record = Record::new(name, value, fields.at());
    record.note = fields.words("note")?;
    record.tags.extend(fields.words("projectId")?.map(|id| format!("project:{}", *id)));
    fields.leave(&mut content.not_kept);
    Ok(record)
}
