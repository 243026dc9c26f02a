//! Infisical: `infisical export --format=json`, a list of `{key, value, comment, tags, secretPath, …}`.
//!
//! Its other formats are no source: in them a line end within a value is written as `\n` where nothing says whether the
//! value has a backslash, and quotes are not escaped.

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
    let at = fields.at();
    let name = fields.required("key")?.to_string();
    let value = std::mem::take(&mut *fields.required("value")?).into_bytes().into();
    let mut record = Record::new(name, value, at);
    record.note = fields.words("comment")?;
    for tag in fields.parts("tags")? {
        let mut tag = Fields::of(at, tag)?;
        let word = match tag.words("slug")? {
            Some(slug) => Some(slug),
            None => tag.words("name")?,
        };
        record.tags.extend(word.map(|word| word.to_string()));
    }
    let path = fields.words("secretPath")?.filter(|path| **path != "/");
    record.tags.extend(path.map(|path| format!("path:{}", *path)));
    // The common kind; a personal one overrides it for one user, which the list cannot say of a key.
    if fields.text("type")?.is_some_and(|kind| *kind != "shared") {
        content.not_kept.insert("type".to_owned());
    }
    fields.leave(&mut content.not_kept);
    Ok(record)
}
