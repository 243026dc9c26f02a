//! How long to measure.

/// Enough to quote, or only enough to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Long enough for the figures in docs/BENCHMARKS.md.
    Full,
    /// `--quick`: while working on something.
    Quick,
}

impl Effort {
    /// Rounds of a run of processes that take milliseconds.
    pub fn rounds(self) -> usize {
        match self {
            Self::Full => 60,
            Self::Quick => 12,
        }
    }

    /// Rounds of a run of processes that take a good part of a second.
    pub fn slow_rounds(self) -> usize {
        match self {
            Self::Full => 20,
            Self::Quick => 5,
        }
    }
}
