//! `keyward logout`: ends this device's login on both sides.

use clap::Args;

use crate::account::device_login::sign_out;
use crate::ctx::Ctx;

/// Sign this device out, here and on the server
#[derive(Args)]
#[command(after_help = "Example:\n  keyward logout")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        sign_out(ctx).await
    }
}
