//! `keyward org`: the organisation itself.

pub mod heartbeat;
pub mod recover;
pub mod rename;
pub mod show;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Show and manage the organisation itself
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyward org show")]
pub enum Command {
    Show(show::Options),
    Rename(rename::Options),
    Heartbeat(heartbeat::Options),
    Recover(recover::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Show(options) => options.run(ctx).await,
            Self::Rename(options) => options.run(ctx).await,
            Self::Heartbeat(options) => options.run(ctx).await,
            Self::Recover(options) => options.run(ctx).await,
        }
    }
}
