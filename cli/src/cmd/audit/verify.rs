//! `keyward audit verify`.

use clap::Args;
use keyward_wire::api::audit::{AuditQuery, genesis};
use keyward_wire::api::org::AuditHead;
use keyward_wire::limits::AUDIT_PAGE;
use serde_json::json;

use crate::api::{Api, ApiError};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::vault::admin::{Desk, Session};
use crate::vault::audit::{Anchor, Chain, Changed};

/// Verify that the audit log only grew since this client, or the last admin who wrote, saw it
///
/// Looks from the entry on that was verified last. The log is tamper-evident, not tamper-proof: what the server left out
/// before anybody looked, nobody can tell.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward audit verify\n  keyward audit verify --all")]
pub struct Options {
    /// Look from the log's beginning on
    #[arg(long)]
    all: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let desk = session.open(ctx).await?;
        let mut chain = beginning(&desk, self.all);
        walk(&session.api, &mut chain, desk.audit_head).await?;
        let entries = chain.verified();
        let head = chain.finish().map_err(Fault::from)?;
        desk.remember_audit(ctx, head);
        let AuditHead { seq, hash } = head;
        if ctx.out.json {
            return ctx.out.json(&json!({ "entries": entries, "head": { "seq": seq, "hash": hash } }));
        }
        let noun = if entries == 1 { "entry" } else { "entries" };
        ctx.out.line(&format!("{entries} {noun}, unbroken; head {seq}:{hash}"))
    }
}

/// From the older of the two heads that are trusted: what this client verified, and what the writer of ORG saw.
fn beginning(desk: &Desk<'_>, all: bool) -> Chain {
    let org = desk.org.org;
    let sealed = Anchor { head: desk.org.audit_head, seen_by: "the last writer of the organisation's state" };
    let known = desk.known_audit_head().unwrap_or(AuditHead { seq: 0, hash: genesis(org) });
    let known = Anchor { head: known, seen_by: "this client" };
    let start = if all { 0 } else { known.head.seq.min(sealed.head.seq) };
    Chain::new(org, start, [known, sealed])
}

/// Up to where the server says that the log ends, as of its first answer.
async fn walk(api: &Api, chain: &mut Chain, stated: AuditHead) -> anyhow::Result<()> {
    chain.stated(stated).map_err(Fault::from)?;
    let mut limit = AUDIT_PAGE;
    loop {
        let query = AuditQuery { after: Some(chain.after()), limit: Some(limit), ..AuditQuery::default() };
        let page = match api.audit(&query).await {
            // Entries differ in size by a factor of thousands.
            Err(ApiError::TooLarge) if limit > 1 => {
                limit /= 8;
                continue;
            }
            other => other.map_err(Fault::from)?,
        };
        chain.stated(page.head).map_err(Fault::from)?;
        chain.extend(&page.entries).map_err(Fault::from)?;
        if page.entries.is_empty() || chain.after() >= page.head.seq {
            return Ok(());
        }
    }
}

impl From<Changed> for Fault {
    fn from(changed: Changed) -> Self {
        Self::new(Code::Stale, changed.to_string()).next(
            "an old backup may have been restored, or somebody covers tracks: ask the server's operator",
        )
    }
}
