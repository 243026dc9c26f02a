//! Further values of a key, which its rule writes beside the value: the user of Basic, a second header.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use clap::Args;
use keyward_crypto::state::secret::Fields;
use keyward_wire::name::Name;
use keyward_wire::rule::{FieldName, Injection, Rule, ValueError, Values};
use zeroize::Zeroizing;

use super::value_source::{read_all, unreadable};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::prompt;
use crate::report::undeliverable;

#[derive(Args)]
pub(super) struct FieldOptions {
    /// A further value that the rule writes as {NAME}, such as a user name (empty: none); others can see it in the process list
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field, help_heading = "Injection by the gateway")]
    fields: Vec<(FieldName, String)>,
    /// The same, read from a file; one final newline is dropped
    #[arg(long = "field-file", value_name = "NAME=FILE", value_parser = field_file, help_heading = "Injection by the gateway")]
    files: Vec<(FieldName, PathBuf)>,
}

impl FieldOptions {
    /// Whether any is given.
    pub(super) fn are_given(&self) -> bool {
        !self.fields.is_empty() || !self.files.is_empty()
    }

    /// The fields of a key that had these.
    pub(super) fn read(&self, mut fields: Fields) -> anyhow::Result<Fields> {
        for (name, text) in &self.fields {
            set(&mut fields, name, Zeroizing::new(text.clone()));
        }
        for (name, path) in &self.files {
            let shown = path.display().to_string();
            let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
            let bytes = read_all(file, &shown)?;
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let text =
                std::str::from_utf8(bytes).map_err(|_| Fault::usage(format!("{shown} is not UTF-8")))?;
            set(&mut fields, name, Zeroizing::new(text.to_owned()));
        }
        check_fields(&fields).map_err(|why| Fault::new(Code::Policy, why).next("nothing was stored"))?;
        Ok(fields)
    }
}

/// Asks for the fields that a rule writes and that are not there, where somebody can be asked.
pub(super) fn ask_for_missing(rule: &Rule, fields: &mut Fields) -> anyhow::Result<()> {
    if !prompt::on_terminal() {
        return Ok(());
    }
    for name in rule.fields() {
        if !fields.contains_key(name.as_str()) {
            let text = prompt::secret(&format!("Field {name}"), "there is no terminal to ask on")?;
            set(fields, name, text);
        }
    }
    Ok(())
}

/// Whether the rule can write this value and these fields. A warning of one that can be guessed, or that none of it is sent.
pub(super) fn check_fit(
    ctx: &Ctx,
    key: &Name,
    rule: &Rule,
    value: &[u8],
    fields: &Fields,
) -> anyhow::Result<()> {
    check_values(rule, value, fields).map_err(|error| {
        Fault::new(Code::Policy, format!("the gateway could not send this value: {error}"))
            .next(format!("nothing was stored; {}", error.advice()))
    })?;
    if let Some(warning) = warning(key, rule, value, fields) {
        ctx.out.warn(&warning);
    }
    Ok(())
}

/// What to warn of, of a value that a rule is there for: that the gateway does not send it, or that somebody could guess it.
pub(super) fn warning(key: &Name, rule: &Rule, value: &[u8], fields: &Fields) -> Option<String> {
    if let Some(reason) = undeliverable::value_reason(value) {
        return Some(undeliverable::message(key, &reason));
    }
    let short = short(rule, value, fields);
    if short.is_empty() {
        return None;
    }
    Some(format!(
        "{key}: short: {}. An agent that makes the provider repeat its guesses could find it out; use a longer one, if it is \
         secret and the provider lets you",
        short.join(", ")
    ))
}

/// What the rule sends as a secret and somebody could guess: the value, and fields. The user of Basic is none.
fn short(rule: &Rule, value: &[u8], fields: &Fields) -> Vec<String> {
    let mut short: Vec<String> = Vec::new();
    if value.len() < SHORT {
        short.push("the value".to_owned());
    }
    let is_short = |name: &str| fields.get(name).is_some_and(|text| text.len() < SHORT);
    let secret = |place: &Injection| match place {
        Injection::Basic { password, .. } => password.fields().cloned().collect(),
        other => other.fields().into_iter().cloned().collect::<BTreeSet<FieldName>>(),
    };
    let names: BTreeSet<FieldName> = rule.terms().into.iter().flat_map(secret).collect();
    short.extend(names.iter().filter(|name| is_short(name.as_str())).map(|name| format!("the field {name}")));
    short
}

/// Whether every place of the rule can hold what would be written there.
pub(super) fn check_values(rule: &Rule, value: &[u8], fields: &Fields) -> Result<(), ValueError> {
    let field = |name: &FieldName| fields.get(name.as_str()).map(|text| text.as_bytes());
    rule.check_values(&Values { value, field })
}

/// Whether these may be the fields of a key.
pub(super) fn check_fields(fields: &Fields) -> Result<(), String> {
    if fields.len() > FIELDS {
        return Err(format!("a key may have at most {FIELDS} fields"));
    }
    for (name, text) in fields {
        if name.parse::<FieldName>().is_err() {
            return Err("not a field name: use small letters, digits and _".to_owned());
        }
        if text.len() > FIELD_BYTES {
            return Err(format!("the field {name} has more than {FIELD_BYTES} bytes"));
        }
    }
    Ok(())
}

fn set(fields: &mut Fields, name: &FieldName, text: Zeroizing<String>) {
    if text.is_empty() {
        fields.remove(name.as_str());
    } else {
        fields.insert(name.as_str().to_owned(), text);
    }
}

fn field(text: &str) -> Result<(FieldName, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let name = name.parse::<FieldName>().map_err(|error| format!("{error}: {}", error.advice()))?;
    Ok((name, value.to_owned()))
}

fn field_file(text: &str) -> Result<(FieldName, PathBuf), String> {
    field(text)
        .map(|(name, path)| (name, PathBuf::from(path)))
        .map_err(|error| error.replace("VALUE", "FILE"))
}

/// Most fields of a key.
const FIELDS: usize = 16;

/// Largest field, in bytes.
const FIELD_BYTES: usize = 4096;

/// A value below this, in bytes, can perhaps be guessed.
const SHORT: usize = 16;
