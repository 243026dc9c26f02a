//! The commands: their words, and which file runs each.

pub mod access;
pub mod agent;
pub mod api_user;
pub mod audit;
pub mod auth;
pub mod completions;
pub mod deployment;
pub mod doctor;
pub mod group;
pub mod init;
pub mod key;
pub mod login;
pub mod logout;
pub mod man;
pub mod org;
pub mod pin;
pub mod provider;
#[cfg(feature = "gateway")]
pub mod proxy;
pub mod quickstart;
pub mod run;
pub mod stub;
pub mod whoami;

use clap::{Parser, Subcommand};

use crate::ctx::{Ctx, Global};
use crate::signals::file_limit;
use crate::signals::stop::unless_stopped;

/// Gives programs, containers and agents the API keys they need, and nothing else
///
/// The server stores only sealed blobs; names and values are opened here.
#[derive(Parser)]
#[command(name = "keyward", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Example:\n  eval $(keyward deployment env-file production --stdout)")]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Init(init::Options),
    Login(login::Options),
    Logout(logout::Options),
    Whoami(whoami::Options),
    #[command(subcommand)]
    Auth(auth::Command),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Deployment(deployment::Command),
    #[command(subcommand)]
    Group(group::Command),
    #[command(subcommand)]
    ApiUser(api_user::Command),
    #[command(subcommand)]
    Agent(agent::Command),
    Access(access::Options),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Org(org::Command),
    Pin(pin::Options),
    #[command(subcommand)]
    Provider(provider::Command),
    Quickstart(Box<quickstart::Options>),
    Doctor(doctor::Options),
    Completions(completions::Options),
    Man(man::Options),
    Run(Box<run::Options>),
    #[command(subcommand)]
    Stub(stub::Command),
    #[cfg(feature = "gateway")]
    Proxy(Box<proxy::Options>),
}

impl Cli {
    /// Runs the command; `for_shell` if a shell evals its output.
    ///
    /// # Errors
    /// Whatever the command says; [`code_of`](crate::fault::code_of) has the exit code.
    pub fn run(self, ctx: &Ctx, for_shell: bool) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let work = Box::pin(self.command.run(ctx));
        let done = runtime.block_on(async {
            file_limit::is_an_error();
            if for_shell { unless_stopped(work).await } else { work.await }
        });
        // A host name that is still being looked up does not hold up the end.
        runtime.shutdown_background();
        done
    }
}

impl Command {
    async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Init(options) => options.run(ctx).await,
            Self::Login(options) => options.run(ctx).await,
            Self::Logout(options) => options.run(ctx).await,
            Self::Whoami(options) => options.run(ctx).await,
            Self::Auth(command) => command.run(ctx).await,
            Self::Key(command) => command.run(ctx).await,
            Self::Deployment(command) => command.run(ctx).await,
            Self::Group(command) => command.run(ctx).await,
            Self::ApiUser(command) => command.run(ctx).await,
            Self::Agent(command) => command.run(ctx).await,
            Self::Access(options) => options.run(ctx).await,
            Self::Audit(command) => command.run(ctx).await,
            Self::Org(command) => command.run(ctx).await,
            Self::Pin(options) => options.run(ctx).await,
            Self::Provider(command) => command.run(ctx),
            Self::Quickstart(options) => options.run(ctx).await,
            Self::Doctor(options) => options.run(ctx).await,
            Self::Completions(options) => options.run(ctx),
            Self::Man(options) => options.run(ctx),
            Self::Run(options) => options.run(ctx).await,
            Self::Stub(command) => command.run(ctx),
            #[cfg(feature = "gateway")]
            Self::Proxy(options) => options.run(ctx).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            let leaves: Vec<_> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{path} has no example");
            for sub in leaves {
                walk(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        walk(&Cli::command(), "keyward");
    }
}
