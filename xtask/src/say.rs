//! The only writer: stdout is what was asked for, stderr is talk.

use std::io::Write as _;

/// Writes one block of text to stdout. A closed pipe is the reader's choice, not an error.
pub(crate) fn out(text: &str) {
    _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes one block of text to stderr.
pub(crate) fn talk(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}
