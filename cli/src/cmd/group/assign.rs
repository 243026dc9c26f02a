//! `keyward group assign`.

use clap::{Args, ValueEnum};
use keyward_wire::api::write::NewKeys;
use serde_json::json;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::assignment::AssignmentSummary;
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Assign a deployment to a group, without some of its keys if you like
///
/// Assignment and exclusions are one write: there is no moment at which an excluded key can be read. Assigned again, the
/// exclusions are added to those there are.
#[derive(Args)]
#[command(override_usage = "keyward group assign <GROUP> <DEPLOYMENT> [--exclude <KEY>...] [OPTIONS]")]
#[command(after_help = "Example:\n  keyward group assign agents production --exclude STRIPE_KEY ROOT_TOKEN")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
    /// Keys of the deployment, by name or id, that the group may not read
    #[arg(long, value_name = "KEY", num_args = 1..)]
    exclude: Vec<String>,
    /// Whether the group may read keys that are mapped later [default: allow, or as it is]
    #[arg(long, value_enum)]
    new_keys: Option<LaterKeys>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LaterKeys {
    /// It may
    Allow,
    /// Each is excluded until somebody includes it
    Deny,
}

impl From<LaterKeys> for NewKeys {
    fn from(choice: LaterKeys) -> Self {
        match choice {
            LaterKeys::Allow => Self::Allow,
            LaterKeys::Deny => Self::Deny,
        }
    }
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (assigned, consequences) = session
            .write(ctx, async |draft, opened| {
                let group = resolve::group(&opened.org, &self.group)?;
                let deployment = resolve::deployment(&opened.org, &self.deployment)?;
                let mapped = deployment.mappings.iter().map(|mapping| mapping.key).collect();
                let kind = format!("key in {}", deployment.name);
                let excluded = resolve::keys_among(&opened.org, &kind, &self.exclude, &mapped)?;
                let former = opened.org.assignment(group.id, deployment.id).map(|former| former.new_keys);
                let new_keys = self.new_keys.map(NewKeys::from).or(former).unwrap_or(NewKeys::Allow);
                let org = &mut draft.org;
                org.assign(group.id, deployment.id, excluded, new_keys).map_err(Fault::from)?;
                let assigned = org
                    .assignment(group.id, deployment.id)
                    .map(|assignment| AssignmentSummary::of(org, &org.facts(), assignment));
                Ok((assigned, Consequences::of(draft, &opened.org)))
            })
            .await?;
        if let Some(assigned) = &assigned {
            let (deployment, group, count) =
                (&assigned.deployment.name, &assigned.group.name, assigned.count());
            ctx.out.say(&format!("{deployment} is assigned to {group}: {count}"));
        }
        consequences.report(ctx, json!(assigned))
    }
}
