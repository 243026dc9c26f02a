//! The credentials that identities sign in with, and the envelopes that open their keys: ESCROW, ROOT, ORGKEY_*, epoch (CRYPTO.md
//! §2.13 F4, F7, F13).

use keyward_wire::IdentityId;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::{RootKind, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};

use crate::access::state::{Credential, Escrow};
use crate::access::{Actor, Refusal, State, credential, ensure};

/// Applies `credentials`, `drop_credentials`, `escrows` and `epoch` to `after`; `roots` must be complete.
pub(super) fn apply(
    actor: &Actor,
    now: i64,
    before: &State,
    request: &WriteRequest,
    after: &mut State,
) -> Result<(), Refusal> {
    drop_credentials(actor, before, request, after)?;
    add_credentials(now, before, request, after)?;
    escrows(actor, before, request, after)?;
    epoch(request, after)?;
    roots(before, request, after)
}

/// ROOT and ORGKEY_ADMIN of the identities that this write makes owner or admin no more.
pub(super) fn dropped_roots(before: &State, after: &State) -> Vec<(RootKind, IdentityId)> {
    let mut dropped = Vec::new();
    for kind in [RootKind::Root, RootKind::OrgkeyAdmin] {
        let gone =
            before.identities.keys().filter(|id| holds(before, **id, kind) && !holds(after, **id, kind));
        dropped.extend(gone.map(|id| (kind, *id)));
    }
    dropped
}

fn drop_credentials(
    actor: &Actor,
    before: &State,
    request: &WriteRequest,
    after: &mut State,
) -> Result<(), Refusal> {
    for (i, id) in request.drop_credentials.iter().enumerate() {
        let field = || format!("drop_credentials[{i}]");
        let gone = before.credentials.get(id).ok_or_else(|| Refusal::at(field(), "no such credential"))?;
        ensure(gone.identity != actor.identity, field, "one's own credentials are not part of a write")?;
        let kit = gone.kind == CredentialKind::Recovery;
        ensure(!kit, field, "a recovery kit is replaced, never dropped")?;
        after.credentials.remove(id);
    }
    Ok(())
}

/// Adds tokens of API users and gateways. A new token is a rotation: every older credential of the identity ends (S9).
fn add_credentials(
    now: i64,
    before: &State,
    request: &WriteRequest,
    after: &mut State,
) -> Result<(), Refusal> {
    for (i, new) in request.credentials.iter().enumerate() {
        let at = format!("credentials[{i}].");
        let taken = before.credentials.contains_key(&new.id) || after.credentials.contains_key(&new.id);
        ensure(!taken, || format!("{at}id"), "the id is taken")?;
        ensure(
            new.kind == CredentialKind::Token,
            || format!("{at}kind"),
            "made for others, credentials are tokens",
        )?;
        let machine = after
            .identities
            .get(&new.identity)
            .is_some_and(|identity| matches!(identity.kind, IdentityKind::Api | IdentityKind::Gateway));
        ensure(
            machine,
            || format!("{at}identity"),
            "tokens are for API users and gateways of this organisation",
        )?;
        credential::check(new, &at, now)?;
        after.credentials.retain(|_, older| older.identity != new.identity);
        after.credentials.insert(new.id, Credential { identity: new.identity, kind: new.kind });
    }
    Ok(())
}

/// Stores escrows: sealed by the identity's creator, or under the root key. An existing escrow is replaced only by an owner, or
/// together with the key that it holds.
fn escrows(actor: &Actor, before: &State, request: &WriteRequest, after: &mut State) -> Result<(), Refusal> {
    for (i, new) in request.escrows.iter().enumerate() {
        let field = || format!("escrows[{i}]");
        let known = after.identities.contains_key(&new.identity);
        ensure(known, field, "no such identity in this organisation")?;
        let own = new.creator.is_none_or(|creator| creator == actor.identity);
        ensure(own, field, "an escrow is under the writer's own key or the root key")?;
        let former = before.escrows.get(&new.identity);
        let newer = former.is_none_or(|former| former.ik_gen < new.ik_gen);
        ensure(
            newer || actor.role == Role::Owner,
            field,
            "only an owner replaces the escrow of the same key",
        )?;
        after.escrows.insert(new.identity, Escrow { creator: new.creator, ik_gen: new.ik_gen });
    }
    Ok(())
}

fn epoch(request: &WriteRequest, after: &mut State) -> Result<(), Refusal> {
    let Some(new) = &request.epoch else { return Ok(()) };
    let next = after.epoch.checked_add(1) == Some(new.epoch);
    ensure(next, || "epoch".to_owned(), "not the next epoch")?;
    after.epoch = new.epoch;
    Ok(())
}

/// Checks that each root envelope is for somebody who may hold it, and that nobody is left without one: a new epoch needs all
/// ORGKEYs anew, a new owner or admin needs an ORGKEY of his own.
fn roots(before: &State, request: &WriteRequest, after: &State) -> Result<(), Refusal> {
    for (i, root) in request.roots.iter().enumerate() {
        let field = || format!("roots[{i}]");
        let place = match root.identity {
            None => root.kind == RootKind::OrgkeyRoot,
            Some(identity) => holds(after, identity, root.kind),
        };
        ensure(place, field, "not for this identity")?;
        let generation = root.kind == RootKind::Root || root.generation == after.epoch;
        ensure(generation, field, "not of this epoch")?;
    }
    let sent =
        |kind, identity| request.roots.iter().any(|root| root.kind == kind && root.identity == identity);
    let rotated = request.epoch.is_some();
    let missing = |kind, id: &IdentityId, anew: bool| {
        holds(after, *id, kind) && (anew || !holds(before, *id, kind)) && !sent(kind, Some(*id))
    };
    let complete = (!rotated || sent(RootKind::OrgkeyRoot, None))
        && after
            .identities
            .keys()
            .all(|id| !missing(RootKind::Root, id, false) && !missing(RootKind::OrgkeyAdmin, id, rotated));
    ensure(
        complete,
        || "roots".to_owned(),
        "an owner or admin would be without ROOT or ORGKEY_ADMIN, or the epoch without ORGKEY_ROOT",
    )
}

/// Whether an identity holds this kind of root envelope: owners hold ROOT, owners and admins hold ORGKEY_ADMIN. ORGKEY_ROOT is
/// nobody's.
fn holds(state: &State, id: IdentityId, kind: RootKind) -> bool {
    state.identities.get(&id).is_some_and(|identity| match kind {
        RootKind::Root => identity.role == Role::Owner,
        RootKind::OrgkeyAdmin => identity.role.administers(),
        RootKind::OrgkeyRoot => false,
    })
}
