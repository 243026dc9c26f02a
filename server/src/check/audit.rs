//! Checks the audit chain, from its beginning to the head that the organisation's row names (CRYPTO.md §2.11), and that the index
//! beside it, by which filters find entries, is what the entries say.

use std::collections::BTreeSet;

use keyward_wire::Sha256;
use keyward_wire::api::audit::{AuditRecord, genesis, link};

use super::Report;
use crate::audit::{index_of, lists_keys_beside};
use crate::store::{AuditRow, ObjectKind, ObjectPage, ObjectRow, OrgRow, StoreError, Tx};

pub(super) async fn check(tx: &mut Tx, org: &OrgRow, report: &mut Report<'_>) -> Result<(), StoreError> {
    let (mut seq, mut head) = (0, genesis(org.id));
    let mut index = Index::default();
    loop {
        let rows = tx.stored_audit(org.id, seq).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            entry(&row, seq, head, &mut index, report);
            // The chain is followed on from the stored hash: one broken link is one finding.
            (seq, head) = (row.seq, row.hash);
            report.checked.audit_entries += 1;
        }
    }
    if (seq, head) != (org.audit_seq, org.audit_hash) {
        let at = format!("audit:{seq}");
        report.add(at, format!("the chain ends here, its head is noted as entry {}", org.audit_seq));
    }
    if stored_index(tx, org, &index).await? != index.said {
        report.add(
            "audit_objects",
            "the index is not what the entries say: filters miss entries, or find others",
        );
    }
    Ok(())
}

/// What the entries say that the index must have.
#[derive(Default)]
struct Index {
    said: Rows,
    /// Entries beside which the index also has keys that they do not name: the entry alone does not say which.
    with_keys: BTreeSet<u64>,
}

/// Rows of the index without their order: their number, and the sum of their hashes. An index has as many rows as the audit has
/// entries, too many to be held.
#[derive(Default, PartialEq, Eq)]
struct Rows {
    count: u64,
    sum: u128,
}

impl Rows {
    fn add(&mut self, seq: u64, row: &ObjectRow) {
        let kind = [row.kind as u8];
        let parts: [&[u8]; 4] = [&seq.to_be_bytes(), &kind, &row.id, &row.view_seq.to_be_bytes()];
        let hash = Sha256::of_parts(&parts);
        let (half, _) = hash.as_bytes().split_first_chunk().expect("32 bytes");
        self.count += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(*half));
    }
}

async fn stored_index(tx: &mut Tx, org: &OrgRow, index: &Index) -> Result<Rows, StoreError> {
    let (mut stored, mut page) = (Rows::default(), ObjectPage::default());
    loop {
        let rows = tx.stored_audit_objects(org.id, &mut page).await?;
        if rows.is_empty() {
            return Ok(stored);
        }
        for (seq, row) in rows {
            if row.kind != ObjectKind::Key || !index.with_keys.contains(&seq) {
                stored.add(seq, &row);
            }
        }
    }
}

fn entry(row: &AuditRow, before: u64, head: Sha256, index: &mut Index, report: &mut Report<'_>) {
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
    for object in index_of(&record.objects) {
        index.said.add(row.seq, &object);
    }
    if lists_keys_beside(&record) {
        index.with_keys.insert(row.seq);
    }
}
