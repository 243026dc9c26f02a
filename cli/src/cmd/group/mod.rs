//! `keyward group`: who may read what.

pub mod add;
pub mod assign;
mod assignment;
pub mod create;
pub mod delete;
pub mod exclude;
pub mod include;
pub mod list;
pub mod remove;
pub mod show;
pub mod unassign;

use clap::Subcommand;

use crate::ctx::Ctx;

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
