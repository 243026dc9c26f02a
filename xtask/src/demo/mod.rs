//! `cargo xtask demo`: the main job and the gateway with the real programs, told step by step. Every claim is checked; one that
//! does not hold ends the demo with an error.

mod files;
mod gateway;
mod leak;
mod machine;
mod server;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::cargo::{bin_dir, cargo, run as run_program};
use crate::say;
use files::{API_USER, DEPLOYMENT, GROUP, KEYS, ORG, OWNER, PASSWORD};
use machine::Machine;
use server::Server;

/// What happens to the server when everything held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The server is stopped and its directory removed.
    Stop,
    /// The server goes on, and the reader is told how to use and stop it.
    Keep,
}

/// The demo, in a new temporary directory, with two machines that have nothing but their own empty homes.
pub(crate) fn run(after: After) -> Result<()> {
    run_program(&mut cargo(&["build", "--locked", "-p", "keyward-server", "-p", "keyward", "--bins"]))?;
    let dir = tempfile::Builder::new().prefix("keyward-demo.").tempdir().context("no temporary directory")?;
    let bin = bin_dir()?;

    heading("A server: one binary, embedded SQLite, a free port of this machine");
    let server = Server::start(&bin, &dir.path().join("server"))?;
    let laptop = Machine::new("laptop", dir.path(), &bin)?;
    let agent = Machine::new("agent", dir.path(), &bin)?;

    sign_up(&laptop, server.url())?;
    import(&laptop)?;
    let agent = allow(&laptop, &agent, server.url())?;
    evaluate(&agent)?;
    explain(&laptop)?;
    look_for_leaks(&server, &laptop, &agent)?;
    revoke(&laptop, &agent)?;
    gateway::show(&server, &laptop, dir.path(), &bin)?;

    say::out("\nEverything held.");
    if after == After::Keep {
        keep(dir, server, &laptop, &bin);
    }
    Ok(())
}

fn sign_up(laptop: &Machine, url: &str) -> Result<()> {
    heading("The owner signs an organisation up");
    laptop.file("password", &format!("{PASSWORD}\n"))?;
    laptop.run(
        "The password never leaves the laptop: the server gets a value derived from it.",
        &format!(
            "keyward init --url {url} --org '{ORG}' --email {OWNER} \
    --password-stdin --recovery-kit recovery-kit.txt <password"
        ),
    )?;
    let mode = laptop.capture("stat -c %a recovery-kit.txt")?;
    ensure!(mode.trim() == "600", "the recovery kit's mode is {}, not 600", mode.trim());
    Ok(())
}

fn import(laptop: &Machine) -> Result<()> {
    heading("A .env file goes in");
    laptop.file(".env", files::DOTENV)?;
    laptop.run(
        "An everyday file: comments, quotes, several lines, an AWS pair, a Windows line.",
        "cat -A .env | sed 's/\\$$//'",
    )?;
    laptop.run(
        "A deployment says which key arrives under which variable name.",
        &format!("keyward deployment create {DEPLOYMENT}"),
    )?;
    laptop.run(
        "Each key is encrypted here, under its own data key, and all are stored in one write.",
        &format!("keyward key import .env --map {DEPLOYMENT}"),
    )?;
    Ok(())
}

/// Gives the agent's group all but the excluded keys; returns the agent with its token.
fn allow(laptop: &Machine, agent: &Machine, url: &str) -> Result<Machine> {
    heading("An AI agent gets a token, for less than everything");
    laptop.run("A group is who may read.", &format!("keyward group create {GROUP}"))?;
    let excluded: Vec<&str> = KEYS.iter().filter(|key| key.excluded).map(|key| key.name).collect();
    laptop.run(
        "The group reads the deployment without these keys. An exclusion wins over every inclusion.",
        &format!("keyward group assign {GROUP} {DEPLOYMENT} --exclude {}", excluded.join(" --exclude ")),
    )?;
    laptop.run(
        "The token is all there is on stdout, once.",
        &format!("keyward api-user create {API_USER} --group {GROUP} >token"),
    )?;
    let output = laptop.capture("cat token")?;
    let token = output.strip_suffix('\n').unwrap_or_default();
    ensure!(is_token(token), "stdout of `api-user create` is not one token on one line");
    say::out(&format!("  | a file with one line, {} characters: {:.10}…", token.len(), token));
    Ok(agent.clone().with("KEYWARD_URL", url).with("KEYWARD_TOKEN", token))
}

fn evaluate(agent: &Machine) -> Result<()> {
    heading("Another machine, an empty home, a URL and a token");
    let before = agent.variables("")?;
    let after = agent.variables(&format!("set -eu\n{EVAL}"))?;
    agent.show("The one line that programs need. No file is written, nothing is asked.", EVAL);
    for key in KEYS {
        let found = after.get(key.name);
        match (found, key.excluded) {
            (None, true) => say::out(&format!("  | {:<24} absent: excluded", key.name)),
            (Some(value), false) if value == key.value => {
                say::out(&format!("  | {:<24} there, byte for byte ({} bytes)", key.name, value.len()));
            }
            (Some(_), true) => anyhow::bail!("{} is excluded, and arrived", key.name),
            (None, false) => anyhow::bail!("{} is allowed, and did not arrive", key.name),
            (Some(_), false) => anyhow::bail!("{} arrived with another value than was imported", key.name),
        }
    }
    let unknown: Vec<&str> = after
        .keys()
        .filter(|name| !before.contains_key(*name) && !KEYS.iter().any(|key| key.name == *name))
        .map(String::as_str)
        .collect();
    ensure!(unknown.is_empty(), "variables that nobody mapped: {}", unknown.join(", "));
    let files = agent.capture("find . -mindepth 1")?;
    ensure!(files.is_empty(), "the agent's home should be empty, but holds:\n{files}");
    Ok(())
}

