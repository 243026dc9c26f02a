//! `keyward provider`: what is known of where credentials go.

pub mod list;
mod places;
pub mod show;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Show which providers the gateway knows, and what it would do with their keys
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyward provider show github")]
pub enum Command {
    List(list::Options),
    Show(show::Options),
}

impl Command {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::List(options) => options.run(ctx),
            Self::Show(options) => options.run(ctx),
        }
    }
}
