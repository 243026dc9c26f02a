//! `keyward doctor --proxy`: does each program of this machine work behind a gateway, and how? Each makes a real request, through
//! a gateway of this moment, to a service in this process.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use keyward_gateway::auth::PREFIX;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::check::Check;
use super::programs::{NOT_THERE, PROGRAMS, Program, Way};
use crate::api::agent::usable_keys;
use crate::fault::printable;
use crate::launch;
use crate::process_env::ProcessEnv;
use crate::proxy::bypass::bypasses_gateway;
use crate::proxy::trial::Trial;
use crate::proxy::variables::{GatewayAddress, variables};
use crate::session::files;
use crate::text::count;

/// The gateway that the variables here lead to, if they do, and each program that is on PATH.
pub(super) async fn look(env: &ProcessEnv) -> Vec<Check> {
    let mut checks = vec![own(env).await];
    let trial = match Trial::new() {
        Ok(trial) => Arc::new(trial),
        Err(error) => {
            checks.push(Check::of_error("trial", &error));
            return checks;
        }
    };
    let mut trying = JoinSet::new();
    let here = PROGRAMS.iter().filter(|program| is_on_path(env, program.runs));
    for (at, program) in here.enumerate() {
        let trial = Arc::clone(&trial);
        trying.spawn(async move { (at, found(&trial, program).await) });
    }
    let mut found: Vec<(usize, Option<Check>)> = trying.join_all().await;
    found.sort_by_key(|(at, _)| *at);
    checks.extend(found.into_iter().filter_map(|(_, check)| check));
    if checks.len() == 1 {
        checks.push(Check::warn(
            "programs",
            "none of those that can be tried is on PATH",
            "see docs/GATEWAY.md",
        ));
    }
    checks
}

/// The gateway of this environment.
async fn own(env: &ProcessEnv) -> Check {
    let proxy = env.variable("HTTPS_PROXY").or_else(|| env.variable("https_proxy"));
    let proxy = proxy.and_then(|proxy| proxy.to_str()).and_then(parts);
    let Some((credential, at)) = proxy else {
        return Check::ok(
            "gateway",
            "HTTPS_PROXY here leads to none; programs are tried with one of their own",
        );
    };
    match usable_keys(at, credential).await {
        Ok(keys) => {
            let usable = count(keys.len(), "key");
            Check::ok("gateway", format!("{} serves this agent, with {usable}", printable(at, 100)))
        }
        Err(error) => Check::of_error("gateway", &error),
    }
}

/// Credential and address of `http://any:kwp1_…@HOST:PORT`.
fn parts(proxy: &str) -> Option<(&str, &str)> {
    let (user, at) = proxy.strip_prefix("http://")?.rsplit_once('@')?;
    let (_, credential) = user.split_once(':')?;
    credential.starts_with(PREFIX).then_some((credential, at.trim_end_matches('/')))
}

/// Looks at what becomes of a program's request. `None` if the program lacks something to make one.
async fn found(trial: &Trial, program: &'static Program) -> Option<Check> {
    let mut said = String::new();
    for (at, way) in program.ways.iter().enumerate() {
        let path = format!("{}-{at}", program.name);
        match run(trial, program, way, &path).await {
            Ok((code, _)) if code == Some(NOT_THERE) => return None,
            Ok(_) if trial.was_served(&path) && way.how.is_empty() => {
                return Some(Check::ok(program.name, way.found));
            }
            Ok(_) if trial.was_served(&path) => {
                return Some(Check::warn(
                    program.name,
                    "works, but not by the variables alone",
                    format!("it needs {}", way.how),
                ));
            }
            Ok((_, text)) => said = text,
            Err(error) => said = error.to_string(),
        }
    }
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it made no request").trim();
    let found = format!("no request of it arrived: {}", printable(said, 200));
    Some(Check::warn(program.name, found, program.next))
}

/// Runs a program. Returns its exit code, and what it wrote to standard error.
async fn run(
    trial: &Trial,
    program: &Program,
    way: &Way,
    path: &str,
) -> anyhow::Result<(Option<i32>, String)> {
    let room = trial.room(path)?;
    let folder = room.display().to_string();
    if let Some((name, text)) = way.file {
        files::write(&room.join(name), text.as_bytes())?;
    }
    let (pem, java) = (trial.trust.pem.to_string_lossy(), trial.trust.java.to_string_lossy());
    let url = if way.by_address { trial.base_url(path) } else { trial.url(path) };
    let words = way
        .words
        .iter()
        .map(|word| word.replace("{url}", &url).replace("{folder}", &folder).replace("$SSL_CERT_FILE", &pem));
    let words: Vec<OsString> =
        std::iter::once(program.runs.to_owned()).chain(words).map(Into::into).collect();
    let mut command = Command::from(launch::command(&words, None)?);
    // Many read settings from the folder they start in and from all above it, which in /tmp are anybody's.
    command.current_dir("/").kill_on_drop(true);
    let (credential, direct) = (&trial.credential, &[]);
    let place = GatewayAddress {
        at: &trial.at,
        agent: "doctor",
        credential,
        bundle: &pem,
        java: Some(&java),
        direct,
    };
    for (name, _) in std::env::vars_os().filter(|(name, value)| bypasses_gateway(name, value)) {
        command.env_remove(name);
    }
    for (name, value) in variables(&place) {
        command.env(name, value.as_str());
    }
    let own: [(&str, Zeroizing<String>); 9] = [
        ("KEYWARD_TRIAL", credential.clone()),
        ("CARGO_NET_RETRY", Zeroizing::new("0".to_owned())),
        ("PIP_CONFIG_FILE", Zeroizing::new("/dev/null".to_owned())),
        ("PIP_EXTRA_INDEX_URL", Zeroizing::default()),
        ("PIP_FIND_LINKS", Zeroizing::default()),
        ("GOPROXY", Zeroizing::new(url.clone())),
        ("GONOSUMDB", Zeroizing::new("*".to_owned())),
        ("GO111MODULE", Zeroizing::new("on".to_owned())),
        ("GOTOOLCHAIN", Zeroizing::new("local".to_owned())),
    ];
    for (name, value) in own {
        command.env(name, value.as_str());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.context("it did not end in time")??;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn is_on_path(env: &ProcessEnv, program: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    env.path().iter().any(|folder| {
        let facts = folder.join(program).metadata();
        facts.is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    })
}

/// Time limit for one request of a program, its start included.
const PATIENCE: Duration = Duration::from_secs(30);
