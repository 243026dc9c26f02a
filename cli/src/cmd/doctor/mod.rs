//! `keyward doctor`: what stands in the way, and what to do about it. It changes nothing.

mod check;
mod credential;
mod environment;
mod files;
mod mapping_file;
#[cfg(feature = "gateway")]
mod programs;
#[cfg(feature = "gateway")]
mod proxy;
mod server;
mod shell;
mod token_file;

use clap::Args;
use serde_json::json;

use self::check::{Check, State};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::process_env::ProcessEnv;
use crate::text::count;

/// Look for what stands in the way: server, clock, TLS, files, credential, shell, environment
///
/// Changes nothing and asks nothing; each line says what was found and what to do. Whoever is signed in is asked for on the
/// server, which is an entry of its audit log. The exit code is that of the first failure.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward doctor --json\n  keyward doctor --proxy")]
pub struct Options {
    /// Instead, try the programs on PATH behind a gateway: each makes a request to a service that is there for it, and only on this
    /// machine
    #[cfg(feature = "gateway")]
    #[arg(long)]
    proxy: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let checks = self.look(ctx, &ProcessEnv::read()).await;
        report(ctx, &checks)?;
        let failed: Vec<&Check> = checks.iter().filter(|check| check.is_failure()).collect();
        match failed.first().and_then(|first| first.code()) {
            Some(code) => Err(Fault::new(code, format!("{} found", count(failed.len(), "failure"))).into()),
            None => Ok(()),
        }
    }

    async fn look(&self, ctx: &Ctx, env: &ProcessEnv) -> Vec<Check> {
        #[cfg(feature = "gateway")]
        if self.proxy {
            return proxy::look(env).await;
        }
        look(ctx, env).await
    }
}

async fn look(ctx: &Ctx, env: &ProcessEnv) -> Vec<Check> {
    let mut checks = vec![Check::ok("client", format!("keyward {}", env!("CARGO_PKG_VERSION")))];
    checks.push(environment::path(env));
    let (kept, login) = files::look(ctx);
    checks.extend(kept);
    let (check, found) = credential::look(ctx, login.as_ref());
    checks.push(check);
    checks.extend(token_file::look(ctx.env.token_file.as_deref()));
    let is_named = ctx.global.url.is_some() || login.is_some();
    // What cannot be read may well name one.
    let (server, is_there) =
        if !is_named && checks.iter().any(|check| check.name == "files" && check.is_failure()) {
            let why = "not looked at: the configuration, which may name one, cannot be used";
            (vec![Check::skipped("server", why)], false)
        } else {
            server::look(ctx, login.as_ref(), is_named).await
        };
    checks.extend(server);
    match found {
        Some(found) if is_there => checks.extend(credential::access(ctx, &found).await),
        Some(_) => checks.push(Check::skipped("access", "not looked at, for the server is not there")),
        None => {}
    }
    checks.push(mapping_file::look());
    checks.extend(shell::look(env));
    checks.push(environment::proxies(env));
    checks.extend(environment::variables(env));
    checks
}

fn report(ctx: &Ctx, checks: &[Check]) -> anyhow::Result<()> {
    if ctx.out.json {
        let shown = checks.iter().map(|check| {
            json!({ "check": check.name, "state": check.state.word(), "found": check.found, "next": check.next.as_deref().unwrap_or_default() })
        });
        return ctx.out.json(&json!({ "checks": shown.collect::<Vec<_>>() }));
    }
    for check in checks {
        let state = ctx.out.paint_for_stdout(check.state.colour(), &format!("{:4}", check.state.word()));
        ctx.out.line(&format!("{state}  {:11}  {}", check.name, check.found))?;
        if let Some(next) = &check.next {
            ctx.out.line(&format!("      {:11}  → {next}", ""))?;
        }
    }
    let number = |state: State| checks.iter().filter(|check| check.state.word() == state.word()).count();
    let warnings = number(State::Warn);
    if warnings > 0 {
        ctx.out.say(&count(warnings, "warning"));
    }
    Ok(())
}
