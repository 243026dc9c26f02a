//! What can go wrong, as its user sees it: an exit code, what happened, what to do next.

use std::fmt;

use keyward_crypto::change::ChangeError;
use keyward_crypto::edit::EditError;
use keyward_crypto::verify::{Refused, Stale, VerifyError};
use keyward_crypto::{Integrity, TokenError};

/// Exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// A fault of keyward or its surroundings.
    Unexpected = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// Nobody is signed in, or the credential is refused or expired.
    SignIn = 3,
    /// No such thing, or not yours.
    NotFound = 4,
    /// The server could not be reached or did not answer properly.
    Network = 5,
    /// Something is not what was sealed for this reader.
    Integrity = 6,
    /// Authentic but too old.
    Stale = 7,
    /// Something that must be there is missing.
    Missing = 8,
    /// Refused by a rule.
    Policy = 9,
    /// Somebody or something else got there first.
    Conflict = 10,
    /// `run`: the program cannot be run, as shells say it.
    CommandNotRun = 126,
    /// `run`: there is no such program, as shells say it.
    CommandNotFound = 127,
    /// Output for a shell: stopped by HUP, as shells say it.
    HungUp = 129,
    /// Output for a shell: stopped by INT.
    Interrupted = 130,
    /// Output for a shell: stopped by TERM.
    Terminated = 143,
}

impl Code {
    /// The code of a command of keyward that ended so.
    pub fn of_exit(code: u8) -> Option<Self> {
        Self::ALL.iter().map(|(one, _)| *one).find(|one| *one as u8 == code)
    }

    /// The codes that keyward's own commands end with, in the words of the manual.
    pub const ALL: [(Self, &str); 10] = [
        (Self::Unexpected, "Something unexpected: a fault of keyward or of its surroundings."),
        (Self::Usage, "The command line, or a file that it names, cannot be understood."),
        (Self::SignIn, "Not signed in, or the credential is refused or has ended."),
        (Self::NotFound, "There is no such thing, or it is not yours: the server does not tell which."),
        (Self::Network, "The server could not be reached, or did not answer properly."),
        (Self::Integrity, "Something is not what was sealed for this reader."),
        (Self::Stale, "Authentic, but older than what was seen before, or than what was asked for."),
        (Self::Missing, "Something that must be there is missing."),
        (Self::Policy, "Refused by a rule."),
        (Self::Conflict, "Somebody or something else got there first."),
    ];
}

/// An error that says which exit code it is and what to do.
#[derive(Debug)]
pub struct Fault {
    /// The exit code.
    pub code: Code,
    what: String,
    next: Option<String>,
}

impl Fault {
    /// `what` happened; say with [`next`](Self::next) what to do.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), next: None }
    }

    /// Adds what the user can do about the fault.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// What happened.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What the user can do about the fault, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// A usage fault.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Code::Usage, what)
    }

    /// `kind` `name` is not among `names`: says so with the nearest match, or with what there is.
    pub fn unknown<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        let fault = Self::new(Code::NotFound, format!("no such {kind}, or not yours: {}", typed(name, 100)));
        match nearest(name, names.iter().copied()) {
            Some(other) => fault.next(format!("did you mean {other}?")),
            None if names.is_empty() => fault.next(format!("there is no {kind} yet")),
            None => {
                let shown = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
                let more = if names.len() > 12 { ", …" } else { "" };
                fault.next(format!("there is: {shown}{more}"))
            }
        }
    }
}

