//! May he? Pure, synchronous, without I/O: values in, values out (docs/ACCESS.md, CRYPTO.md §2.12).
//!
//! | module | answers |
//! |---|---|
//! | [`role`] | may this actor do this at all? → [`Permit`] |
//! | [`filter`] | which secrets may its bundle hold? → [`Readable`] |
//! | [`mod@write`] | may this write be applied, and what follows from it? → [`Change`] |
//! | [`agents`] | what may a gateway's agents use now? |
//! | [`credential`], [`signup`] | is this new credential, this new organisation well formed? |
//! | [`state`] | the relations that all of these look at |
//!
//! [`Permit`], [`Readable`] and [`Change`] are witnesses: only this module can make one, and what reads or writes
//! another's data in the store takes one. The set rule itself, readable = mapped − excluded, is not here but in
//! [`keyward_wire::access`], where clients call the same function.

pub mod agents;
pub mod credential;
pub mod filter;
mod owner;
pub mod role;
pub mod signup;
pub mod state;
pub mod write;

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{CredentialId, IdentityId, OrgId};

pub use filter::Readable;
pub use role::{Action, Permit, permit};
pub use state::State;
pub use write::{Change, Event};

/// Who asks: an active identity that has just proved one of its credentials, or holds a live session made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The actor's organisation.
    pub org: OrgId,
    /// The actor's identity.
    pub identity: IdentityId,
    /// The identity's kind.
    pub kind: IdentityKind,
    /// The identity's role, as of this request.
    pub role: Role,
    /// The credential that the actor signed in with.
    pub credential: CredentialId,
    /// That credential's kind.
    pub credential_kind: CredentialKind,
    /// The actor's session. `None` if the request itself carries the proof (the one-request bundle, CRYPTO.md §2.13 F4).
    pub session: Option<Session>,
}

impl Actor {
    /// Whether the session was made with the password at most [`FRESH_MS`] before `now` (S9).
    pub fn proved_password(&self, now: i64) -> bool {
        self.proved(CredentialKind::Password, now)
    }

    /// Whether the session was made with the recovery kit at most [`FRESH_MS`] before `now` (S9).
    pub fn proved_kit(&self, now: i64) -> bool {
        self.proved(CredentialKind::Recovery, now)
    }

    fn proved(&self, kind: CredentialKind, now: i64) -> bool {
        self.credential_kind == kind
            && self.session.is_some_and(|session| now.saturating_sub(session.signed_in_at) <= FRESH_MS)
    }
}

/// What matters of a session for access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// When the credential was proved, in milliseconds UTC of the database's clock.
    pub signed_in_at: i64,
}

/// Why a request is refused. The words name no id, name or value of anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 403: this role, or this kind of session, may not do that.
    #[error("this identity may not do that")]
    Forbidden,
    /// 403: the role may, but only in a session made with the password within the last 10 minutes.
    #[error("this needs a session made with the password within the last 10 minutes")]
    PasswordNeeded,
    /// 409: the organisation has changed since the write's base.
    #[error("the organisation has changed since `base`")]
    Conflict,
    /// 422: the request would break a rule of the organisation's state.
    #[error("{field}: {reason}")]
    Unprocessable {
        /// The part of the request at fault, as `secrets[3].env`.
        field: String,
        /// The rule that would be broken.
        reason: &'static str,
    },
}

impl Refusal {
    fn at(field: impl Into<String>, reason: &'static str) -> Self {
        Self::Unprocessable { field: field.into(), reason }
    }
}

/// `Err(Unprocessable)` unless `holds`.
fn ensure(holds: bool, field: impl FnOnce() -> String, reason: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::at(field(), reason)) }
}

/// How long after signing in a session may do what S9 asks the password, or the recovery kit, for: 10 minutes.
pub const FRESH_MS: i64 = 10 * 60 * 1000;
