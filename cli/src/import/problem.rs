//! What is wrong with a file, and where, without a word of it.

use std::fmt;

/// A place in a file. Numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A line.
    Line(usize),
    /// A record of JSON, which begins on a line. A whole export may be one line, so the record is counted too.
    Record {
        /// The record's number.
        number: usize,
        /// The line on which the record begins.
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
    /// The place of the problem.
    pub at: At,
    /// The reason, in words of this program only.
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
