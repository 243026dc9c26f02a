//! `keyward deployment create`.

use clap::Args;
use keyward_wire::name::Name;

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::text::quoted;
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
        let (name, word) = (&self.name, quoted(self.name.as_str()));
        ctx.out
            .say(&format!("deployment {name} is made; put keys into it: keyward deployment map {word} KEY"));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "id": id, "name": self.name }))?;
        }
        Ok(())
    }
}
