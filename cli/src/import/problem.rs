//! What is wrong with a file, and where, without a word of it.

use std::fmt;

/// Where something stands. From 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// On a line.
    Line(usize),
    /// In a record of JSON, which begins on a line. Whole exports may be one line, so the record is counted too.
    Record {
        /// Which.
        number: usize,
        /// Its line.
        line: usize,
    },
}

impl At {
    /// The line.
    pub fn line(self) -> usize {
        match self {
            Self::Line(line) | Self::Record { line, .. } => line,
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Record { number, line } => write!(f, "record {number} (line {line})"),
        }
    }
}

/// Something that cannot be taken, and why. Holds no text of the file: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {why}")]
pub struct Problem {
    /// Where.
    pub at: At,
    /// Why, in words of this program only.
    pub why: String,
}

impl Problem {
    pub(super) fn new(at: At, why: impl Into<String>) -> Self {
        Self { at, why: why.into() }
    }

    pub(super) fn line(line: usize, why: impl Into<String>) -> Self {
        Self::new(At::Line(line), why)
    }
}
