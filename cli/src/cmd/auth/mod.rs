//! `keyward auth`: signing a machine in with an API user's token.

pub mod api_user;

use clap::{Args, Subcommand};

use crate::account::device_login::sign_out;
use crate::account::status;
use crate::ctx::Ctx;

/// Sign a machine in with a token
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyward auth api-user --token-stdin < token.txt")]
pub enum Command {
    ApiUser(api_user::Options),
    Status(Status),
    Logout(Logout),
}

/// Show who is signed in (the same as `keyward whoami`)
#[derive(Args)]
#[command(after_help = "Example:\n  keyward auth status")]
pub struct Status {}

/// Forget the stored token (the same as `keyward logout`)
#[derive(Args)]
#[command(after_help = "Example:\n  keyward auth logout")]
pub struct Logout {}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::ApiUser(options) => options.run(ctx).await,
            Self::Status(Status {}) => status::show(ctx).await,
            Self::Logout(Logout {}) => sign_out(ctx).await,
        }
    }
}
