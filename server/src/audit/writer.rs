//! The one place that writes the chain: entry, link, head, in the transaction of what happened.

use std::net::IpAddr;

use keyward_wire::IdentityId;
use keyward_wire::api::audit::{AuditRecord, link};
use keyward_wire::api::org::AuditHead;

use super::Event;
use crate::store::{AuditRow, OrgRow, StoreError, Tx};

/// Who and from where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// Who; none where nobody has proved to be anybody.
    pub(crate) actor: Option<IdentityId>,
    /// From where.
    pub(crate) ip: Option<IpAddr>,
}

/// `h_n = SHA-256(h_(n-1) ‖ entry)` for each event, in order; `org` is locked and its head moves along.
///
/// Durable when `tx` is committed, which is before any answer leaves (S8).
pub(crate) async fn append(
    tx: &mut Tx,
    org: &mut OrgRow,
    now: i64,
    origin: Origin,
    events: &[Event],
) -> Result<AuditHead, StoreError> {
    for event in events {
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
        let row = AuditRow { seq, time: now, actor: origin.actor, entry, hash };
        tx.append_audit(org.id, &row, &event.index()).await?;
        (org.audit_seq, org.audit_hash) = (seq, hash);
    }
    Ok(AuditHead { seq: org.audit_seq, hash: org.audit_hash })
}
