//! `keyward org rename`.

use clap::Args;
use keyward_wire::name::Name;
use serde_json::json;

use crate::ctx::Ctx;
use crate::vault::admin::Session;

/// Give the organisation another name
///
/// Its readers see the new name once something else changes for them.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward org rename 'Acme Ltd'")]
pub struct Options {
    /// Its new name
    name: Name,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (id, former) = session
            .write(ctx, async |draft, _| {
                let former = std::mem::replace(&mut draft.org.org_name, self.name.clone());
                Ok((draft.org.org, former))
            })
            .await?;
        ctx.out.say(&format!("{former} is now {}", self.name));
        if ctx.out.json {
            ctx.out.json(&json!({ "id": id, "name": self.name }))?;
        }
        Ok(())
    }
}
