//! keyward's own export, which [`crate::export::archive`] writes.

use super::document::{Document, Fields, text};
use super::problem::{At, Problem};
use super::record::{Content, Record};
use crate::export::archive::{FORMAT, VERSION};

/// Whether it says that it is one.
pub(super) fn is_export(document: &Document<'_>) -> bool {
    document.members().is_ok_and(|members| {
        members
            .iter()
            .any(|(name, value)| name == "format" && text(value).is_some_and(|text| *text == FORMAT))
    })
}

pub(super) fn read(document: &Document<'_>) -> Result<Content, Vec<Problem>> {
    let root = document.only()?;
    let mut file = Fields::of(At::Line(document.line(root)), root).map_err(|problem| vec![problem])?;
    let keys = head(&mut file).and_then(|()| file.parts("keys")).map_err(|problem| vec![problem])?;
    let (mut content, mut problems) = (Content { complete: true, ..Content::default() }, Vec::new());
    for (index, part) in keys.into_iter().enumerate() {
        match Fields::of(document.at(index, part), part).and_then(|fields| record(fields, &mut content)) {
            Ok(record) => content.records.push(record),
            Err(problem) => problems.push(problem),
        }
    }
    file.leave(&mut content.not_kept);
    if problems.is_empty() { Ok(content) } else { Err(problems) }
}

/// Reads the fields that are about the file itself and belong to no key.
fn head(file: &mut Fields<'_>) -> Result<(), Problem> {
    file.take("format")?;
    file.take("organisation")?;
    file.take("exported_at")?;
    match file.take("v")? {
        Some(version) if version.get() == VERSION.to_string() => Ok(()),
        _ => Err(Problem::new(
            file.at(),
            "an export of another version of keyward, which this one cannot read",
        )),
    }
}

fn record(mut fields: Fields<'_>, content: &mut Content) -> Result<Record, Problem> {
    let at = fields.at();
    let name = fields.required("name")?.to_string();
    let value = match (fields.text("value")?, fields.text("value_b64")?) {
        (Some(mut text), None) => std::mem::take(&mut *text).into_bytes().into(),
        (None, Some(text)) => data_encoding::BASE64
            .decode(text.as_bytes())
            .map_err(|_| Problem::new(at, "value_b64 is no base64"))?
            .into(),
        _ => return Err(Problem::new(at, "it must have either value or value_b64")),
    };
    let plain = |text: Option<zeroize::Zeroizing<String>>| text.map(|text| text.to_string());
    let record = Record {
        name,
        value,
        fields: fields.texts("fields")?,
        inject: fields.object("inject")?,
        note: fields.text("note")?,
        alias: plain(fields.words("alias")?),
        provider: plain(fields.words("provider")?),
        tags: fields.list("tags")?,
        set: plain(fields.words("set")?),
        at,
    };
    fields.leave(&mut content.not_kept);
    Ok(record)
}
