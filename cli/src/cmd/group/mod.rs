//! `keyward group`: who may read what.

pub mod add;
pub mod assign;
pub mod create;
pub mod delete;
pub mod exclude;
pub mod include;
pub mod list;
pub mod remove;
pub mod show;
pub mod unassign;

use clap::Subcommand;
use keyward_crypto::state::org::{Assignment, Deployment, Group, Org};

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::text::quoted;

/// Manage groups: their members, the deployments assigned to them, and what of those they may not read
#[derive(Subcommand)]
#[command(after_help = "Examples:\n  keyward group assign agents production --exclude STRIPE_KEY\n  \
                        keyward group add agents ci-bot")]
pub enum Command {
    Create(create::Options),
    List(list::Options),
    Show(show::Options),
    Delete(delete::Options),
    Assign(assign::Options),
    Unassign(unassign::Options),
    Exclude(exclude::Options),
    Include(include::Options),
    Add(add::Options),
    Remove(remove::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Create(options) => options.run(ctx).await,
            Self::List(options) => options.run(ctx).await,
            Self::Show(options) => options.run(ctx).await,
            Self::Delete(options) => options.run(ctx).await,
            Self::Assign(options) => options.run(ctx).await,
            Self::Unassign(options) => options.run(ctx).await,
            Self::Exclude(options) => options.run(ctx).await,
            Self::Include(options) => options.run(ctx).await,
            Self::Add(options) => options.run(ctx).await,
            Self::Remove(options) => options.run(ctx).await,
        }
    }
}

/// A group, a deployment, and that the one is assigned to the other.
fn assignment<'a>(
    org: &'a Org,
    group: &str,
    deployment: &str,
) -> anyhow::Result<(&'a Group, &'a Deployment, &'a Assignment)> {
    let group = resolve::group(org, group)?;
    let deployment = resolve::deployment(org, deployment)?;
    let assignment = org.assignment(group.id, deployment.id).ok_or_else(|| {
        let words = (quoted(group.name.as_str()), quoted(deployment.name.as_str()));
        not_assigned(group, deployment)
            .next(format!("assign it: keyward group assign {} {}", words.0, words.1))
    })?;
    Ok((group, deployment, assignment))
}

fn not_assigned(group: &Group, deployment: &Deployment) -> Fault {
    Fault::new(Code::NotFound, format!("{} is not assigned to {}", deployment.name, group.name))
}
