//! `keyward deployment create`.

use clap::Args;
use keyward_wire::name::Name;

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Create an empty deployment
#[derive(Args)]
#[command(after_help = "Example:\n  keyward deployment create production")]
pub struct Options {
    /// Name of the deployment
    name: Name,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let id = session
            .write(ctx, async |draft, _| {
                Ok(draft.org.add_deployment(self.name.clone()).map_err(Fault::from)?)
            })
            .await?;
        ctx.out.say(&format!("deployment {} created; map keys into it: keyward deployment map", self.name));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "id": id, "name": self.name }))?;
        }
        Ok(())
    }
}
