//! `keyward proxy [-- CMD]`: serves until it is told to end, or CMD has ended.

use std::ffi::OsString;

use clap::Args;
use keyward_wire::rule::Host;

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::proxy::GatewayOptions;
use crate::proxy::listen::{Bound, Listen, ListenAddr};
use crate::proxy::proxied_program::{ProgramOptions, ProxiedProgram};
use crate::proxy::running::{Prepared, Serves};
use crate::signals::stop::Stops;
use crate::vault::freshness::Freshness;

/// What is decided on the command line.
#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// Address and port, or unix:PATH; several times for several [default: 127.0.0.1:8421; with CMD a free port]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<ListenAddr>,
    /// Listen beyond this machine: what agents send there, their credentials too, can be read on the way
    #[arg(long)]
    allow_remote: bool,
    /// Answer at this address, or unix:PATH, whether the gateway is well (/health) and with its certificate (/ca.pem)
    #[arg(long, value_name = "ADDR", conflicts_with = "command")]
    control: Option<ListenAddr>,
    /// A name by which that address is reached, beside localhost
    #[arg(long, value_name = "NAME", requires = "control", value_parser = host_name)]
    control_name: Vec<Host>,
    #[command(flatten)]
    gateway: GatewayOptions,
    #[command(flatten)]
    freshness: Freshness,
    #[command(flatten, next_help_heading = "With CMD")]
    program: ProgramOptions,
    /// Give it none of the variables here but those of --keep
    #[arg(long, requires = "command")]
    only_secrets: bool,
    /// Variables that it keeps although they would be taken away, as VAR,VAR or one by one
    #[arg(long, value_name = "VAR", requires = "command", value_delimiter = ',')]
    keep: Vec<OsString>,
    /// A program to run behind the gateway, which ends with it
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if self.command.is_empty() {
            return self.serve(ctx).await;
        }
        let listen = [ListenAddr::here(0)];
        let program = ProxiedProgram {
            gateway: &self.gateway,
            freshness: &self.freshness,
            listen: self.listen(&listen),
            options: &self.program,
            deployment: None,
            only: self.only_secrets,
            keep: &self.keep,
            command: &self.command,
        };
        program.run(ctx).await
    }

    async fn serve(self, ctx: &Ctx) -> anyhow::Result<()> {
        if self.program.is_given() {
            return Err(Fault::usage("--agent and --no-base-url are for a program to be started")
                .next("name it after --, or leave them out")
                .into());
        }
        // A program behind the gateway would inherit this, and some count on the lower number.
        open_as_many_as_allowed();
        let listen = [ListenAddr::here(8421)];
        let (listen, serves) = (self.listen(&listen), Serves::Whoever(self.control.as_ref()));
        let mut prepared = Prepared::new(ctx, &self.gateway, &self.freshness, listen, serves).await?;
        let at: Vec<String> = prepared.bound().iter().map(Bound::shown).collect();
        let control = prepared.control.take();
        let control_at = control.as_ref().map(Bound::shown);
        let fingerprint = prepared.ca.fingerprint();
        let mut stops = Stops::unless_ignored()?;
        let (running, mut keeper) = prepared.serve(None)?;
        if let Some(control) = control {
            running.serve_control(control, self.control_name)?;
        }
        announce(ctx, &at, control_at.as_deref(), &fingerprint)?;
        let ended = tokio::select! {
            error = keeper.run(ctx) => Err(error),
            error = running.failed() => Err(error),
            () = stops.next() => Ok(()),
        };
        let head = running.end(ctx, stops.another()).await;
        ctx.out.say(&format!("the log ends with line {}, {}", head.seq, head.hex()));
        tokio::select! {
            () = keeper.tell() => {}
            () = stops.another() => {}
        }
        ended
    }

    fn listen<'a>(&'a self, default: &'a [ListenAddr]) -> Listen<'a> {
        let places = if self.listen.is_empty() { default } else { &self.listen };
        Listen { places, beyond: self.allow_remote }
    }
}

fn announce(ctx: &Ctx, at: &[String], control: Option<&str>, fingerprint: &str) -> anyhow::Result<()> {
    if ctx.out.json {
        let said = serde_json::json!({ "listen": at, "control": control, "ca_sha256": fingerprint });
        return ctx.out.json(&said);
    }
    for at in at {
        ctx.out.line(&if at.starts_with("unix:") { at.clone() } else { format!("http://{at}") })?;
    }
    if let Some(control) = control {
        ctx.out.say(&format!("health and certificate: {control}"));
    }
    ctx.out.say(&format!("certificate authority: SHA-256 {fingerprint}"));
    Ok(())
}

fn host_name(text: &str) -> Result<Host, String> {
    Host::parse(text).map_err(|error| format!("{error}: {}", error.advice()))
}

/// How many connections a gateway has room for follows from this: a shell's usual 1,024 descriptors are some 190 for an agent.
fn open_as_many_as_allowed() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused, there are fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
