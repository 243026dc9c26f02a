//! `keyward proxy`: the gateway.

mod ca;
mod env;
mod health;
mod log;
#[cfg(feature = "selftest")]
mod selftest;
mod serve;

use clap::{Args, Subcommand};

use crate::ctx::Ctx;

/// Serve as the gateway: put keys into the requests of agents, which never hold one
///
/// Needs a gateway's token: keyward api-user create NAME --gateway. Programs use it as HTTPS_PROXY with their agent's credential
/// as the password, and trust its certificate (keyward proxy ca); or under http://ADDR/-/KEY/ as the service's own address.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  keyward proxy --listen 127.0.0.1:8421\n  \
                        keyward proxy --agent claude -- ./agent.sh\n  keyward proxy ca --out gateway.crt")]
pub struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Subcommand)]
enum Command {
    Ca(ca::Options),
    Env(env::Options),
    Health(health::Options),
    Log(log::Options),
    #[cfg(feature = "selftest")]
    Selftest(selftest::Options),
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self.command {
            None => self.serve.run(ctx).await,
            Some(Command::Ca(options)) => options.run(ctx).await,
            Some(Command::Env(options)) => options.run(ctx).await,
            Some(Command::Health(options)) => options.run(ctx).await,
            Some(Command::Log(options)) => options.run(ctx),
            #[cfg(feature = "selftest")]
            Some(Command::Selftest(options)) => options.run(ctx).await,
        }
    }
}
