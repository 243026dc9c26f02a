//! `keyward stub`: credential files with nothing in them, for programs that do not start without one.
//!
//! Where a credential belongs, each says `keyward-managed`: the gateway writes the value there. A file a kind.

mod aws;
mod claude_code;
mod codex;
mod docker;
mod file;
mod github_cli;
mod google;
mod kind;
mod netrc;
mod npmrc;
pub mod write;

use clap::Subcommand;

use crate::ctx::Ctx;

/// Write credential files without credentials, for programs behind the gateway
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyward stub write github-cli")]
pub enum Command {
    Write(write::Options),
}

impl Command {
    pub(super) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Write(options) => options.run(ctx),
        }
    }
}