fn explain(laptop: &Machine) -> Result<()> {
    heading("The owner asks who reads what, and whether the record is whole");
    let access = laptop.run(
        "Every variable with the path that grants it, every other with the reason.",
        &format!("keyward access {API_USER}"),
    )?;
    for key in KEYS {
        ensure!(access.contains(key.name), "`keyward access` does not mention {}", key.name);
    }
    laptop
        .run("The server's chain of audit entries, from the last one seen here.", "keyward audit verify")?;
    Ok(())
}

fn look_for_leaks(server: &Server, laptop: &Machine, agent: &Machine) -> Result<()> {
    heading("What the server, its database and its log know");
    let mut secrets: Vec<(String, String)> =
        [("organisation", ORG), ("deployment", DEPLOYMENT), ("group", GROUP)]
            .into_iter()
            .chain([("API user", API_USER), ("password", PASSWORD)])
            .map(|(what, text)| (format!("the {what}'s name or text"), text.to_owned()))
            .collect();
    secrets.push(("the API token".to_owned(), agent.value("KEYWARD_TOKEN").to_owned()));
    let kit = laptop.capture("grep -o 'kwr1_[a-z2-7_]*' recovery-kit.txt")?;
    secrets.push(("the recovery secret".to_owned(), kit.trim().to_owned()));
    for key in KEYS {
        secrets.push((format!("the name {}", key.name), key.name.to_owned()));
        for line in key.value.lines().filter(|line| line.len() >= 8) {
            secrets.push((format!("the value of {}", key.name), line.to_owned()));
        }
    }
    say::out("  # Each name and value, as it is, in hexadecimal and in base64, in every file of the server.");
    let seen = leak::search(server.dir(), &secrets)?;
    ensure!(seen.found.is_empty(), "the server holds what it must not:\n  {}", seen.found.join("\n  "));
    // The same search must find something the server does know, or it proves nothing.
    let control = leak::search(server.dir(), &[("the owner's e-mail address".to_owned(), OWNER.to_owned())])?;
    ensure!(!control.found.is_empty(), "the search does not even find the e-mail address: it is broken");
    say::out(&format!(
        "  | {} texts sought in {} files ({} KiB): none found.",
        secrets.len(),
        seen.files,
        seen.bytes / 1024
    ));
    say::out(&format!(
        "  | The owner's e-mail address, which it may know, is found in {}.",
        control.found.len()
    ));
    Ok(())
}

fn revoke(laptop: &Machine, agent: &Machine) -> Result<()> {
    heading("The token is revoked");
    laptop.run("", &format!("keyward api-user revoke {API_USER}"))?;
    let script = format!("set -e\n{EVAL}\necho the program starts");
    let (status, stdout) =
        agent.try_run("The script stops instead of starting without its keys.", &script)?;
    ensure!(!status.success(), "the script went on with a revoked token");
    ensure!(stdout.is_empty(), "the script printed `{stdout}` with a revoked token");
    say::out("  | stopped: the program did not start");
    let (status, stdout) = agent.try_run("", ENV_FILE)?;
    ensure!(status.code() == Some(3), "a refused credential should end with 3, not {status}");
    ensure!(stdout == "false\n", "a failure should print `false` and nothing else, not `{stdout}`");
    say::out("  | exit code 3: credential refused");
    Ok(())
}

fn keep(dir: tempfile::TempDir, server: Server, laptop: &Machine, bin: &Path) {
    let dir = dir.keep();
    let (url, home) = (server.url().to_owned(), laptop.home().join(".keyward"));
    let process = server.leave_running();
    say::out(&format!(
        "
The server goes on. To be its owner:

export PATH=\"{bin}:$PATH\" KEYWARD_URL={url} KEYWARD_HOME={home}
keyward deployment list
keyward api-user create another --group {GROUP}

The owner is {OWNER}, the password is in {password}. To stop and remove everything:

kill {process}; rm -r {dir}",
        bin = bin.display(),
        home = home.display(),
        password = laptop.home().join("password").display(),
        dir = dir.display(),
    ));
}

fn heading(text: &str) {
    say::out(&format!("\n== {text}"));
}

/// kwt1_ and three parts of 26, 52 and 6 characters of lower-case base32.  CRYPTO.md §2.8
fn is_token(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let base32 = |part: &str| part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    matches!(parts.as_slice(), ["kwt1", id, secret, check]
        if (id.len(), secret.len(), check.len()) == (26, 52, 6) && [id, secret, check].iter().all(|part| base32(part)))
}

const ENV_FILE: &str = "keyward deployment env-file production --stdout";
const EVAL: &str = "eval $(keyward deployment env-file production --stdout)";
