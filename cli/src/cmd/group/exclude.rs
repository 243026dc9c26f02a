//! `keyward group exclude`.

use clap::Args;
use keyward_crypto::change::LossReason;
use serde_json::json;

use super::assignment;
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::assignment::AssignmentSummary;
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Exclude keys of an assigned deployment: the group's members cannot read them any more, from anywhere
///
/// An exclusion wins over every inclusion in any group or deployment. What somebody could read before is sealed afresh.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group exclude agents production STRIPE_KEY")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Keys of the deployment, by name or id
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (assigned, consequences) = session
            .write(ctx, async |draft, opened| {
                let (group, deployment, _) = assignment::find(&opened.org, &self.group, &self.deployment)?;
                let mapped = deployment.mappings.iter().map(|mapping| mapping.key).collect();
                let kind = format!("key in {}", deployment.name);
                let keys = resolve::keys_among(&opened.org, &kind, &self.keys, &mapped)?;
                draft.set_loss_reason(LossReason::Excluded);
                draft.org.exclude(group.id, deployment.id, &keys).map_err(Fault::from)?;
                let (_, _, assignment) = assignment::find(&draft.org, &self.group, &self.deployment)?;
                let assigned = AssignmentSummary::of(&draft.org, &draft.org.facts(), assignment);
                Ok((assigned, Consequences::of(draft, &opened.org)))
            })
            .await?;
        let (deployment, group) = (&assigned.deployment.name, &assigned.group.name);
        ctx.out.say(&format!("{group} may read {} of {deployment}", assigned.count()));
        consequences.report(ctx, json!(assigned))
    }
}
