//! `keyward quickstart`: from nothing to a working `eval` line.
//!
//! It types the ordinary commands for its user, and shows them: whoever has seen it once knows how it is done. Each step
//! looks first whether it is done already, so that it can be run again whenever it was interrupted.

mod background_process;
mod local_server;
mod plan;
mod server_start;
mod steps;
mod systemd_service;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use clap::Args;
use keyward_crypto::state::org::Org;
use keyward_wire::name::{Email, Name};
use serde_json::json;

use self::plan::{Plan, ServerChoice, signed_in};
use self::steps::Steps;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::process_env::ProcessEnv;
use crate::session::config::Config;
use crate::session::credential::Credential;
use crate::session::home::Home;
use crate::text::quoted;
use crate::vault::admin::Session;
use crate::vault::fetch::fetch;
use crate::vault::freshness::Freshness;

/// Go from nothing to a working eval line: a server, an organisation, a deployment with your .env
///
/// Asks on a terminal for what no option says. Types ordinary commands for you and shows them; what is done already is not
/// done again, so it can be run again after an interruption.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward quickstart\n  \
    keyward quickstart --local --org Acme --email you@acme.example --env .env\n  \
    keyward quickstart --url https://keyward.example --email you@acme.example --password-stdin < password")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Options {
    /// Use a server on this machine, and start one if none runs
    #[arg(long)]
    local: bool,
    /// Address of the server on this machine [default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDR", requires = "local")]
    listen: Option<SocketAddr>,
    /// Start that server as a plain process even where systemd could keep it
    #[arg(long, requires = "local")]
    background: bool,
    /// Name of the organisation to found; without it, you sign in to one that is there. Whoever is signed in to another one
    /// already is refused
    #[arg(long, value_name = "NAME")]
    org: Option<Name>,
    /// Your e-mail address
    #[arg(long)]
    email: Option<Email>,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
    /// Write the recovery kit to this new file
    #[arg(long, value_name = "FILE")]
    recovery_kit: Option<PathBuf>,
    /// The server's one-time setup code
    #[arg(long, value_name = "CODE")]
    setup_code: Option<String>,
    /// Import this .env file
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
    /// The deployment to make and fill [default: production]
    #[arg(long, value_name = "NAME")]
    deployment: Option<Name>,
    /// Make a token for a machine, as this API user; it is printed once, on stdout
    #[arg(long, value_name = "NAME")]
    api_user: Option<Name>,
    /// The group that this API user is in [default: agents]
    #[arg(long, value_name = "NAME", requires = "api_user")]
    group: Option<Name>,
    /// Import the .env file of this folder without asking
    #[arg(long)]
    yes: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.env.token.is_some() || ctx.env.token_file.is_some() || ctx.env.token_unreadable {
            let fault = Fault::usage("a token is set, and this is for a person who signs in");
            return Err(fault.next("unset KEYWARD_TOKEN and KEYWARD_TOKEN_FILE").into());
        }
        if ctx.out.json && self.api_user.is_some() {
            let fault = Fault::usage("the token would stand in the middle of a document");
            return Err(fault.next("make it afterwards: keyward api-user create --json").into());
        }
        let home = Home::required(ctx)?;
        let login = Config::load(&home)?.login;
        let plan = Plan::make(ctx, self, login.as_ref())?;
        let url = match &plan.place {
            ServerChoice::Here { listen, background } => {
                local_server::ensure(ctx, &home, *listen, *background).await?
            }
            ServerChoice::At(url) => url.clone(),
        };
        let steps = Steps::new(ctx, &home)?;
        steps.sign_in(&plan, login.as_ref(), &url).await?;
        let deployment = fill(ctx, &steps, &plan).await?;
        let next = next_lines(ctx, &deployment);
        if ctx.out.json {
            return ctx.out.json(&json!({ "url": url, "deployment": deployment.name, "next": next }));
        }
        ctx.out.note("\nDone. Paste this, in a shell or script:");
        for line in &next {
            ctx.out.note(&format!("  {line}"));
        }
        Ok(())
    }
}

/// The things that the next lines are about.
struct Filled {
    name: String,
    is_empty: bool,
}

