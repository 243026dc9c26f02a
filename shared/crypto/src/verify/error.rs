//! Why an answer is not believed, as people and exit codes are told it.

use keyward_wire::name::{EnvName, Name};

use crate::Integrity;

/// Why an answer is not believed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A part of the answer is not what was sealed for this reader.
    #[error(transparent)]
    Integrity(#[from] Integrity),
    /// The answer is authentic, but older than a state that this client knows, or a second version of the same state.
    #[error("{0}")]
    Stale(Stale),
    /// A part that the answer must have is missing.
    #[error("{0}")]
    Missing(Missing),
    /// The deployment or key is not among those that this identity may read.
    #[error("no such {kind}, or not yours: {name}")]
    NotThere {
        /// The kind of thing: `deployment` or `key`.
        kind: &'static str,
        /// The name or id as it was asked for.
        name: String,
    },
    /// The answer is authentic, and asks for something that this client refuses.
    #[error("{0}")]
    Refused(Refused),
}

/// How an answer is too old.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it all")]
pub enum Stale {
    #[error("the server's state is at seq {seen}, older than {floor}, which {source_of_floor} requires")]
    Seq { seen: u64, floor: u64, source_of_floor: &'static str },
    #[error("the server's epoch is {seen}, older than {floor}, which {source_of_floor} requires")]
    Epoch { seen: u64, floor: u64, source_of_floor: &'static str },
    #[error("the server shows another state for seq {seq} than this client saw before")]
    Fork { seq: u64 },
    #[error("this access ended")]
    Ended,
    #[error("the server's state was issued {age_secs} seconds ago, longer than --max-age allows")]
    TooOld { age_secs: i64 },
}

/// The part of an answer that is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it all")]
pub enum Missing {
    #[error("the server left out the value of the key {0}")]
    Secret(Name),
    #[error("the server left out {0}")]
    Part(&'static str),
}

/// The thing that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it all")]
pub enum Refused {
    #[error("the variable {0} steers programs; allow it with --allow-env {0} if that is meant")]
    Steers(EnvName),
    #[error("two keys are mapped to the variable {0}")]
    Twice(EnvName),
    #[error("the value of the key {0} holds a NUL byte, which no environment variable can")]
    Nul(Name),
}
