//! `keyward deployment unmap`.

use clap::Args;
use keyward_crypto::change::LossReason;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Take keys out of a deployment
///
/// What somebody could read before and cannot any more is sealed afresh. Exclusions stay: mapped again, a key that was
/// excluded for a group still is.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward deployment unmap production OLD_TOKEN")]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Keys, by name or id: all of their variables go
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (name, variables, consequences) = session
            .write(ctx, async |draft, opened| {
                let deployment = resolve::deployment(&opened.org, &self.deployment)?;
                let mapped = deployment.mappings.iter().map(|mapping| mapping.key).collect();
                let kind = format!("key in {}", deployment.name);
                let keys = resolve::keys_among(&opened.org, &kind, &self.keys, &mapped)?;
                draft.set_loss_reason(LossReason::Unmapped);
                for key in &keys {
                    draft.org.unmap(deployment.id, *key).map_err(Fault::from)?;
                }
                let gone = deployment.mappings.iter().filter(|mapping| keys.contains(&mapping.key));
                let variables: Vec<_> = gone.map(|mapping| mapping.env.to_string()).collect();
                Ok((deployment.name.clone(), variables, Consequences::of(draft, &opened.org)))
            })
            .await?;
        ctx.out.say(&format!("{} no longer in {name}", variables.join(", ")));
        consequences.report(ctx, serde_json::json!({ "deployment": name, "unmapped": variables }))
    }
}
