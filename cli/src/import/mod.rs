//! Files of other tools in, named values out. Pure: bytes in, values out.
//!
//! [`read`] is the one door. Each tool's form is a file of its own; those that are JSON share `document`, whose parts
//! know where they stand. As with [`dotenv`], no error says a word of the file: what cannot be read may be a secret all
//! the same. What a record says that has no place here is not lost silently: its fields are named in
//! [`Content::not_kept`].

pub mod aws;
mod bws;
mod document;
mod doppler;
pub mod dotenv;
mod flat;
mod infisical;
mod keyward;
mod one_password;
mod problem;
mod record;
#[cfg(test)]
mod tests;
mod tool;

pub use problem::{At, Problem};
pub use record::{Content, Record};
pub use tool::Tool;

/// Whether a field that is not kept is a tool's own bookkeeping: which record it was, whose, since when, how it is shown. A file
/// is no loss for that alone.
pub fn is_bookkeeping(field: &str) -> bool {
    BOOKKEEPING.contains(&field) || is_dotenvx_public_key(field)
}

/// Whether this is dotenvx's key that seals, or that of one environment. The one that opens is elsewhere.
fn is_dotenvx_public_key(name: &str) -> bool {
    name.strip_prefix("DOTENV_PUBLIC_KEY").is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// What a file of this tool says, or everything that is wrong with it.
///
/// # Errors
/// One for each record or line that cannot be taken; nothing of the file is to be used then.
pub fn read(tool: Tool, bytes: &[u8]) -> Result<Content, Vec<Problem>> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(vec![Problem::line(
            1,
            "a ZIP archive, perhaps a 1PUX file; export single items as JSON",
        )]);
    }
    let content = match tool {
        Tool::Dotenv => record::of_dotenv(bytes),
        Tool::Json => flat::json(&document::Document::new(bytes)?),
        Tool::Dotenvx => flat::dotenvx(&document::Document::new(bytes)?),
        Tool::Bws => bws::read(&document::Document::new(bytes)?),
        Tool::Doppler => doppler::read(&document::Document::new(bytes)?),
        Tool::Infisical => infisical::read(&document::Document::new(bytes)?),
        Tool::OnePassword => one_password::read(&document::Document::new(bytes)?),
    }?;
    // What keyward itself wrote down was stored as it stands.
    if content.complete {
        return Ok(content);
    }
    let reference =
        |record: &Record| Some(Problem::new(record.at, record::stands_for_another(&record.value)?));
    let problems: Vec<Problem> = content.records.iter().filter_map(reference).collect();
    if problems.is_empty() { Ok(content) } else { Err(problems) }
}

const BOOKKEEPING: &[&str] = &[
    // bws
    "creationDate",
    "id",
    "object",
    "organizationId",
    "revisionDate",
    // Doppler
    "computedValueType",
    "computedVisibility",
    "rawValueType",
    "rawVisibility",
    // Infisical
    "Etag",
    "_id",
    "skipMultilineEncoding",
    "type",
    "workspace",
    // 1Password
    "additional_information",
    "category",
    "created_at",
    "fields without a value",
    "last_edited_by",
    "sections",
    "updated_at",
    "version",
];
