//! May this recovery be applied (CRYPTO.md §2.13 F15, §2.12 S9)?
//!
//! A session made with the kit may do one thing: add one more owner, complete, and a new kit in the place of the former one. The
//! request has no room for another relation, so none can be smuggled in; its content becomes a write like any other. An
//! organisation has one kit: whatever kit there was ends.

use keyward_wire::Purpose;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::recovery::RecoveryRequest;
use keyward_wire::api::write::{Delta, RootKind, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};

use super::{Change, Diff, Event, delta, event, rights, size};
use crate::access::role::{self, Action};
use crate::access::state::{Credential, Escrow};
use crate::access::{Actor, Refusal, State, ensure, owner};

/// May `actor` apply `request` to `before` at `now` (milliseconds UTC, the database's clock)? Returns the change, and the write
/// that carries it.
///
/// The store, which holds ORG, checks that `base.sha256` is the hash of the stored one.
pub fn check(
    actor: &Actor,
    now: i64,
    before: &State,
    request: RecoveryRequest,
) -> Result<(Change, WriteRequest), Refusal> {
    let actor = rights::as_of(actor, now, before)?;
    role::permit(&actor, Action::Recover, now)?;
    let seq = super::next_seq(before, request.base.seq)?;
    well_formed(now, before, &request)?;

    let write = as_write(&actor, request);
    let mut after = State { seq, ..before.clone() };
    delta::apply(before, &write.delta, &mut after)?;
    after.credentials.retain(|_, former| former.kind != CredentialKind::Recovery);
    for new in &write.credentials {
        let taken = after.credentials.insert(new.id, Credential { identity: new.identity, kind: new.kind });
        let fresh = taken.is_none() && !before.credentials.contains_key(&new.id);
        ensure(fresh, || "credentials".to_owned(), "the id is taken")?;
    }
    for new in &write.escrows {
        after.escrows.insert(new.identity, Escrow { creator: new.creator, ik_gen: new.ik_gen });
    }
    size::check(&write, &after)?;

    let diff = Diff::between(before, &after);
    let mut events = vec![recovered(&actor, &write)];
    events.extend(event::derive(before, &after, &diff, &write));
    let change =
        Change { org: before.org, actor: actor.identity, after, diff, events, dropped_roots: Vec::new() };
    Ok((change, write))
}

fn well_formed(now: i64, before: &State, request: &RecoveryRequest) -> Result<(), Refusal> {
    let unknown = !before.identities.contains_key(&request.identity);
    ensure(unknown, || "identity".to_owned(), "somebody is there already")?;
    let org = request.org.purpose() == Purpose::Org;
    ensure(org, || "org".to_owned(), "an envelope of another purpose")?;
    owner::credentials(&request.credentials, request.identity, now)?;
    owner::escrow(&request.escrow, request.identity)?;
    let new = Some(request.identity);
    owner::roots(
        &request.roots,
        &[(RootKind::Root, new), (RootKind::OrgkeyAdmin, new)],
        before.epoch,
        "ROOT and ORGKEY_ADMIN of the new owner, of this epoch",
    )
}

fn as_write(actor: &Actor, request: RecoveryRequest) -> WriteRequest {
    WriteRequest {
        base: request.base,
        org: request.org,
        delta: vec![Delta::AddIdentity {
            id: request.identity,
            kind: IdentityKind::Human,
            role: Role::Owner,
            not_after: None,
            email: Some(request.email),
        }],
        secrets: Vec::new(),
        drop_secrets: Vec::new(),
        views: Vec::new(),
        drop_views: Vec::new(),
        grants: Vec::new(),
        credentials: request.credentials,
        drop_credentials: vec![actor.credential],
        escrows: vec![request.escrow],
        roots: request.roots,
        epoch: None,
    }
}

/// The audit entry of a recovery. It has a name of its own and stands before the entries that follow from the difference, so that
/// recoveries can be searched for.
fn recovered(actor: &Actor, write: &WriteRequest) -> Event {
    let new = write.escrows.iter().map(|escrow| format!("identity:{}", escrow.identity));
    Event {
        action: "org.recovered",
        objects: new.chain([format!("credential:{}", actor.credential)]).collect(),
    }
}
