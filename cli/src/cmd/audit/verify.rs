//! `keyward audit verify`.

use clap::Args;
use keyward_crypto::state::org::{Org, RECOVERIES};
use keyward_wire::api::audit::AuditRecord;
use keyward_wire::api::org::AuditHead;
use serde_json::json;

use super::pages::{RECOVERED, beginning, walk};
use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault};
use crate::vault::admin::Session;
use crate::vault::audit::Changed;

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
        let opened = session.open(ctx).await?;
        let mut chain = beginning(&opened, self.all.then_some(0));
        walk(&session.api, &mut chain, opened.audit_head, |_, record| {
            if is_hidden_recovery(&opened.org, record) {
                ctx.out.warn(&format!(
                    "entry {} says that the organisation was recovered with its recovery kit at {}, and the \
                     organisation's state says nothing of it: somebody hides it",
                    record.seq,
                    rfc3339(record.time)
                ));
            }
            Ok(())
        })
        .await?;
        let entries = chain.verified();
        let head = chain.finish().map_err(Fault::from)?;
        opened.remember_audit(ctx, head);
        let AuditHead { seq, hash } = head;
        if ctx.out.json {
            return ctx.out.json(&json!({ "entries": entries, "head": { "seq": seq, "hash": hash } }));
        }
        let noun = if entries == 1 { "entry" } else { "entries" };
        ctx.out.line(&format!("{entries} {noun}, unbroken; head {seq}:{hash}"))
    }
}

/// ORG lists every recovery by an honest client, so that the server cannot leave it out; the log has every one that an honest
/// server carried out, so that a client of the thief's own cannot. ORG forgets old ones where there are many.
fn is_hidden_recovery(org: &Org, record: &AuditRecord) -> bool {
    let is_listed =
        |object: &String| org.recoveries.iter().any(|one| *object == format!("identity:{}", one.identity));
    record.action == RECOVERED && org.recoveries.len() < RECOVERIES && !record.objects.iter().any(is_listed)
}

impl From<Changed> for Fault {
    fn from(changed: Changed) -> Self {
        Self::new(Code::Stale, changed.to_string()).next(
            "an old backup may have been restored, or somebody covers tracks: ask the server's operator",
        )
    }
}
