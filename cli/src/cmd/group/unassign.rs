//! `keyward group unassign`.

use clap::Args;
use serde_json::json;

use crate::cmd::aftermath::Aftermath;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Take a deployment from a group, with its exclusions
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group unassign agents production")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (group, deployment, aftermath) = session
            .write(ctx, async |draft, desk| {
                let (group, deployment, _) = super::assignment(&desk.org, &self.group, &self.deployment)?;
                draft.because("left group");
                draft.org.unassign(group.id, deployment.id).map_err(Fault::from)?;
                Ok((group.name.clone(), deployment.name.clone(), Aftermath::of(draft, &desk.org)))
            })
            .await?;
        ctx.out.say(&format!("{deployment} is no longer assigned to {group}"));
        aftermath.report(ctx, json!({ "group": group, "deployment": deployment }))
    }
}