/// Makes the deployment and what belongs to it, as far as it is not there.
async fn fill(ctx: &Ctx, steps: &Steps<'_>, plan: &Plan) -> anyhow::Result<Filled> {
    let fetched = fetch(ctx, &Credential::find(ctx)?, &Freshness::default(), None).await?;
    fetched.remember(ctx);
    let here = &fetched.verified.view.org_name;
    if let Some(asked) = plan.org.as_ref().filter(|asked| *asked != here) {
        return Err(signed_in(&format!("this client is signed in to {here}, not {asked}")).into());
    }
    if !fetched.verified.administers {
        ctx.out.note("you are no owner or admin here: this is what you may use");
        let first = fetched.verified.view.deployments.first().ok_or_else(|| {
            Fault::new(Code::NotFound, "you may use no deployment yet")
                .next("ask an owner or admin to add you to a group")
        })?;
        return Ok(Filled { name: first.name.to_string(), is_empty: first.mappings.is_empty() });
    }
    let org = now(ctx).await?;
    let name = plan.deployment.as_str();
    if !org.deployments.iter().any(|deployment| deployment.name == plan.deployment) {
        steps.run(&["deployment", "create", name])?;
    }
    if let Some(file) = &plan.env {
        // What is there stays: somebody may have changed it since the file was written.
        let file = file.to_str().ok_or_else(|| Fault::usage("the file's name is not UTF-8"))?;
        steps.run(&["key", "import", file, "--map", name, "--on-conflict", "skip"])?;
    }
    if let Some(user) = &plan.api_user {
        let org = now(ctx).await?;
        api_user(&org, steps, plan, user, ctx)?;
    }
    let org = now(ctx).await?;
    let made = org.deployments.iter().find(|deployment| deployment.name == plan.deployment);
    Ok(Filled { name: name.to_owned(), is_empty: made.is_none_or(|made| made.mappings.is_empty()) })
}

fn api_user(org: &Org, steps: &Steps<'_>, plan: &Plan, user: &Name, ctx: &Ctx) -> anyhow::Result<()> {
    let (group, deployment) = (plan.group.as_str(), plan.deployment.as_str());
    let found = org.groups.iter().find(|one| one.name == plan.group);
    if found.is_none() {
        steps.run(&["group", "create", group])?;
    }
    let deployment_id = org.deployments.iter().find(|one| one.name == plan.deployment).map(|one| one.id);
    let is_assigned = org.assignments.iter().any(|assignment| {
        Some(assignment.group) == found.map(|group| group.id) && Some(assignment.deployment) == deployment_id
    });
    if !is_assigned {
        steps.run(&["group", "assign", group, deployment])?;
    }
    if org.identities.iter().any(|identity| identity.name == *user) {
        ctx.out.note(&format!(
            "{user} is there already; a new token: keyward api-user rotate {}",
            quoted(user.as_str())
        ));
        return Ok(());
    }
    steps.run_for_token(&["api-user", "create", user.as_str(), "--group", group])
}

async fn now(ctx: &Ctx) -> anyhow::Result<Rc<Org>> {
    Ok(Session::start(ctx).await?.open(ctx).await?.org)
}

fn next_lines(ctx: &Ctx, deployment: &Filled) -> Vec<String> {
    let mut lines = Vec::new();
    let name = quoted(&deployment.name);
    if let Some(home) = &ctx.global.home {
        // The lines are pasted anywhere.
        let home = std::path::absolute(home).unwrap_or_else(|_| home.clone());
        lines.push(format!("export KEYWARD_HOME={}", quoted(&home.display().to_string())));
    }
    if deployment.is_empty {
        lines.push("keyward key create DATABASE_URL".to_owned());
        lines.push(format!("keyward deployment map {name} DATABASE_URL"));
    }
    lines.push(match ProcessEnv::read().shell().as_deref() {
        Some("fish") => format!("keyward deployment env-file {name} --stdout --format fish | source"),
        _ => format!("eval $(keyward deployment env-file {name} --stdout)"),
    });
    lines.push(format!("keyward run {name} -- your-program"));
    lines
}
