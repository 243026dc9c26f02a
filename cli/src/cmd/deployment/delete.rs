//! `keyward deployment delete`.

use clap::Args;
use keyward_crypto::change::LossReason;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::prompt::confirm;
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Delete a deployment: its mappings and assignments; the keys stay
#[derive(Args)]
#[command(after_help = "Example:\n  keyward deployment delete staging --yes")]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let opened = session.open(ctx).await?;
        let deployment = resolve::deployment(&opened.org, &self.deployment)?;
        let (id, name) = (deployment.id, deployment.name.clone());
        confirm::by_typing(name.as_str(), "delete this deployment", self.yes)?;
        let consequences = session
            .write(ctx, async |draft, opened| {
                draft.set_loss_reason(LossReason::DeploymentDeleted);
                draft.org.remove_deployment(id).map_err(Fault::from)?;
                Ok(Consequences::of(draft, &opened.org))
            })
            .await?;
        ctx.out.say(&format!("deployment {name} deleted"));
        consequences.report(ctx, serde_json::json!({ "id": id, "name": name }))
    }
}
