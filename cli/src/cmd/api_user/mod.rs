//! `keyward api-user`: machines, each with one token.

pub mod create;
pub mod list;
mod new_token;
pub mod revoke;
pub mod rotate;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Manage API users and gateways: identities of machines, with one token each
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyward api-user create ci-bot --group agents > token.txt")]
pub enum Command {
    Create(create::Options),
    List(list::Options),
    Rotate(rotate::Options),
    Revoke(revoke::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Create(options) => options.run(ctx).await,
            Self::List(options) => options.run(ctx).await,
            Self::Rotate(options) => options.run(ctx).await,
            Self::Revoke(options) => options.run(ctx).await,
        }
    }
}
