//! A program behind a gateway that is started for it and ends with it: `keyward proxy -- CMD` and `keyward run --proxy -- CMD`
//! are this.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::sync::Arc;

use clap::Args;
use keyward_gateway::{Agent, Gateway};
use keyward_wire::KeyId;
use keyward_wire::name::EnvName;
use keyward_wire::provider;
use keyward_wire::rule::Authority;
use zeroize::Zeroizing;

use super::bypass::bypasses_gateway;
use super::child::Child;
use super::keys::{self, Base, UsableKey};
use super::listen::{Bound, Listen};
#[cfg(target_os = "linux")]
use super::parent_death;
use super::running::{Prepared, Serves};
use super::trust::Trust;
use super::variables::{GatewayAddress, JAVA, variables};
use super::{GatewayOptions, Sidecar};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::launch;
use crate::process_env::ProcessEnv;
use crate::text::list;
use crate::text::quoted;
use crate::vault::freshness::Freshness;
use crate::vault::gateway::Live;
use crate::vault::mapping_file;

/// A program to be started, and the gateway that is started for it.
pub(crate) struct ProxiedProgram<'a> {
    /// The options that decide what the gateway reaches.
    pub(crate) gateway: &'a GatewayOptions,
    /// The options that decide how new the server's state must be.
    pub(crate) freshness: &'a Freshness,
    /// The place where the gateway listens.
    pub(crate) listen: Listen<'a>,
    /// The options about the program's variables and agent.
    pub(crate) options: &'a ProgramOptions,
    /// If set, only the keys of this deployment have variables, under its names.
    pub(crate) deployment: Option<&'a str>,
    /// Whether it gets none of our own variables but those of `keep`.
    pub(crate) only: bool,
    /// Our own variables that it keeps, also where they would be taken away.
    pub(crate) keep: &'a [OsString],
    /// The program and its arguments.
    pub(crate) command: &'a [OsString],
}

/// Options about the program.
#[derive(Args)]
#[group(id = "program_options")]
pub(crate) struct ProgramOptions {
    /// Whose keys the program may use; may be left out where the gateway serves one agent only
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Leave the addresses of services alone (OPENAI_BASE_URL and the like), so that all goes through HTTPS_PROXY
    #[arg(long)]
    no_base_url: bool,
}

/// `--proxy`, and what goes with it.
#[derive(Args)]
#[group(id = "proxy_options")]
#[command(next_help_heading = "Through the gateway")]
pub(crate) struct ProxyOptions {
    /// Give the program no value: start a gateway for it, which puts the values into its requests
    #[arg(long, group = "less", conflicts_with_all = ["allow_env", "offline", "offline_fallback"])]
    pub(crate) proxy: bool,
    #[command(flatten)]
    pub(crate) gateway: GatewayOptions,
    #[command(flatten)]
    pub(crate) program: ProgramOptions,
}

impl ProgramOptions {
    /// Whether anything is said.
    pub(crate) fn is_given(&self) -> bool {
        self.agent.is_some() || self.no_base_url
    }
}

impl ProxiedProgram<'_> {
    /// Starts the gateway, then the program; ends when that has, with its code.
    pub(crate) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let Self { gateway, freshness, listen, options, deployment, only, keep, command } = self;
        #[cfg(target_os = "linux")]
        let command = &parent_death::wrapped(command);
        let mut command = launch::command(command, only.then_some(keep))?;
        let prepared = Prepared::new(ctx, gateway, freshness, listen, Serves::OneProgram).await?;
        let at = prepared.bound().iter().find_map(Bound::authority).ok_or_else(|| {
            Fault::usage("programs find a gateway by an address, and this one has none")
                .next("leave --listen out, or name a port of this machine, too")
        })?;
        let agent = agent(&prepared.live, options.agent.as_deref())?;
        let mapped = deployment.map(|name| mapped(&prepared.live, name)).transpose()?;
        let (sidecar, credential) = Sidecar::new(&agent);
        let (ca, credential) = (Arc::clone(&prepared.ca), credential.encode());
        let (running, mut keeper) = prepared.serve(Some(sidecar))?;
        let folder = tempfile::Builder::new().prefix("keyward-proxy.").tempdir()?;
        let trust = Trust::write(folder.path(), &ca)?;
        let (keys, left) = usable_keys(ctx, &running.gateway, &agent, mapped.as_ref());
        let java = !only || keep.iter().any(|name| name == JAVA);
        let env = ProcessEnv::read();
        let java = env.variable(JAVA).filter(|_| java).map(OsStr::to_os_string);
        let removed = if only { Vec::new() } else { remove_inherited(&mut command, &env, &left, keep) };
        let made_of = ProgramVariables {
            at: &at,
            agent: &agent.name,
            credential: &credential,
            trust: &trust,
            options,
            keys: &keys,
            java,
        };
        set_variables(&mut command, &made_of);
        warn_of_removed(ctx, &command, &removed);
        ctx.out.say("no isolation: the program runs as the gateway's own user, whose files it may read");
        let mut child = Child::start(command)?;
        let ended = tokio::select! {
            error = keeper.run(ctx) => {
                child.end().await;
                Err(error)
            }
            error = running.failed() => {
                child.end().await;
                Err(error)
            }
            ended = child.ended() => ended,
        };
        running.end(ctx, child.asked_to_end()).await;
        tokio::select! {
            () = keeper.tell() => {}
            () = child.asked_to_end() => {}
        }
        ended
    }
}

