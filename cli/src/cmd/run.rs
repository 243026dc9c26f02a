//! `keyward run`: becomes another program, with a deployment's variables; or starts one behind a gateway, with none of them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;

use clap::{ArgGroup, Args};
use keyward_wire::name::EnvName;

use crate::ctx::Ctx;
use crate::launch;
#[cfg(feature = "gateway")]
use crate::proxy::listen::{Listen, ListenAddr};
#[cfg(feature = "gateway")]
use crate::proxy::proxied_program::{ProxiedProgram, ProxyOptions};
use crate::vault::fetch::variables;
use crate::vault::freshness::Freshness;
use crate::vault::offline::Offline;

/// The deployment that is meant when none is named.
const DEFAULT_DEPLOYMENT: &str = "default";

/// Run a program with a deployment's variables
///
/// keyward becomes the program: its exit code, signals, job control and files are its own. A deployment's variable
/// replaces one of the same name; keyward's own variables are removed.
///
/// With --proxy, and a gateway's token, it gets no value: each variable holds something that stands for one, and the gateway
/// puts the value into the requests of the program, which keyward starts and waits for. Without DEPLOYMENT the keys of the
/// agent have the variables of their own names.
#[derive(Args)]
#[command(group = ArgGroup::new("less").multiple(true))]
#[cfg_attr(feature = "gateway", command(mut_group("gateway_options", |group| group.requires("proxy"))))]
#[cfg_attr(feature = "gateway", command(mut_group("program_options", |group| group.requires("proxy"))))]
#[command(after_help = "Examples:\n  keyward run production -- npm start\n  \
                        keyward run production --only-secrets --keep PATH,HOME -- ./server\n  \
                        keyward run production --proxy --agent claude -- ./agent.sh")]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment [default: default]
    #[arg(value_name = "DEPLOYMENT")]
    deployment: Option<String>,
    /// Give the program nothing but the deployment's variables and those of --keep
    #[arg(long, group = "less")]
    only_secrets: bool,
    /// With --only-secrets or --proxy: variables to keep although they would be taken away, as VAR,VAR or one by one
    #[arg(long, value_name = "VAR", requires = "less", value_delimiter = ',')]
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
    #[cfg(feature = "gateway")]
    #[command(flatten)]
    through_gateway: ProxyOptions,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        #[cfg(feature = "gateway")]
        if self.through_gateway.proxy {
            return self.run_behind(ctx).await;
        }
        let name = self.deployment.as_deref().unwrap_or(DEFAULT_DEPLOYMENT);
        let read = variables(ctx, name, &self.freshness, &self.offline, &self.allow_env).await?;
        let mut command = launch::command(&self.command, self.only_secrets.then_some(&self.keep))?;
        for variable in &read.variables {
            command.env(variable.env.as_str(), std::ffi::OsStr::from_bytes(&variable.value));
        }
        // Returns only if there is no such program.
        let error = command.exec();
        Err(launch::not_started(&command, &error).into())
    }

    /// Runs the program behind a gateway, with what stands for the values.
    #[cfg(feature = "gateway")]
    async fn run_behind(self, ctx: &Ctx) -> anyhow::Result<()> {
        let program = ProxiedProgram {
            gateway: &self.through_gateway.gateway,
            freshness: &self.freshness,
            listen: Listen { places: &[ListenAddr::here(0)], beyond: false },
            options: &self.through_gateway.program,
            deployment: self.deployment.as_deref(),
            only: self.only_secrets,
            keep: &self.keep,
            command: &self.command,
        };
        program.run(ctx).await
    }
}
