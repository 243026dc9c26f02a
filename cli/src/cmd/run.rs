//! `keyward run`: becomes another program, with a deployment's variables.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::Args;
use keyward_wire::name::EnvName;

use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::vault::fetch::{Freshness, variables};
use crate::vault::offline::Offline;

/// The deployment that is meant when none is named.
const DEFAULT_DEPLOYMENT: &str = "default";

/// Run a program with a deployment's variables
///
/// keyward becomes the program: its exit code, signals, job control and files are its own. A deployment's variable
/// replaces one of the same name; keyward's own variables are removed.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward run production -- npm start\n  \
                        keyward run production --only-secrets --keep PATH,HOME -- ./server")]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment [default: default]
    #[arg(value_name = "DEPLOYMENT")]
    deployment: Option<String>,
    /// Give the program nothing but the deployment's variables and those of --keep
    #[arg(long)]
    only_secrets: bool,
    /// With --only-secrets: variables to keep, as VAR,VAR or one by one
    #[arg(long, value_name = "VAR", requires = "only_secrets", value_delimiter = ',')]
    keep: Vec<OsString>,
    /// Let through a variable that steers programs, such as PATH
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<EnvName>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    freshness: Freshness,
    #[command(flatten)]
    offline: Offline,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let name = self.deployment.as_deref().unwrap_or(DEFAULT_DEPLOYMENT);
        let read = variables(ctx, name, &self.freshness, &self.offline, &self.allow_env).await?;
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| Fault::usage("which program?"))?;
        let mut command = Command::new(program);
        command.args(arguments);
        if self.only_secrets {
            command.env_clear();
            command.envs(std::env::vars_os().filter(|(name, _)| self.keep.contains(name)));
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"KEYWARD_")) {
            command.env_remove(name);
        }
        for variable in &read.variables {
            command.env(variable.env.as_str(), std::ffi::OsStr::from_bytes(&variable.value));
        }
        // Returns only if there is no such program.
        let error = command.exec();
        let shown = crate::fault::printable(&program.to_string_lossy(), 200);
        let (code, why) = match error.kind() {
            ErrorKind::NotFound => (Code::CommandNotFound, "there is no such program"),
            _ => (Code::CommandNotRun, "it cannot be run"),
        };
        Err(Fault::new(code, format!("{shown}: {why}")).into())
    }
}
