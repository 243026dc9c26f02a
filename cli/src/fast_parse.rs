//! The two commands that run at every start of a program, read without the words of all the others.
//!
//! To describe the whole command line to clap costs more than to read one. What these few descriptions cannot make sense
//! of, the whole ones read again: every error and every help text is theirs.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::cmd::{Cli, Command, deployment, run};
use crate::ctx::Global;

/// The command line, if it is one of these two and there is nothing to say about it.
pub(crate) fn parse(args: &[OsString]) -> Option<Cli> {
    // Others are not read twice for nothing, and each of the two without the words of the other.
    args.iter().skip(1).find_map(|word| match word.as_encoded_bytes() {
        b"run" => Some(read::<OnlyRun>(args)),
        b"env-file" => Some(read::<OnlyEnvFile>(args)),
        _ => None,
    })?
}

fn read<C: Subcommand + Into<Command>>(args: &[OsString]) -> Option<Cli> {
    let Frequent { global, command } = Frequent::<C>::try_parse_from(args).ok()?;
    Some(Cli { global, command: command.into() })
}

#[derive(Parser)]
#[command(name = "keyward", version, propagate_version = true)]
struct Frequent<C: Subcommand> {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: C,
}

#[derive(Subcommand)]
enum OnlyRun {
    Run(Box<run::Options>),
}

#[derive(Subcommand)]
enum OnlyEnvFile {
    #[command(subcommand)]
    Deployment(OfDeployment),
}

#[derive(Subcommand)]
enum OfDeployment {
    EnvFile(deployment::env_file::Options),
}

impl From<OnlyRun> for Command {
    fn from(OnlyRun::Run(options): OnlyRun) -> Self {
        Self::Run(options)
    }
}

impl From<OnlyEnvFile> for Command {
    fn from(OnlyEnvFile::Deployment(OfDeployment::EnvFile(options)): OnlyEnvFile) -> Self {
        Self::Deployment(deployment::Command::EnvFile(options))
    }
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
        for (few, path) in [
            (Frequent::<OnlyRun>::command(), &["run"][..]),
            (Frequent::<OnlyEnvFile>::command(), &["deployment", "env-file"]),
        ] {
            let find = |root: &clap::Command| {
                path.iter().fold(root.clone(), |at, name| at.find_subcommand(name).expect(name).clone())
            };
            let options =
                |command: clap::Command| format!("{:?}", command.get_arguments().collect::<Vec<_>>());
            assert_eq!(options(find(&few)), options(find(&whole)), "{path:?}");
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
            "keyward --url run deployment env-file p --stdout",
            "keyward key list",
        ] {
            assert!(parse(&args(line)).is_none(), "{line}");
        }
    }
}
