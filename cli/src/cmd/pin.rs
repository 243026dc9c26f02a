//! `keyward pin`: the floors that a deployer gives to a client without a memory of its own.

use clap::Args;
use keyward_crypto::state::org::{Identity, Org};
use serde_json::json;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, code_of};
use crate::prompt::confirm;
use crate::session::config::Config;
use crate::session::credential::Credential;
use crate::session::home::Home;
use crate::vault::admin::Session;
use crate::vault::fetch::fetch;
use crate::vault::freshness::Freshness;
use crate::vault::pins::Pins;

/// Print what a container needs to refuse an older state of the server
///
/// A machine that starts with an empty disk remembers nothing of the server. With these two variables set it refuses a state
/// older than the one that was seen here. The seq is the number of the organisation's last write, and only grows; the epoch is the
/// generation of its keys, 1 until they can be rotated. Without IDENTITY: what this client itself is given. With it (owners and admins):
/// what that identity is given.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  keyward pin ci-bot >> container.env    (then: docker run --env-file container.env …)\n  keyward pin --forget"
)]
pub struct Options {
    /// Name, e-mail address or id of an identity
    identity: Option<String>,
    /// Forget what this client remembers of the server's state, after its memory was lost or the server restored
    #[arg(long, conflicts_with = "identity")]
    forget: bool,
    /// Do not ask
    #[arg(long, requires = "forget")]
    yes: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let credential = Credential::find(ctx);
        if self.forget {
            return match credential {
                Ok(credential) => forget(ctx, credential, self.yes).await,
                // A token that was mistyped is no reason to forget somebody else's memory.
                Err(error) if code_of(&error) == Code::SignIn && ctx.env.token_variable().is_none() => {
                    forget_of_folder(ctx, self.yes)
                }
                Err(error) => Err(error),
            };
        }
        let credential = credential?;
        let Some(name) = &self.identity else { return own(ctx, &credential).await };
        let session = Session::with(credential).await?;
        let opened = session.open(ctx).await?;
        let identity = resolve::identity(&opened.org, name)?;
        let seq = floor(&opened.org, identity).ok_or_else(|| {
            Fault::new(Code::Missing, format!("nothing was sealed for {} yet", identity.name))
        })?;
        print(ctx, seq, opened.org.epoch)
    }
}

async fn own(ctx: &Ctx, credential: &Credential) -> anyhow::Result<()> {
    let fetched = fetch(ctx, credential, &Freshness::default(), None).await?;
    fetched.remember(ctx);
    print(ctx, fetched.verified.seq, fetched.verified.epoch)
}

fn print(ctx: &Ctx, seq: u64, epoch: u64) -> anyhow::Result<()> {
    if ctx.out.json {
        return ctx.out.json(&json!({ "min_seq": seq, "min_epoch": epoch }));
    }
    ctx.out.line(&format!("KEYWARD_MIN_SEQ={seq}"))?;
    ctx.out.line(&format!("KEYWARD_MIN_EPOCH={epoch}"))
}

/// Owners and admins are held to ORG's seq, everybody else to its own GRANT's.
fn floor(org: &Org, identity: &Identity) -> Option<u64> {
    if identity.role.administers() { Some(org.seq) } else { identity.grant_seq }
}

async fn forget(ctx: &Ctx, credential: Credential, yes: bool) -> anyhow::Result<()> {
    let home = credential.home.clone().ok_or_else(|| {
        Fault::usage("this client remembers nothing").next("it has a memory only with a folder: --home")
    })?;
    let session = Session::with(credential).await?;
    confirm::by_typing("forget", "forget what this client has seen of the server's state", yes)?;
    Pins::forget(&home, session.cred.id)?;
    forgotten(ctx)
}

/// With a lost memory nobody can sign in, so it can be forgotten without: that of the login that has ended or, if there is none,
/// everybody's in this folder, since nobody knows whose is meant.
fn forget_of_folder(ctx: &Ctx, yes: bool) -> anyhow::Result<()> {
    let home = Home::required(ctx)?;
    if let Some(login) = Config::load(&home)?.login {
        confirm::by_typing("forget", "forget what this client has seen of the server's state", yes)?;
        Pins::forget(&home, login.identity)?;
    } else {
        let what = "forget what every login in this folder has seen of its server's state";
        confirm::by_typing("forget", what, yes)?;
        Pins::forget_all(&home)?;
    }
    forgotten(ctx)
}

fn forgotten(ctx: &Ctx) -> anyhow::Result<()> {
    ctx.out.say("forgotten; the next answer of the server is taken as it is, and remembered");
    if ctx.out.json {
        ctx.out.json(&json!({ "forgotten": true }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SampleOrg;

    #[test]
    fn the_floor_of_a_reader_is_its_own_grant() {
        let sample = SampleOrg::new();
        let mut org = sample.org();
        org.seq = 9;
        let of = |org: &Org, id| floor(org, org.identity(id).unwrap());
        assert_eq!(of(&org, sample.owner), Some(9));
        assert_eq!(of(&org, sample.agent), Some(2));
    }
}
