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
