//! A finding of the doctor: one line of its report.

use crate::fault::{Code, Fault, code_of, printable};

/// The state of what was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everything is as it should be.
    Ok,
    /// The state may surprise somebody.
    Warn,
    /// Commands will end with this code.
    Fail(Code),
}

/// A finding: what was looked at, what was found, what to do.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) found: String,
    pub(super) next: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), next: None }
    }

    pub(super) fn warn(name: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, state: State::Warn, found: found.into(), next: Some(next.into()) }
    }

    pub(super) fn fail(
        name: &'static str,
        code: Code,
        found: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self { name, state: State::Fail(code), found: found.into(), next: Some(next.into()) }
    }

    /// A finding that something could not be looked at.
    pub(super) fn skipped(name: &'static str, why: &str) -> Self {
        Self { name, state: State::Warn, found: why.to_owned(), next: None }
    }

    /// What a command would have failed with. A fault brings its own advice.
    pub(super) fn of_error(name: &'static str, error: &anyhow::Error) -> Self {
        let code = code_of(error);
        let fault = error.downcast_ref::<Fault>();
        let what = fault.map_or_else(|| error.to_string(), |fault| fault.what().to_owned());
        let causes = error.chain().skip(1).map(ToString::to_string);
        let found = std::iter::once(what).chain(causes).collect::<Vec<_>>().join(": ");
        let next = fault.and_then(Fault::advice).unwrap_or("mend that, and run `keyward doctor` again");
        let (found, next) = (printable(&found, 400), Some(next.to_owned()));
        Self { name, state: State::Fail(code), found, next }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.code().is_some()
    }

    pub(super) fn code(&self) -> Option<Code> {
        match self.state {
            State::Fail(code) => Some(code),
            State::Ok | State::Warn => None,
        }
    }
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
        }
    }

    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warn => "33",
            Self::Fail(_) => "31",
        }
    }
}
