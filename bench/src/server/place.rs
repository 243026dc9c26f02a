//! Where a server keeps its data, and an organisation of one API user to ask it for.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use keyward_crypto::{Token, derive_secret};

use crate::common::lab::{Lab, Machine, Server};

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// The place's name, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A database; dropped with it.
pub(super) struct Place {
    /// Directory of the lab.
    pub(super) name: String,
    /// Address of a database of its own in the cluster, on PostgreSQL.
    pub(super) url: Option<String>,
}

impl Place {
    /// An empty one, for this.
    ///
    /// # Errors
    /// If there is no cluster, or it refuses.
    pub(super) fn new(engine: Engine, what: &str) -> Result<Self> {
        let name = format!("bench_{}_{what}", engine.name().to_lowercase());
        if engine == Engine::Sqlite {
            return Ok(Self { name, url: None });
        }
        // As a cluster is that is not thrown away: a commit is on the disk.
        for setting in ["fsync", "full_page_writes"] {
            sql(&cluster()?, &format!("alter system set {setting} = on"))?;
        }
        sql(&cluster()?, "select pg_reload_conf()")?;
        sql(&cluster()?, &format!("drop database if exists {name}"))?;
        sql(&cluster()?, &format!("create database {name}"))?;
        let (server, _) =
            cluster()?.rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).context("a URL")?;
        Ok(Self { url: Some(format!("{server}/{name}")), name })
    }

    /// A server over it.
    ///
    /// # Errors
    /// If it does not come up.
    pub(super) fn serve(&self, lab: &Lab) -> Result<Server> {
        let flags = self.url.iter().flat_map(|url| ["--database-url", url]).map(OsStr::new);
        Server::start(lab, &self.name, &flags.collect::<Vec<_>>())
    }

    /// Runs statements in it; no server may run over it on SQLite.
    ///
    /// # Errors
    /// If one of them fails.
    pub(super) fn sql(&self, lab: &Lab, statements: &str) -> Result<String> {
        match &self.url {
            Some(url) => sql(url, statements),
            None => output(Command::new("sqlite3").arg(self.file(lab)).arg(statements)),
        }
    }

    /// SQLite's file.
    pub(super) fn file(&self, lab: &Lab) -> PathBuf {
        lab.path(&self.name).join("data/keyward.sqlite3")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.url.is_some() {
            // The cluster may be gone already, and takes its databases along.
            _ = cluster().and_then(|url| sql(&url, &format!("drop database {} with (force)", self.name)));
        }
    }
}

/// Founds an organisation with so many keys in one deployment; the `Authorization` of an API user that reads them.
///
/// # Errors
/// If the client fails.
pub(super) fn found(lab: &Lab, server: &Server, name: &str, keys: usize) -> Result<String> {
    let owner = Machine::new(lab, &format!("{name}-owner"))?;
    let lines: Vec<String> = (0..keys).map(|n| format!("SERVICE_{n:04}_API_KEY=sk_live_{n:032x}")).collect();
    let file = lab.write(&format!("{name}.env"), lines.join("\n"))?;
    let file = file.to_str().context("a temporary directory in UTF-8")?;
    let code = lab.path(name).join("data/setup-code");
    let code = std::fs::read_to_string(code).unwrap_or_default();
    let mut words = vec!["init", "--org", "Bench", "--email", "olga@bench.example", "--password-stdin"];
    words.extend(["--recovery-kit", "kit.txt", "--url", &server.url]);
    if !code.trim().is_empty() {
        words.extend(["--setup-code", code.trim()]);
    }
    owner.ok(&words, "canary-tulip-gravel-mosaic-lantern-orbit")?;
    owner.ok(&["deployment", "create", "production"], "")?;
    owner.ok(&["key", "import", file, "--map", "production"], "")?;
    owner.ok(&["group", "create", "agents"], "")?;
    owner.ok(&["group", "assign", "agents", "production"], "")?;
    let token = owner.ok(&["api-user", "create", "robot", "--group", "agents"], "")?;
    let token = Token::parse(token.trim()).context("the token")?;
    let authorization = derive_secret(token.id, &token.secret).auth.authorization(token.id);
    Ok(authorization.to_string())
}

/// The cluster that `cargo xtask bench` started.
fn cluster() -> Result<String> {
    std::env::var("KEYWARD_TEST_POSTGRES")
        .context("KEYWARD_TEST_POSTGRES names no PostgreSQL: run `cargo xtask bench`, or export what `cargo xtask postgres` prints")
}

fn sql(url: &str, statements: &str) -> Result<String> {
    output(Command::new("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statements]))
}

fn output(command: &mut Command) -> Result<String> {
    let output =
        command.output().with_context(|| format!("{} did not start", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", command.get_program().display());
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
