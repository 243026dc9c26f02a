//! `keyward deployment`: sets of variables.

pub mod env_file;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Manage deployments, and print their variables
#[derive(Subcommand)]
pub enum Command {
    EnvFile(env_file::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::EnvFile(options) => options.run(ctx).await,
        }
    }
}
