//! A JSON object of names and values, which many programs read and write, and which `dotenvx get` prints.

use super::document::{Document, text};
use super::problem::Problem;
use super::record::{Content, Record};
use super::{is_dotenvx_public_key, keyward};

/// keyward's own export, or any object of texts.
pub(super) fn json(document: &Document<'_>) -> Result<Content, Vec<Problem>> {
    if keyward::is_export(document) { keyward::read(document) } else { object(document) }
}

/// Reads such an object of dotenvx, without the key that encrypted the values: it is of no use where nothing is encrypted with
/// it.
pub(super) fn dotenvx(document: &Document<'_>) -> Result<Content, Vec<Problem>> {
    let mut content = object(document)?;
    let (public, records) =
        content.records.into_iter().partition(|record: &Record| is_dotenvx_public_key(&record.name));
    content.records = records;
    content.not_kept.extend(public.into_iter().map(|record| record.name));
    Ok(content)
}

fn object(document: &Document<'_>) -> Result<Content, Vec<Problem>> {
    let (mut content, mut problems) = (Content::default(), Vec::new());
    for (index, (name, value)) in document.members()?.into_iter().enumerate() {
        let at = document.at(index, value);
        let Some(mut text) = text(value) else {
            problems.push(Problem::new(at, "its value is no text: write numbers and the like in quotes"));
            continue;
        };
        content.records.push(Record::new(name, std::mem::take(&mut *text).into_bytes().into(), at));
    }
    if problems.is_empty() { Ok(content) } else { Err(problems) }
}
