//! `keyward group unassign`.

use clap::Args;
use keyward_crypto::change::LossReason;
use serde_json::json;

use super::assignment::not_assigned;
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::consequences::Consequences;
use crate::text::quoted;
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
        let (group, deployment, consequences) = session
            .write(ctx, async |draft, opened| {
                let group = resolve::group(&opened.org, &self.group)?;
                let deployment = resolve::deployment(&opened.org, &self.deployment)?;
                if opened.org.assignment(group.id, deployment.id).is_none() {
                    let shown = format!("see what is: keyward group show {}", quoted(group.name.as_str()));
                    return Err(not_assigned(group, deployment).next(shown).into());
                }
                draft.set_loss_reason(LossReason::Unassigned);
                draft.org.unassign(group.id, deployment.id).map_err(Fault::from)?;
                Ok((group.name.clone(), deployment.name.clone(), Consequences::of(draft, &opened.org)))
            })
            .await?;
        ctx.out.say(&format!("{deployment} is no longer assigned to {group}"));
        consequences.report(ctx, json!({ "group": group, "deployment": deployment }))
    }
}
