//! The documents, and what is code in them.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A document, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The paths of README.md, of its neighbours and of everything in docs/.
pub(crate) fn documents() -> Vec<String> {
    let mut paths = Vec::new();
    for dir in ["", "docs/"] {
        for entry in std::fs::read_dir(root().join(dir)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.to_lowercase().ends_with(".md") {
                paths.push(format!("{dir}{name}"));
            }
        }
    }
    paths.sort();
    assert!(paths.len() > 5 && paths.contains(&"README.md".to_owned()), "{paths:?}");
    paths
}

/// A line, and where it stands.
pub(crate) struct Line<'t> {
    /// The line's number, from 1.
    pub(crate) number: usize,
    /// The word behind the fence, inside a code block.
    pub(crate) fence: Option<&'t str>,
    /// The line's text.
    pub(crate) text: &'t str,
}

/// Every line but the fences.
pub(crate) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut fence = None;
    let mut lines = Vec::new();
    for (i, text) in text.lines().enumerate() {
        match (text.trim_start().strip_prefix("```"), fence) {
            (Some(word), None) => fence = Some(word.trim()),
            (Some(_), Some(_)) => fence = None,
            (None, _) => lines.push(Line { number: i + 1, fence, text }),
        }
    }
    assert!(fence.is_none(), "a code block has no end");
    lines
}

/// The spans of code in a line of prose.
pub(crate) fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}
