//! Walking the log in pages, each verified before anything of it is used.

use keyward_wire::api::audit::{AuditAnswer, AuditEntry, AuditQuery, AuditRecord, genesis};
use keyward_wire::api::org::AuditHead;
use keyward_wire::limits::AUDIT_PAGE;

use crate::api::{Api, ApiError};
use crate::fault::Fault;
use crate::vault::admin::OpenOrg;
use crate::vault::audit::{Anchor, Chain};

/// What somebody came back in with the recovery kit is recorded as.
pub(super) const RECOVERED: &str = "org.recovered";

/// Begins at `start`, or where trust begins if that is earlier: the older of what this client verified and what the writer of
/// ORG saw.
pub(super) fn beginning(opened: &OpenOrg<'_>, start: Option<u64>) -> Chain {
    let org = opened.org.org;
    let sealed =
        Anchor { head: opened.org.audit_head, seen_by: "the last writer of the organisation's state" };
    let known = opened.known_audit_head().unwrap_or(AuditHead { seq: 0, hash: genesis(org) });
    let known = Anchor { head: known, seen_by: "this client" };
    let trusted = known.head.seq.min(sealed.head.seq);
    Chain::new(org, start.map_or(trusted, |start| start.min(trusted)), [known, sealed])
}

/// Walks the log up to the end that the server stated in its first answer. `each` is called with verified entries only.
pub(super) async fn walk(
    api: &Api,
    chain: &mut Chain,
    stated: AuditHead,
    mut each: impl FnMut(&AuditEntry, &AuditRecord) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    chain.stated(stated).map_err(Fault::from)?;
    let mut limit = AUDIT_PAGE;
    loop {
        let query = AuditQuery { after: Some(chain.after()), ..AuditQuery::default() };
        let page = page(api, &query, &mut limit).await?;
        chain.stated(page.head).map_err(Fault::from)?;
        let before = chain.verified();
        chain.extend(&page.entries).map_err(Fault::from)?;
        // The first entry of all may only be what the second is held against.
        let unverified = page.entries.len() as u64 - (chain.verified() - before);
        for entry in page.entries.iter().skip(usize::try_from(unverified).unwrap_or(0)) {
            each(entry, &record(entry)?)?;
        }
        if page.entries.is_empty() || chain.after() >= page.head.seq {
            return Ok(());
        }
    }
}

/// A page; smaller ones if they do not fit an answer: entries differ in size by a factor of thousands.
pub(super) async fn page(api: &Api, query: &AuditQuery, limit: &mut u32) -> anyhow::Result<AuditAnswer> {
    loop {
        match api.audit(&AuditQuery { limit: Some(*limit), ..query.clone() }).await {
            Err(ApiError::TooLarge) if *limit > 1 => *limit /= 8,
            other => return Ok(other.map_err(Fault::from)?),
        }
    }
}

/// The content of an entry.
pub(super) fn record(entry: &AuditEntry) -> anyhow::Result<AuditRecord> {
    Ok(keyward_wire::json::from_slice(entry.entry.as_bytes())
        .map_err(|_| Fault::from(ApiError::Malformed))?)
}
