//! The role table: who may do what (docs/ACCESS.md; CRYPTO.md §2.12 S1, S9).
//!
//! Whether somebody may write at all is decided here; what a write may contain, in [`super::write`].

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{CredentialId, IdentityId, OrgId};

use super::{Actor, Refusal};

/// What a signed-in identity can ask of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `GET /v1/me`.
    ReadMe,
    /// `POST /v1/auth/logout`.
    EndOwnSession,
    /// `GET /v1/me/bundle`.
    ReadOwnBundle,
    /// `GET /v1/me/agents`.
    ReadOwnAgents,
    /// `POST /v1/me/agents/requests`.
    CountOwnRequests,
    /// `GET /v1/credentials`.
    ListOwnCredentials,
    /// `POST /v1/credentials`: a credential of this kind, for oneself.
    AddOwnCredential(CredentialKind),
    /// `DELETE /v1/credentials/{id}`: one of one's own credentials, of this kind. Another identity's is not found.
    DropOwnCredential(CredentialId, CredentialKind),
    /// `GET /v1/org`.
    ReadOrg,
    /// `POST /v1/org/write`.
    WriteOrg,
    /// `POST /v1/secrets/get`.
    ReadSecrets,
    /// `GET /v1/escrows/{identity}`.
    ReadEscrow,
    /// `GET /v1/identities`.
    ReadIdentities,
    /// `GET /v1/audit`.
    ReadAudit,
    /// `GET /v1/recovery`.
    ReadRecovery,
    /// `POST /v1/recovery`.
    Recover,
}

/// `actor` may do `action`. Made only by [`permit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    org: OrgId,
    identity: IdentityId,
    action: Action,
}

impl Permit {
    /// The organisation that the permit is for.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The identity that is permitted.
    pub fn identity(&self) -> IdentityId {
        self.identity
    }

    /// The action that is permitted.
    pub fn action(&self) -> Action {
        self.action
    }
}

/// May `actor` do `action` at `now` (milliseconds UTC)?
///
/// `Err` is [`Refusal::Forbidden`], or [`Refusal::PasswordNeeded`] if signing in with the password would do.
pub fn permit(actor: &Actor, action: Action, now: i64) -> Result<Permit, Refusal> {
    use CredentialKind::{Device, Link, Password, Recovery, Token};

    let kind = actor.credential_kind;
    let allowed = match action {
        // A proof in the request itself is of a token or device credential, and is good for the bundle only.
        Action::ReadOwnBundle if actor.session.is_none() => matches!(kind, Token | Device),
        _ if actor.session.is_none() => false,
        Action::ReadMe | Action::EndOwnSession => true,
        // The kit of an identity that is not an owner any more recovers nothing.
        Action::ReadRecovery | Action::Recover => actor.role == Role::Owner && actor.proved_kit(now),
        // An invitation or a recovery kit proves an identity in order to be exchanged, not to be worked with.
        _ if matches!(kind, Link | Recovery) => false,
        Action::ReadOwnBundle | Action::ListOwnCredentials => true,
        Action::ReadOwnAgents | Action::CountOwnRequests => actor.kind == IdentityKind::Gateway,
        // Passwords and kits are replaced, never dropped: without one, their owner, or the organisation's, could not come back.
        Action::AddOwnCredential(Token | Link) | Action::DropOwnCredential(_, Password | Recovery) => false,
        Action::AddOwnCredential(Recovery) if actor.role != Role::Owner => false,
        Action::DropOwnCredential(id, _) if id == actor.credential => true,
        Action::AddOwnCredential(Password | Device | Recovery) | Action::DropOwnCredential(..) => {
            kind != Token && proved(actor, now)?
        }
        Action::ReadOrg
        | Action::WriteOrg
        | Action::ReadSecrets
        | Action::ReadEscrow
        | Action::ReadIdentities
        | Action::ReadAudit => actor.role.administers() && kind != Token,
    };
    if allowed {
        Ok(Permit { org: actor.org, identity: actor.identity, action })
    } else {
        Err(Refusal::Forbidden)
    }
}

fn proved(actor: &Actor, now: i64) -> Result<bool, Refusal> {
    if actor.proved_password(now) { Ok(true) } else { Err(Refusal::PasswordNeeded) }
}

#[cfg(test)]
mod tests;
