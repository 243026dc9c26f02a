//! `keyward agent`: clients of gateways, which use keys for them.

mod answer_delay;
pub mod create;
pub mod grant;
pub mod list;
mod new_credential;
pub mod remove;
pub mod resume;
pub mod revoke;
pub mod rotate;
pub mod secrets;
mod state;
pub mod suspend;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Manage agents: clients of a gateway, which uses keys for them and never shows them one
#[derive(Subcommand)]
#[command(
    after_help = "Example:\n  keyward agent create claude --gateway edge --group agents > credential.txt\n  \
                        keyward agent grant claude ANTHROPIC_API_KEY"
)]
pub enum Command {
    Create(create::Options),
    List(list::Options),
    Secrets(secrets::Options),
    Grant(grant::Options),
    Revoke(revoke::Options),
    Rotate(rotate::Options),
    Suspend(suspend::Options),
    Resume(resume::Options),
    Remove(remove::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Create(options) => options.run(ctx).await,
            Self::List(options) => options.run(ctx).await,
            Self::Secrets(options) => options.run(ctx).await,
            Self::Grant(options) => options.run(ctx).await,
            Self::Revoke(options) => options.run(ctx).await,
            Self::Rotate(options) => options.run(ctx).await,
            Self::Suspend(options) => options.run(ctx).await,
            Self::Resume(options) => options.run(ctx).await,
            Self::Remove(options) => options.run(ctx).await,
        }
    }
}
