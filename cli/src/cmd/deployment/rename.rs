//! `keyward deployment rename`.

use clap::Args;
use keyward_wire::name::Name;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Give a deployment another name
///
/// Programs that name it by its id, or in .keyward-deployment, notice nothing.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward deployment rename production live")]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Its new name
    name: Name,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (id, former) = session
            .write(ctx, async |draft, opened| {
                let deployment = resolve::deployment(&opened.org, &self.deployment)?;
                let renamed = draft.org.rename_deployment(deployment.id, self.name.clone());
                renamed.map_err(Fault::from)?;
                Ok((deployment.id, deployment.name.clone()))
            })
            .await?;
        ctx.out.say(&format!("deployment {former} is now {}", self.name));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "id": id, "name": self.name }))?;
        }
        Ok(())
    }
}
