//! A file that a program reads its credential from.

use serde_json::Value;

/// A file in somebody's home.
pub(super) struct File {
    /// The file's path, below the home directory.
    pub(super) path: &'static str,
    pub(super) text: String,
}

impl File {
    pub(super) fn new(path: &'static str, text: String) -> Self {
        Self { path, text }
    }

    pub(super) fn json(path: &'static str, value: &Value) -> Self {
        Self { path, text: format!("{value:#}\n") }
    }
}

/// What a program finds where a credential should be: in the place that a key's rule names, the gateway replaces
/// it; anywhere else it is just a word.
pub(super) const MANAGED: &str = "keyward-managed";

/// When these end: 2100-01-01, in milliseconds. A program that thinks its token is over would ask for another.
pub(super) const NEVER_MS: u64 = 4_102_444_800_000;
