//! keyward's own export: every key with all that is known of it, as JSON. [`crate::import`] reads it back.

use keyward_crypto::state::secret::{Fields, Secret};
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::presized;

/// The name of the export's format.
pub const FORMAT: &str = "keyward-export";

/// The version of the format. A reader takes no other.
pub const VERSION: u64 = 1;

/// A whole export. No `Debug`: it holds values.
#[derive(Serialize)]
pub struct Archive<'a> {
    /// [`FORMAT`].
    pub format: &'static str,
    /// [`VERSION`].
    pub v: u64,
    /// The organisation's name.
    pub organisation: &'a str,
    /// RFC 3339.
    pub exported_at: String,
    /// The keys, by name.
    pub keys: Vec<Key<'a>>,
}

/// One key of an export.
#[derive(Serialize)]
pub struct Key<'a> {
    /// The key's name.
    pub name: &'a str,
    /// Another name of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<&'a str>,
    /// The provider whose service the key is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<&'a str>,
    /// Labels.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub tags: &'a [String],
    /// Label of the set it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<&'a str>,
    /// The key's value and note.
    #[serde(flatten)]
    pub content: Content<'a>,
    /// Number of the version.
    pub version: u64,
    /// RFC 3339.
    pub updated_at: String,
    /// The variables it is mapped to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable<'a>>,
    /// Old versions, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Old<'a>>,
}

/// A variable that a key is mapped to.
#[derive(Serialize)]
pub struct Variable<'a> {
    /// The deployment's name.
    pub deployment: &'a str,
    /// The variable.
    pub env: &'a str,
}

/// An old version.
#[derive(Serialize)]
pub struct Old<'a> {
    /// Number of the version.
    pub version: u64,
    /// RFC 3339.
    pub updated_at: String,
    /// The version's value and note.
    #[serde(flatten)]
    pub content: Content<'a>,
}

/// A value with what belongs to it: text if it is any, else base64.
#[derive(Serialize)]
pub struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_b64: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    fields: &'a Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    inject: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

impl<'a> Content<'a> {
    /// The content of this secret.
    pub fn new(secret: &'a Secret) -> Self {
        let Secret { value, fields, inject, note } = secret;
        let text = std::str::from_utf8(value).ok();
        let value_b64 = text.is_none().then(|| Zeroizing::new(data_encoding::BASE64.encode(value)));
        let inject = inject.as_ref().and_then(|json| serde_json::from_str(json).ok());
        Self { value: text, value_b64, fields, inject, note: note.as_ref().map(|note| note.as_str()) }
    }
}

impl Archive<'_> {
    /// Indented, with a line end.
    pub fn render(&self) -> Zeroizing<Vec<u8>> {
        presized(|out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            out.write_all(b"\n")
        })
    }
}
