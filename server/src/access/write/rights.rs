//! What in a write only an owner may do, and what needs the password (S1, S6, S9).

use std::collections::BTreeSet;

use keyward_wire::IdentityId;
use keyward_wire::api::Role;
use keyward_wire::api::write::WriteRequest;

use crate::access::state::Identity;
use crate::access::{Actor, Refusal, State, ensure};

/// `actor` with the role that it has in `before`. Refused if the identity or its credential has ended since the request was
/// authenticated.
pub(super) fn as_of(actor: &Actor, now: i64, before: &State) -> Result<Actor, Refusal> {
    let identity = before.identities.get(&actor.identity).filter(|identity| identity.is_active(now));
    let credential = before.credentials.get(&actor.credential);
    let holds = credential.is_some_and(|credential| credential.identity == actor.identity);
    match identity {
        Some(Identity { kind, role, .. }) if holds && actor.org == before.org => {
            Ok(Actor { kind: *kind, role: *role, ..*actor })
        }
        _ => Err(Refusal::Forbidden),
    }
}

/// Checks that the write contains nothing that `actor` may not decide, and leaves an owner.
pub(super) fn check(
    actor: &Actor,
    now: i64,
    before: &State,
    after: &State,
    request: &WriteRequest,
) -> Result<(), Refusal> {
    let touched = touched(before, after);
    let owner_acts = actor.role == Role::Owner;
    let high = touches_administrators(&touched, before, after)
        || drops_administrators(before, request)
        || !request.roots.is_empty()
        || request.epoch.is_some();
    if !owner_acts && (high || escrows_for_owners(after, request)) {
        return Err(Refusal::Forbidden);
    }
    if (high || changes_roles(&touched, before, after)) && !actor.proved_password(now) {
        return Err(Refusal::PasswordNeeded);
    }
    // S6. An owner with an expiry date would be gone some day, and the organisation with it.
    let stays = |identity: &Identity| identity.role == Role::Owner && identity.not_after.is_none();
    ensure(after.identities.values().any(stays), || "delta".to_owned(), "the last owner stays, for good")?;
    if touched.contains(&actor.identity) { Err(Refusal::Forbidden) } else { Ok(()) }
}

/// Identities added, removed or changed.
fn touched(before: &State, after: &State) -> BTreeSet<IdentityId> {
    let all = before.identities.keys().chain(after.identities.keys());
    all.filter(|id| before.identities.get(id) != after.identities.get(id)).copied().collect()
}

fn administers(state: &State, id: IdentityId) -> bool {
    state.identities.get(&id).is_some_and(|identity| identity.role.administers())
}

fn touches_administrators(touched: &BTreeSet<IdentityId>, before: &State, after: &State) -> bool {
    touched.iter().any(|id| administers(before, *id) || administers(after, *id))
}

fn changes_roles(touched: &BTreeSet<IdentityId>, before: &State, after: &State) -> bool {
    let role = |state: &State, id| state.identities.get(id).map(|identity| identity.role);
    touched.iter().any(|id| matches!((role(before, id), role(after, id)), (Some(was), Some(is)) if was != is))
}

/// Whether the write drops a credential of an owner or admin.
fn drops_administrators(before: &State, request: &WriteRequest) -> bool {
    let dropped = request.drop_credentials.iter().filter_map(|id| before.credentials.get(id));
    dropped.into_iter().any(|credential| administers(before, credential.identity))
}

/// Whether the write has an escrow under the root key, or one of an owner's or admin's key.
fn escrows_for_owners(after: &State, request: &WriteRequest) -> bool {
    request.escrows.iter().any(|escrow| escrow.creator.is_none() || administers(after, escrow.identity))
}
