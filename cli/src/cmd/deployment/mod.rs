//! `keyward deployment`: sets of variables.

pub mod create;
pub mod delete;
pub mod env_file;
pub mod list;
pub mod map;
pub mod rename;
pub mod show;
pub mod unmap;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Manage deployments, and print their variables
#[derive(Subcommand)]
#[command(after_help = "Examples:\n  keyward deployment map production DATABASE_URL\n  \
                        eval $(keyward deployment env-file production --stdout)")]
pub enum Command {
    Create(create::Options),
    List(list::Options),
    Show(show::Options),
    Rename(rename::Options),
    Delete(delete::Options),
    Map(map::Options),
    Unmap(unmap::Options),
    EnvFile(env_file::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Create(options) => options.run(ctx).await,
            Self::List(options) => options.run(ctx).await,
            Self::Show(options) => options.run(ctx).await,
            Self::Rename(options) => options.run(ctx).await,
            Self::Delete(options) => options.run(ctx).await,
            Self::Map(options) => options.run(ctx).await,
            Self::Unmap(options) => options.run(ctx).await,
            Self::EnvFile(options) => options.run(ctx).await,
        }
    }
}
