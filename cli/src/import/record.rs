//! What every source comes to: records with a name and a value, and words beside them.

use std::collections::BTreeSet;

use keyward_crypto::state::secret::Fields;
use zeroize::Zeroizing;

use super::dotenv;
use super::problem::{At, Problem};

/// What a file says, in its order. No `Debug`: it holds values.
#[derive(Default)]
pub struct Content {
    /// Names may still stand twice, or be none that a key may have.
    pub records: Vec<Record>,
    /// Records that were read, but perhaps not as they were meant.
    pub warnings: Vec<String>,
    /// Fields of records that say something which has no place in keyward, by their names in the tool's form.
    pub not_kept: BTreeSet<String>,
    /// The file is keyward's own: labels that it does not have are not meant to be.
    pub complete: bool,
}

/// A record of a file that will become a key.
pub struct Record {
    /// Any text.
    pub name: String,
    /// Any bytes.
    pub value: Zeroizing<Vec<u8>>,
    /// Further values, by name.
    pub fields: Fields,
    /// Where the gateway may write it: JSON, not read yet.
    pub inject: Option<Zeroizing<String>>,
    /// A note for people.
    pub note: Option<Zeroizing<String>>,
    /// Another name of the key.
    pub alias: Option<String>,
    /// The provider whose service the key is for.
    pub provider: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Label of the set it belongs to.
    pub set: Option<String>,
    /// The record's place in the file.
    pub at: At,
}

impl Record {
    pub(super) fn new(name: String, value: Zeroizing<Vec<u8>>, at: At) -> Self {
        let (fields, inject, note) = (Fields::new(), None, None);
        Self {
            name,
            value,
            fields,
            inject,
            note,
            alias: None,
            provider: None,
            tags: Vec::new(),
            set: None,
            at,
        }
    }
}

/// A value that stands for another one, which is not in the file: to store it would be to lose the other silently.
pub(super) fn stands_for_another(value: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(value).ok()?;
    let is_reference = text.strip_prefix("op://").is_some_and(|path| path.matches('/').count() >= 2);
    // A compressed point begins with 02 or 03, an uncompressed one with 04: "B" in base64. dotenvx writes the latter.
    let is_sealed = text.strip_prefix("encrypted:B").is_some_and(|sealed| {
        sealed.len() >= 120 && sealed.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    });
    if is_reference {
        Some("a 1Password reference (op://…), not a value: resolve it first with `op inject -i FILE`")
    } else if is_sealed {
        Some("a value that dotenvx encrypted: read it first with `dotenvx get -f FILE --overload`")
    } else {
        None
    }
}

pub(super) fn of_dotenv(bytes: &[u8]) -> Result<Content, Vec<Problem>> {
    let parsed = dotenv::parse(bytes).map_err(|errors| {
        errors.iter().map(|e| Problem::line(e.line, e.reason.to_string())).collect::<Vec<_>>()
    })?;
    let mut content =
        Content { warnings: parsed.warnings.iter().map(ToString::to_string).collect(), ..Content::default() };
    let comments = parsed.comments;
    let lines = if comments == 1 { "line" } else { "lines" };
    content.not_kept.extend((comments > 0).then(|| format!("comments on {comments} {lines}")));
    for mut entry in parsed.entries {
        let value = std::mem::take(&mut *entry.value).into_bytes().into();
        content.records.push(Record::new(entry.name, value, At::Line(entry.line)));
    }
    commented_out(bytes).map_or(Ok(content), |problem| Err(vec![problem]))
}

/// `bws` writes secrets whose names are no variables as comments, and says so in the last line: they would be lost.
fn commented_out(bytes: &[u8]) -> Option<Problem> {
    let says_so = |line: &[u8]| line.starts_with(b"# one or more secrets have been commented-out");
    let at = bytes.split(|byte| *byte == b'\n').position(says_so)?;
    let why =
        "bws left secrets out as comments: export with `bws secret list --output json`, import --from bws";
    Some(Problem::line(at + 1, why))
}
