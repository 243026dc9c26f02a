//! Checks the audit chain, from its beginning to the head that the organisation's row names (CRYPTO.md §2.11).

use keyward_wire::Sha256;
use keyward_wire::api::audit::{AuditRecord, genesis, link};

use super::Report;
use crate::store::{AuditRow, OrgRow, StoreError, Tx};

pub(super) async fn check(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    let (mut seq, mut head) = (0, genesis(org.id));
    loop {
        let rows = tx.stored_audit(org.id, seq).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            entry(&row, seq, head, report);
            // The chain is followed on from the stored hash: one broken link is one finding.
            (seq, head) = (row.seq, row.hash);
            report.checked.audit_entries += 1;
        }
    }
    if (seq, head) != (org.audit_seq, org.audit_hash) {
        let at = format!("audit:{seq}");
        report.add(at, format!("the chain ends here, its head is noted as entry {}", org.audit_seq));
    }
    Ok(())
}

fn entry(row: &AuditRow, before: u64, head: Sha256, report: &mut Report<'_>) {
    let at = || format!("audit:{}", row.seq);
    if row.seq != before + 1 {
        report.add(at(), format!("entries are missing between {before} and this one"));
    } else if link(head, &row.entry) != row.hash {
        report.add(at(), "the link to the entry before it is broken");
    }
    let Ok(record) = serde_json::from_str::<AuditRecord>(&row.entry) else {
        report.add(at(), "the entry cannot be read");
        return;
    };
    if (record.seq, record.time, record.actor) != (row.seq, row.time, row.actor) {
        report.add(at(), "seq, time or actor beside the entry are not those in it");
    }
}
