//! The two commands that run at every start of a program, read without the words of all the others.
//!
//! To describe the whole command line to clap costs more than to read one. What these few descriptions cannot make sense
//! of, the whole ones read again: every error and every help text is theirs.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use super::{Cli, Command, deployment, run};
use crate::ctx::Global;

/// The command line, if it is one of these two and there is nothing to say about it.
pub fn parse(args: &[OsString]) -> Option<Cli> {
    // Others are not read twice for nothing.
    let named = |word: &&OsString| *word == "run" || *word == "env-file";
    args.iter().skip(1).find(named)?;
    let Frequent { global, command } = Frequent::try_parse_from(args).ok()?;
    let command = match command {
        Few::Run(options) => Command::Run(options),
        Few::Deployment(OfDeployment::EnvFile(options)) => {
            Command::Deployment(deployment::Command::EnvFile(options))
        }
    };
    Some(Cli { global, command })
}

#[derive(Parser)]
#[command(name = "keyward", version, propagate_version = true)]
struct Frequent {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Few,
}

#[derive(Subcommand)]
enum Few {
    Run(Box<run::Options>),
    #[command(subcommand)]
    Deployment(OfDeployment),
}

#[derive(Subcommand)]
enum OfDeployment {
    EnvFile(deployment::env_file::Options),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn both_commands_are_read_here_and_with_the_same_options_as_in_the_whole() {
        for line in [
            "keyward deployment env-file production --stdout",
            "keyward --url https://k.example deployment --quiet env-file --stdout production --allow-env=PATH",
            "keyward run production --only-secrets --keep PATH,HOME -- ./server run --help",
            "keyward run -- true",
        ] {
            let few = parse(&args(line)).unwrap_or_else(|| panic!("{line}"));
            let whole = Cli::try_parse_from(args(line)).unwrap_or_else(|_| panic!("{line}"));
            let same = std::mem::discriminant(&few.command) == std::mem::discriminant(&whole.command);
            assert!(same, "{line}");
            assert_eq!(format!("{:?}", few.global), format!("{:?}", whole.global), "{line}");
        }
        let whole = Cli::command();
        for path in [&["run"][..], &["deployment", "env-file"]] {
            let find = |root: &clap::Command| {
                path.iter().fold(root.clone(), |at, name| at.find_subcommand(name).expect(name).clone())
            };
            let options =
                |command: clap::Command| format!("{:?}", command.get_arguments().collect::<Vec<_>>());
            assert_eq!(options(find(&Frequent::command())), options(find(&whole)), "{path:?}");
        }
    }

    #[test]
    fn whatever_is_not_plain_is_left_to_the_whole() {
        for line in [
            "keyward",
            "keyward --help",
            "keyward run --help",
            "keyward run --version",
            "keyward run",
            "keyward deployment env-file",
            "keyward deployment env-file p --stdotu",
            "keyward deployment env-flie p --stdout",
            "keyward deployment show run",
            "keyward env-file p --stdout",
            "keyward key list",
        ] {
            assert!(parse(&args(line)).is_none(), "{line}");
        }
    }
}
