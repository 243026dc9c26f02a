//! `keyward audit`: what happened, as the server tells it, and whether it tells the same story as before.

mod entry_format;
pub mod export;
pub mod list;
mod names;
mod pages;
pub mod verify;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Read the audit log, and verify that it was not changed
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyward audit verify")]
pub enum Command {
    List(list::Options),
    Verify(verify::Options),
    Export(export::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::List(options) => options.run(ctx).await,
            Self::Verify(options) => options.run(ctx).await,
            Self::Export(options) => options.run(ctx).await,
        }
    }
}
