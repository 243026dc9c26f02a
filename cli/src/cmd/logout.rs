//! `keyward logout`: ends this device's login on both sides.

use clap::Args;

use crate::cmd::login::forget;
use crate::ctx::Ctx;
use crate::session::config::Config;
use crate::session::home::Home;
use crate::vault::cache;

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
            Some(login) => {
                // What was kept for it is this device's, and nobody is signed in here to be answered with it.
                let clean = login.halves().is_ok_and(|halves| cache::clear(&home, halves.into_keys().0));
                if !clean {
                    let folder = home.path().join("cache");
                    ctx.out.warn(&format!("the kept answers in {} could not be removed", folder.display()));
                }
                ctx.out.say("signed out here; the token itself stays good until it is revoked");
            }
            None => ctx.out.say("nobody was signed in"),
        }
        Ok(())
    }
}
