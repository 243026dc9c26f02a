//! Why a rule was refused: which part of it is wrong, what is wrong with it, and what to do.

use super::host_error::HostError;
use super::injection::InjectionError;
use super::method::MethodError;
use super::path::PathError;

/// A rule was refused. Templates are never repeated in it: somebody may have written the value itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct RuleError {
    /// The part of the rule: `hosts[0]`, `into[1].template`, `rule`.
    pub at: String,
    /// What is wrong with that part.
    pub problem: Problem,
}

/// What is wrong with a part of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not JSON, nested too deep, or larger than [`RULE_BYTES`](super::RULE_BYTES).
    #[error("not JSON of at most {} bytes", super::RULE_BYTES)]
    NotJson,
    /// Something else than is expected there.
    #[error("not {0}")]
    Not(&'static str),
    /// The text is another spelling of something that has one spelling.
    #[error("not in its plain form")]
    NotPlain,
    /// A field that must be there.
    #[error("it is missing")]
    Missing,
    /// A field that this version of the format does not have. A rule is never half understood.
    #[error("no such field in a rule of version {}", super::VERSION)]
    Unknown,
    /// A field that stands twice.
    #[error("it stands twice")]
    Twice,
    /// A `v` that this program does not know.
    #[error("a rule of a version that this program does not know")]
    Version,
    /// An empty list.
    #[error("an empty list")]
    Empty,
    /// The list has more elements than it may have.
    #[error("more than {0}")]
    TooMany(usize),
    /// A kind of injection that nobody has heard of.
    #[error("no such kind of injection")]
    Kind,
    /// A kind of injection for which the gateway would have to sign or to exchange something.
    #[error(
        "{0} is not supported yet: the gateway writes values into requests, it does not sign or exchange them"
    )]
    Unsupported(&'static str),
    /// Two places that are the same.
    #[error("two values for one place")]
    SamePlace,
    /// JSON and form fields in one rule.
    #[error("a body is JSON or a form, not both")]
    TwoBodies,
    /// No template with `{v}`.
    #[error("{{v}} stands nowhere: the value itself would not be used")]
    NoValue,
    /// A host pattern.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A method.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// A path pattern.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A place in a request.
    #[error(transparent)]
    Injection(#[from] InjectionError),
}

impl RuleError {
    pub(super) fn new(at: impl Into<String>, problem: impl Into<Problem>) -> Self {
        Self { at: at.into(), problem: problem.into() }
    }

    /// What the user can do about the error.
    pub fn advice(&self) -> &'static str {
        match &self.problem {
            Problem::NotJson => "write one JSON object",
            Problem::Not(_) | Problem::Missing | Problem::Kind => "see docs/RULES.md for what stands there",
            Problem::NotPlain => "write names in lower case, and hosts without :443 and final dot",
            Problem::Unknown => "remove it, or use a version of keyward that knows it",
            Problem::Twice | Problem::SamePlace => "keep one of them",
            Problem::Version => "use a newer version of keyward",
            Problem::Empty => "leave the field out, or write what is meant",
            Problem::TooMany(_) => "make it fewer; a rule is for one credential",
            Problem::Unsupported(_) => "store the key without a rule, or with one for a plain token",
            Problem::TwoBodies => "choose the one that the provider reads",
            Problem::NoValue => "write {v} in the place where the value goes",
            Problem::Host(error) => error.advice(),
            Problem::Method(error) => error.advice(),
            Problem::Path(error) => error.advice(),
            Problem::Injection(error) => error.advice(),
        }
    }
}
