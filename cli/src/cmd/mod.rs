//! The commands: their words, and which file runs each.

pub mod access;
mod aftermath;
pub mod api_user;
mod assigned;
pub mod audit;
pub mod auth;
mod confirm;
pub mod deployment;
pub mod group;
pub mod init;
pub mod key;
pub mod login;
pub mod logout;
pub mod org;
mod phrase;
pub mod pin;
mod resolve;
pub mod run;
#[cfg(test)]
mod sample;
pub mod whoami;

use clap::{Parser, Subcommand};

use crate::ctx::{Ctx, Global};

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
    command: Command,
}

#[derive(Subcommand)]
enum Command {
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
    Access(access::Options),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Org(org::Command),
    Pin(pin::Options),
    Run(run::Options),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever the command says; [`code_of`](crate::fault::code_of) has the exit code.
    pub fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(async {
            match self.command {
                Command::Init(options) => options.run(ctx).await,
                Command::Login(options) => options.run(ctx).await,
                Command::Logout(options) => options.run(ctx).await,
                Command::Whoami(options) => options.run(ctx).await,
                Command::Auth(command) => command.run(ctx).await,
                Command::Key(command) => command.run(ctx).await,
                Command::Deployment(command) => command.run(ctx).await,
                Command::Group(command) => command.run(ctx).await,
                Command::ApiUser(command) => command.run(ctx).await,
                Command::Access(options) => options.run(ctx).await,
                Command::Audit(command) => command.run(ctx).await,
                Command::Org(command) => command.run(ctx).await,
                Command::Pin(options) => options.run(ctx).await,
                Command::Run(options) => options.run(ctx).await,
            }
        })
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
            if leaves.is_empty() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{path} has no example");
            }
            for sub in leaves {
                walk(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        walk(&Cli::command(), "keyward");
    }
}
