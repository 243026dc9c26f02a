//! May this write be applied, and what follows from it (CRYPTO.md §2.12 S1, S2, S4–S6, §1 I9)?
//!
//! The write is refused as a whole or applied as a whole. Each file checks one idea against the state before and the state after.
//! The store then applies the difference of the two.

mod delta;
mod diff;
mod enrol;
mod event;
mod headers;
pub mod recovery;
mod rights;
mod secrets;
mod size;
mod views;

use keyward_wire::api::write::{NewGrant, RootKind, WriteRequest};
use keyward_wire::{IdentityId, OrgId};

pub use self::diff::{Diff, Rows};
pub use self::event::Event;
use super::role::{self, Action};
use super::{Actor, Refusal, State};

/// A write that may be applied, and everything that follows from it. Made only by [`check`].
///
/// To apply it, in the transaction that `before` was read in: delete the rows that [`Diff`] lists as removed, put those that it
/// lists as added or changed, then store the envelopes of the request (ORG, `secrets`, `views`, [`Change::grants`],
/// `credentials`, `escrows`, `roots`), each replacing the one under its id; delete [`Change::dropped_roots`]; set seq and epoch.
#[derive(Debug, Clone)]
pub struct Change {
    org: OrgId,
    actor: IdentityId,
    after: State,
    diff: Diff,
    events: Vec<Event>,
    dropped_roots: Vec<(RootKind, IdentityId)>,
}

impl Change {
    /// The organisation that the write is for.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The identity that writes.
    pub fn actor(&self) -> IdentityId {
        self.actor
    }

    /// The state after the write.
    pub fn after(&self) -> &State {
        &self.after
    }

    /// The rows in which the states before and after differ.
    pub fn diff(&self) -> &Diff {
        &self.diff
    }

    /// The audit entries of the write: never empty.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// ROOT and ORGKEY_ADMIN of the identities that this write removes, or makes owner or admin no more.
    pub fn dropped_roots(&self) -> &[(RootKind, IdentityId)] {
        &self.dropped_roots
    }

    /// The grants to store. A grant for an identity that has just ended is left out: such an identity stays without one.
    pub fn grants<'r>(&self, request: &'r WriteRequest) -> impl Iterator<Item = &'r NewGrant> {
        request.grants.iter().filter(|grant| self.after.grants.contains_key(&grant.identity))
    }
}

/// May `actor` apply `request` to `before` at `now` (milliseconds UTC, the database's clock)?
///
/// The actor's role is taken from `before`, so a demotion that was committed in the meantime counts. The store, which holds ORG,
/// checks that `base.sha256` is the hash of the stored one.
pub fn check(actor: &Actor, now: i64, before: &State, request: &WriteRequest) -> Result<Change, Refusal> {
    let actor = rights::as_of(actor, now, before)?;
    role::permit(&actor, Action::WriteOrg, now)?;
    let seq = next_seq(before, request.base.seq)?;
    headers::check(request, seq)?;

    let mut after = State { seq, ..before.clone() };
    delta::apply(before, &request.delta, &mut after)?;
    rights::check(&actor, now, before, &after, request)?;
    secrets::apply(before, request, &mut after)?;
    enrol::apply(&actor, now, before, request, &mut after)?;
    views::apply(now, before, request, &mut after)?;
    size::check(request, &after)?;

    let diff = Diff::between(before, &after);
    let events = event::derive(before, &after, &diff, request);
    let dropped_roots = enrol::dropped_roots(before, &after);
    Ok(Change { org: before.org, actor: actor.identity, after, diff, events, dropped_roots })
}

fn next_seq(before: &State, base: u64) -> Result<u64, Refusal> {
    if base != before.seq {
        return Err(Refusal::Conflict);
    }
    before.seq.checked_add(1).ok_or(Refusal::Conflict)
}

#[cfg(test)]
mod tests;