/// Takes away what the program would inherit and use in the place of the gateway: the credentials that clients of services look
/// for, the addresses of services, and what leads around the gateway. Those that were there.
fn remove_inherited(
    command: &mut Command,
    env: &ProcessEnv,
    left: &[EnvName],
    keep: &[OsString],
) -> Vec<String> {
    let mut named: BTreeSet<&OsStr> = provider::all_variables().map(OsStr::new).collect();
    named.extend(left.iter().filter(|name| !name.steers_programs()).map(|name| OsStr::new(name.as_str())));
    let goes = |name: &OsString, value: &OsString| {
        !keep.contains(name) && (named.contains(name.as_os_str()) || bypasses_gateway(name, value))
    };
    let mut removed = Vec::new();
    for (name, _) in env.variables.iter().filter(|(name, value)| goes(name, value)) {
        command.env_remove(name);
        removed.push(name.to_string_lossy().into_owned());
    }
    removed
}

/// Warns about variables that were removed and that nothing has set again.
fn warn_of_removed(ctx: &Ctx, command: &Command, removed: &[String]) {
    let is_set =
        |name: &String| command.get_envs().any(|(own, value)| own == name.as_str() && value.is_some());
    let gone: Vec<&String> = removed.iter().filter(|name| !is_set(name)).collect();
    if !gone.is_empty() {
        ctx.out.warn(&format!(
            "taken away, for it would go around the gateway: {} (--keep VAR leaves one)",
            list(&gone)
        ));
    }
}

/// What the variables of the program are made of.
struct ProgramVariables<'a> {
    at: &'a Authority,
    agent: &'a str,
    credential: &'a str,
    trust: &'a Trust,
    options: &'a ProgramOptions,
    keys: &'a [UsableKey],
    /// Options of Java that it has already: they add up.
    java: Option<OsString>,
}

/// Sets the program's variables: those of keys first, so that none of them replaces one that leads to the gateway.
fn set_variables(command: &mut Command, made_of: &ProgramVariables<'_>) {
    let ProgramVariables { at, agent, credential, trust, options, keys, java: before } = made_of;
    let address = at.to_string();
    let base = Base { at: &address, credential };
    for (name, value) in keys::variables(keys, Some(&base).filter(|_| !options.no_base_url)) {
        command.env(name.as_str(), value.as_str());
    }
    let (bundle, java) = (trust.pem.to_string_lossy(), trust.java.to_string_lossy());
    let place = GatewayAddress { at, agent, credential, bundle: &bundle, java: Some(&java), direct: &[] };
    for (name, value) in variables(&place) {
        match before.as_ref().filter(|_| name == JAVA) {
            Some(before) => {
                let mut all = before.clone();
                all.push(" ");
                all.push(value.as_str());
                command.env(name, all)
            }
            None => command.env(name, value.as_str()),
        };
    }
}

/// The keys that have variables, and the variables whose keys may not be used.
fn usable_keys(
    ctx: &Ctx,
    gateway: &Gateway,
    agent: &Agent,
    mapped: Option<&Mapped>,
) -> (Vec<UsableKey>, Vec<EnvName>) {
    let mut keys = Vec::new();
    let mut left = mapped.cloned();
    for (grant, placeholder) in gateway.placeholders(agent) {
        let names = match mapped {
            None => Vec::new(),
            Some(mapped) => match mapped.get(&grant.key) {
                Some(names) => names.clone(),
                None => continue,
            },
        };
        left.as_mut().and_then(|left| left.remove(&grant.key));
        keys.push(UsableKey {
            name: grant.name.to_string(),
            provider: grant.provider.as_deref().map(ToOwned::to_owned),
            host: grant.destination(),
            placeholder: Zeroizing::new(placeholder.to_string()),
            mapped: names,
        });
    }
    let left: Vec<EnvName> = left.into_iter().flatten().flat_map(|(_, names)| names).collect();
    if !left.is_empty() {
        ctx.out.warn(&format!(
            "not set: {}; {} may not use their keys: they have no rule or were not granted (keyward agent secrets {})",
            list(&left),
            agent.name,
            quoted(&agent.name)
        ));
    }
    (keys, left)
}

/// The agent of this name, or the only one.
fn agent(live: &Live, name: Option<&str>) -> anyhow::Result<Agent> {
    let agents = live.agents();
    match (name, agents.as_slice()) {
        (Some(name), _) => live.agent_named(name).ok_or_else(|| {
            Fault::unknown("agent of this gateway", name, agents.iter().map(|agent| &*agent.name)).into()
        }),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Fault::new(Code::NotFound, "this gateway serves no agent")
            .next("keyward agent create NAME --gateway GATEWAY --group GROUP")
            .into()),
        (None, agents) => {
            let names: Vec<&str> = agents.iter().map(|agent| &*agent.name).collect();
            Err(Fault::usage(format!("this gateway serves several agents: {}", list(&names)))
                .next("say whose keys the program may use: --agent NAME")
                .into())
        }
    }
}

/// The variables of a deployment, by key.
type Mapped = BTreeMap<KeyId, Vec<EnvName>>;

fn mapped(live: &Live, name: &str) -> anyhow::Result<Mapped> {
    let meant = mapping_file::find(name)?.map_or_else(|| name.to_owned(), |id| id.to_string());
    let deployments = live.deployments();
    let by_name = deployments.iter().find(|deployment| deployment.name.as_str() == meant);
    let by_id = || deployments.iter().find(|deployment| deployment.id.to_string() == meant);
    let found = by_name.or_else(by_id).ok_or_else(|| {
        Fault::unknown("deployment", &meant, deployments.iter().map(|deployment| deployment.name.as_str()))
    })?;
    let mut mapped = Mapped::new();
    for mapping in &found.mappings {
        mapped.entry(mapping.key).or_default().push(mapping.env.clone());
    }
    Ok(mapped)
}
