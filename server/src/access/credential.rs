//! Is this new credential well formed, and may its maker have it (CRYPTO.md §2.8, §2.12 S4, S9)?

use keyward_wire::api::Role;
use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::{IdentityId, Purpose};

use super::role::{Action, Permit, permit};
use super::{Actor, Refusal, ensure};

/// `POST /v1/credentials`: may `actor` have `new` for itself at `now` (milliseconds UTC)?
pub fn check_own(actor: &Actor, new: &NewCredential, now: i64) -> Result<Permit, Refusal> {
    let permit = permit(actor, Action::AddOwnCredential(new.kind), now)?;
    ensure(new.identity == actor.identity, || "identity".to_owned(), "not the caller")?;
    check(new, "", now)?;
    Ok(permit)
}

/// Checks that purpose, salt and expiry are those of the kind. `at` is where `new` stands in the request, as `credentials[0].`.
pub fn check(new: &NewCredential, at: &str, now: i64) -> Result<(), Refusal> {
    let purpose = if new.kind == CredentialKind::Recovery { Purpose::Recovery } else { Purpose::Cred };
    let expires = match new.kind {
        CredentialKind::Password | CredentialKind::Recovery => new.not_after.is_none(),
        CredentialKind::Device | CredentialKind::Link => {
            new.not_after.is_some_and(|end| end <= now.saturating_add(LONGEST_MS))
        }
        CredentialKind::Token => true,
    };
    ensure(new.env.purpose() == purpose, || format!("{at}env"), "an envelope of another purpose")?;
    let salted = new.kind == CredentialKind::Password;
    ensure(
        new.salt.is_some() == salted,
        || format!("{at}salt"),
        "a password has a salt, and nothing else has",
    )?;
    ensure(
        expires,
        || format!("{at}not_after"),
        "passwords and kits do not expire; devices and links must, within 90 days",
    )
}

/// `actor` has sent a text that claims to be the secret of a token, device or link of `holder`, who has `role`: does that revoke
/// the credential?
///
/// One's own credential is always revoked. For another identity's, `actor` must be allowed to drop it by a write (S1): nobody has
/// checked the secret itself, so sending a text must not be a shorter way.
pub fn may_revoke(actor: &Actor, holder: IdentityId, role: Role, now: i64) -> bool {
    if actor.identity == holder {
        return true;
    }
    let high = role.administers();
    permit(actor, Action::WriteOrg, now).is_ok()
        && (!high || actor.role == Role::Owner && actor.proved_password(now))
}

/// Longest life of a device or link credential, in milliseconds: 90 days, and one for clocks that differ.
const LONGEST_MS: i64 = 91 * 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests;
