//! One transaction for a group of requests: their organisations are locked, each proof is checked, each request whose answer is
//! still right gets its audit entry, and everything is committed at once.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::OrgId;
use keyward_wire::api::org::AuditHead;

use super::Read;
use crate::access::{Action, permit};
use crate::audit::{self, Origin};
use crate::auth::{self, Held};
use crate::store::{OrgRow, Store, StoreError, Tx};

/// A request whose audit entry is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Seq and hash of the request's own entry.
    pub(crate) head: AuditHead,
    /// Whether an owner or admin asked.
    pub(crate) administers: bool,
}

/// Records `reads`, and returns for each, in their order: recorded, or `None` if its answer is out of date.
pub(super) async fn record(store: &Store, reads: &[Read]) -> Result<Vec<Option<Recorded>>, StoreError> {
    let mut recorded = vec![None; reads.len()];
    if reads.is_empty() {
        return Ok(recorded);
    }
    let mut tx = store.begin().await?;
    let mut orgs = lock(&mut tx, reads).await?;
    let now = tx.now().await?;
    let claims: Vec<_> = reads.iter().map(|read| read.claim).collect();
    let held = auth::hold(&mut tx, &claims, now).await?;
    for org in orgs.values_mut() {
        let right: Vec<_> = right(*org, reads, &held, now).collect();
        let entries: Vec<_> = right.iter().map(|(_, read, held)| (origin(read, held), event(read))).collect();
        let heads = audit::append_all(&mut tx, org, now, &entries).await?;
        for ((at, _, held), head) in right.iter().zip(heads) {
            recorded[*at] = Some(Recorded { head, administers: held.actor.role.administers() });
        }
    }
    let used = held.into_iter().zip(&recorded).filter(|(_, recorded)| recorded.is_some());
    auth::touch_all(&mut tx, used.filter_map(|(held, _)| held), now).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// Locks each organisation once, in the order of their ids, so that groups of several processes do not deadlock.
async fn lock(tx: &mut Tx, reads: &[Read]) -> Result<BTreeMap<OrgId, OrgRow>, StoreError> {
    let mut orgs = BTreeMap::new();
    for id in reads.iter().map(|read| read.answer.org).collect::<BTreeSet<_>>() {
        if let Some(org) = tx.lock_org(id).await? {
            orgs.insert(id, org);
        }
    }
    Ok(orgs)
}

/// The requests of an organisation whose cached answer is the answer that they would get now.
fn right<'a>(
    org: OrgRow,
    reads: &'a [Read],
    held: &'a [Option<Held>],
    now: i64,
) -> impl Iterator<Item = (usize, &'a Read, &'a Held)> {
    let held = reads.iter().zip(held).enumerate();
    held.filter_map(|(at, (read, held))| Some((at, read, held.as_ref()?))).filter(move |(_, read, held)| {
        held.actor.org == org.id
            && read.answer.is_of(&org, held.actor.identity, &held.cred)
            && permit(&held.actor, Action::ReadOwnBundle, now).is_ok()
    })
}

fn origin(read: &Read, held: &Held) -> Origin {
    Origin { actor: Some(held.actor.identity), ip: read.ip }
}

fn event(read: &Read) -> &audit::Event {
    read.answer.event(read.changed)
}
