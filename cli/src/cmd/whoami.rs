//! `keyward whoami`.

use clap::Args;

use crate::account::status;
use crate::ctx::Ctx;

/// Show who is signed in, and until when
#[derive(Args)]
#[command(after_help = "Example:\n  keyward whoami --json")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        status::show(ctx).await
    }
}
