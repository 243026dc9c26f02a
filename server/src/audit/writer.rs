//! The one place that writes the chain: entry, link and head, in the transaction of the recorded event.

use std::net::IpAddr;

use keyward_wire::IdentityId;
use keyward_wire::api::audit::{AuditRecord, link};
use keyward_wire::api::org::AuditHead;

use super::Event;
use crate::store::{AuditRow, OrgRow, StoreError, Tx};

/// Who acted, and from which address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The identity that acted. `None` if nobody has proved to be anybody.
    pub(crate) actor: Option<IdentityId>,
    /// The address that the request came from.
    pub(crate) ip: Option<IpAddr>,
}

/// Appends `h_n = SHA-256(h_(n-1) ‖ entry)` for each event, in order. `org` is locked, and its head moves along.
///
/// The entries are durable when `tx` is committed, which is before any answer leaves (S8).
pub(crate) async fn append(
    tx: &mut Tx,
    org: &mut OrgRow,
    now: i64,
    origin: Origin,
    events: &[Event],
) -> Result<AuditHead, StoreError> {
    let entries: Vec<_> = events.iter().map(|event| (origin, event)).collect();
    append_all(tx, org, now, &entries).await?;
    Ok(AuditHead { seq: org.audit_seq, hash: org.audit_hash })
}

/// Appends entries for what several requests have done. Returns the head after each entry: its own seq and hash.
pub(crate) async fn append_all(
    tx: &mut Tx,
    org: &mut OrgRow,
    now: i64,
    entries: &[(Origin, &Event)],
) -> Result<Vec<AuditHead>, StoreError> {
    let (mut rows, mut objects) = (Vec::with_capacity(entries.len()), Vec::new());
    for (origin, event) in entries {
        let row = entry(org, now, *origin, event);
        objects.extend(event.index().into_iter().map(|object| (row.seq, object)));
        (org.audit_seq, org.audit_hash) = (row.seq, row.hash);
        rows.push(row);
    }
    tx.append_audit(org.id, &rows, &objects).await?;
    Ok(rows.iter().map(|row| AuditHead { seq: row.seq, hash: row.hash }).collect())
}

fn entry(org: &OrgRow, now: i64, origin: Origin, event: &Event) -> AuditRow {
    let seq = org.audit_seq + 1;
    let record = AuditRecord {
        seq,
        time: now,
        actor: origin.actor,
        action: event.action.to_owned(),
        objects: event.objects.clone(),
        ip: origin.ip.map(|ip| ip.to_canonical().to_string()),
    };
    let entry = serde_json::to_string(&record).expect("strings and numbers are JSON");
    let hash = link(org.audit_hash, &entry);
    AuditRow { seq, time: now, actor: origin.actor, entry, hash }
}
