//! Reading the audit: owners and admins (CRYPTO.md §2.11).

use keyward_wire::api::audit::{AuditAnswer, AuditEntry, AuditQuery};
use keyward_wire::limits::{ANSWER_BYTES, AUDIT_PAGE};

use super::{Answer, Call, Failure, Work, answer};
use crate::access::Action;
use crate::audit::Event;
use crate::store::{AuditFilter, AuditRow};

/// A run of the audit chain, oldest first. Filters drop entries, so only an unfiltered run can be verified.
#[utoipa::path(get, path = "/v1/audit", operation_id = "audit", tag = "audit", params(AuditQuery), responses(
    (status = 200, description = "Entries, and the head before this request's own", body = AuditAnswer),
))]
pub(super) async fn read(call: Call, mut work: Work) -> Answer {
    let permit = work.permit(Action::ReadAudit)?;
    let query: AuditQuery = call.query()?;
    let filter = AuditFilter {
        after: query.after.unwrap_or(0),
        since: query.since,
        identity: query.identity,
        key: query.key,
    };
    let limit = query.limit.unwrap_or(AUDIT_PAGE);
    if limit > AUDIT_PAGE {
        return Err(Failure::invalid("More entries than one answer has.", "limit"));
    }
    let rows = work.tx.audit(&permit, &filter, limit).await?;
    let answer = AuditAnswer { entries: fitting(rows), head: work.audit_head() };
    work.answer(&[Event::audit_read()], answer::ok(&answer)).await
}

/// As many entries as one answer can hold, and one at least: an entry can name thousands of ids, and quoting it in JSON lengthens
/// it.
fn fitting(rows: Vec<AuditRow>) -> Vec<AuditEntry> {
    let mut bytes = 0;
    let fits = |row: &AuditRow| {
        let first = bytes == 0;
        bytes += 2 * row.entry.len() + 128;
        first || bytes <= ANSWER_BYTES
    };
    let rows = rows.into_iter().take_while(fits);
    rows.map(|row| AuditEntry { seq: row.seq, entry: row.entry, hash: row.hash }).collect()
}