/// The one of `names` that was probably meant.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|other| (likeness(name, other), other)).filter(|(likeness, _)| *likeness > 0.8);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, other)| other)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.next {
            Some(next) => write!(f, "\n  → {next}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// A program that keyward started ended with this code, and has said why itself.
#[derive(Debug, thiserror::Error)]
#[error("the program ended with code {0}")]
pub struct Ended(pub u8);

/// The exit code of any error: the outermost layer that knows.
pub fn code_of(error: &anyhow::Error) -> Code {
    // anyhow looks through every layer of context.
    error.downcast_ref::<Fault>().map_or(Code::Unexpected, |fault| fault.code)
}

impl From<Integrity> for Fault {
    fn from(Integrity: Integrity) -> Self {
        Self::new(Code::Integrity, "the server's answer is not what was sealed for you; nothing of it was used").next(
            "if it persists, somebody tampers with the server or the connection: tell its operator by another channel",
        )
    }
}

impl From<VerifyError> for Fault {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Integrity(integrity) => integrity.into(),
            VerifyError::Stale(Stale::Ended) => Self::new(Code::Stale, "this access has ended")
                .next("sign in again, or ask an owner or admin for a new token; check this machine's clock"),
            VerifyError::Stale(Stale::TooOld { age_secs }) => {
                Self::new(Code::Stale, format!("the server's state was issued {age_secs} seconds ago, more than --max-age"))
                    .next("ask an owner or admin to run `keyward org heartbeat`")
            }
            VerifyError::Stale(
                Stale::Seq { source_of_floor, .. } | Stale::Epoch { source_of_floor, .. },
            ) if source_of_floor.contains("KEYWARD_MIN_") => Self::new(Code::Stale, error.to_string()).next(
                "an old backup may have been restored, or the number is another organisation's: ask the server's operator, and give \
                 the number that `keyward pin` prints",
            ),
            VerifyError::Stale(stale) => Self::new(Code::Stale, stale.to_string()).next(
                "an old backup may have been restored, or the server shows different states to different people: \
                 ask its operator, and only if he means that state: keyward pin --forget (for a gateway with --home and its folder)",
            ),
            VerifyError::Missing(missing) => Self::new(Code::Missing, missing.to_string())
                .next("nothing was used; the server holds back data: ask its operator"),
            VerifyError::NotThere { kind, name } => {
                Self::new(Code::NotFound, format!("no such {kind}, or not yours: {}", typed(&name, 100)))
            }
            VerifyError::Refused(refused) => {
                let fault = Self::new(Code::Policy, refused.to_string());
                match refused {
                    // It says so itself.
                    Refused::Steers(_) => fault,
                    Refused::Twice(_) | Refused::Nul(_) => {
                        fault.next("an owner or admin unmaps the key there: keyward deployment unmap")
                    }
                }
            }
        }
    }
}

impl From<ChangeError> for Fault {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Edit(edit) => edit.into(),
            ChangeError::Integrity(integrity) => integrity.into(),
            ChangeError::TooManyViews => Self::new(Code::Policy, error.to_string()),
            too_large => {
                Self::new(Code::Policy, too_large.to_string()).next("nothing was stored; store less")
            }
        }
    }
}

impl From<EditError> for Fault {
    fn from(error: EditError) -> Self {
        match error {
            EditError::NotThere => Self::new(Code::NotFound, "what this changes is not there any more")
                .next("run the command again to see what is there now"),
            EditError::NameTaken { .. } => Self::new(Code::Conflict, error.to_string())
                .next("choose another name, or rename or delete that one first"),
            EditError::VariableTaken(_) => Self::new(Code::Conflict, error.to_string())
                .next("choose another variable, or unmap that key first"),
        }
    }
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        Self::new(Code::SignIn, error.to_string())
    }
}

/// The similarity of two names, from 0 to 1.
pub fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}

/// Whether a token stands where a name should.
pub fn holds_token(name: &str) -> bool {
    ["kwt1_", "kwd1_", "kwi1_", "kwr1_", "kwh1_", "kwp1_"].iter().any(|prefix| name.contains(prefix))
}

/// A name, path or address as it was typed, safe to print; a token that stands in its place is not repeated.
pub fn typed(text: &str, limit: usize) -> String {
    if holds_token(text) { "… (a token, not shown)".to_owned() } else { printable(text, limit) }
}

/// A foreign text made safe to print: no control or direction-changing characters, at most `limit` characters.
pub fn printable(text: &str, limit: usize) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if keyward_wire::name::is_unprintable(c) { '\u{fffd}' } else { c })
        .take(limit)
        .collect();
    if text.chars().nth(limit).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_shown_inert_and_cut() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}", 100), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(printable(&"x".repeat(5), 3), "xxx…");
    }

    #[test]
    fn a_token_in_the_place_of_a_name_is_not_repeated() {
        let token = "kwt1_aaisem2ekvthpcezvk54zxpoam_hunter2";
        for name in [token.to_owned(), format!("x={token}")] {
            assert!(!Fault::unknown("key", &name, std::iter::empty()).to_string().contains("hunter2"));
            let error = VerifyError::NotThere { kind: "deployment", name };
            assert!(!Fault::from(error).to_string().contains("hunter2"));
        }
    }

    #[test]
    fn an_unknown_name_offers_the_nearest_or_all() {
        let names = || ["production", "staging"].into_iter();
        assert!(
            Fault::unknown("deployment", "prodution", names())
                .to_string()
                .contains("did you mean production?")
        );
        assert!(
            Fault::unknown("deployment", "zzz", names())
                .to_string()
                .contains("there is: production, staging")
        );
    }
}
