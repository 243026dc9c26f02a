//! Tools that files may come from: named by the user, or recognised by a file's form.

use std::path::Path;

use super::document::{Document, Fields, text};
use super::is_dotenvx_public_key;
use super::problem::At;

/// Tools whose files can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Tool {
    /// A .env file
    Dotenv,
    /// An object, name to text; or what `keyward key export` writes
    Json,
    /// Bitwarden Secrets Manager: bws secret list --output json
    Bws,
    /// doppler secrets download --no-file --format json
    Doppler,
    /// infisical export --format=json
    Infisical,
    /// op item get ITEM --format json
    #[value(name = "1password")]
    OnePassword,
    /// dotenvx get -f .env --overload
    Dotenvx,
}

impl Tool {
    /// The tool's name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Bws => "bws",
            Self::Doppler => "doppler",
            Self::Infisical => "infisical",
            Self::OnePassword => "1password",
            Self::Dotenvx => "dotenvx",
        }
    }

    /// How to get a file out of the tool that can be read.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Dotenv => "mend these lines and import it again",
            Self::Json => {
                "write it as one object, {\"NAME\": \"value\"}, or say with --from whose file it is"
            }
            Self::Bws => "export with: bws secret list --output json",
            Self::Doppler => "export with: doppler secrets download --no-file --format json",
            Self::Infisical => "export with: infisical export --format=json",
            Self::OnePassword => "export with: op item get ITEM --format json",
            Self::Dotenvx => {
                "read it out with: dotenvx get -f .env --overload | keyward key import - --from dotenvx"
            }
        }
    }

    /// The tool that a file comes from, by clear signs only: that the file is JSON at all, and field names that one tool alone
    /// writes. Without such signs, the file is what its name says, or else a .env file. A wrong guess cannot pass unnoticed: no
    /// form reads another's.
    pub fn detect(name: &Path, bytes: &[u8]) -> Self {
        let named_json = name.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let unmarked = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        if !named_json && !unmarked.starts_with(b"{") && !unmarked.starts_with(b"[") {
            return Self::Dotenv;
        }
        Document::new(bytes).ok().and_then(|document| Self::of_json(&document)).unwrap_or(Self::Json)
    }

    fn of_json(document: &Document<'_>) -> Option<Self> {
        let records = document.records().ok()?;
        let first = records.first()?;
        let has = |names: &[&str]| names.iter().all(|name| first.has(name));
        if has(&["id", "organizationId", "key", "value", "revisionDate"]) {
            return Some(Self::Bws);
        }
        if has(&["type", "workspace", "key", "value"]) || has(&["type", "secretPath", "key", "value"]) {
            return Some(Self::Infisical);
        }
        if has(&["fields", "vault"]) || has(&["fields", "category"]) {
            return Some(Self::OnePassword);
        }
        let members = document.members().ok()?;
        let computed = |value| Fields::of(At::Line(1), value).is_ok_and(|fields| fields.has("computed"));
        if has(&["DOPPLER_CONFIG", "DOPPLER_PROJECT"]) || members.iter().any(|(_, value)| computed(value)) {
            return Some(Self::Doppler);
        }
        let texts = members.iter().all(|(_, value)| text(value).is_some());
        (texts && members.iter().any(|(name, _)| is_dotenvx_public_key(name))).then_some(Self::Dotenvx)
    }
}
