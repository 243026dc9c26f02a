//! `keyward logout`: ends this device's login on both sides.

use clap::Args;

use crate::cmd::login::forget;
use crate::ctx::Ctx;
use crate::session::config::Config;
use crate::session::home::Home;

/// Sign this device out, here and on the server
#[derive(Args)]
#[command(after_help = "Example:\n  keyward logout")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let home = Home::required(ctx)?;
        let former = Config::update(&home, |config| config.login.take())?;
        match former {
            Some(login) if login.email.is_some() => {
                forget(ctx, &home, &login).await;
                ctx.out.say("signed out");
            }
            // An API user's token stays good: others may use it.
            Some(_) => ctx.out.say("signed out here; the token itself stays good until it is revoked"),
            None => ctx.out.say("nobody was signed in"),
        }
        Ok(())
    }
}
