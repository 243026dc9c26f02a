//! `keyward org heartbeat`.

use clap::Args;
use serde_json::json;

use crate::ctx::Ctx;
use crate::vault::admin::Session;

/// Tell every reader that the present state is current
///
/// Clients that insist on a fresh state (--max-age) refuse one that nobody confirmed for too long. Run this as often as
/// they ask for.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward org heartbeat")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (seq, readers) = session
            .write(ctx, async |draft, _| {
                draft.regrant_all();
                Ok((draft.seq(), draft.org.readers().count()))
            })
            .await?;
        ctx.out.say(&format!("the state is confirmed as current to {readers} readers, at seq {seq}"));
        if ctx.out.json {
            ctx.out.json(&json!({ "seq": seq, "readers": readers }))?;
        }
        Ok(())
    }
}
