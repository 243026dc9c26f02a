//! `keyward stub`: credential files with nothing in them, for programs that do not start without one.
//!
//! Where a credential belongs, each says `MANAGED`: the gateway writes the value there. A file a kind.

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

/// What a program finds where a credential should be: in the place that a key's rule names, the gateway replaces
/// it; anywhere else it is just a word.
const MANAGED: &str = "keyward-managed";

/// When these end: 2100-01-01, in milliseconds. A program that thinks its token is over would ask for another.
const NEVER_MS: u64 = 4_102_444_800_000;
