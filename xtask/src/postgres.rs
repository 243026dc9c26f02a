//! A throw-away PostgreSQL cluster for tests.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::cargo::is_root;
use crate::say;

/// A running cluster; dropping it stops the server and removes its data.
///
/// `postgres.sh` watches over the server and ends with its standard input, so a killed parent leaves nothing behind.
pub(crate) struct Postgres {
    keeper: Child,
    url: String,
}

impl Postgres {
    /// Starts a new, empty cluster on a free loopback port.
    pub(crate) fn start() -> Result<Self> {
        let programs =
            programs().context("PostgreSQL is not installed (Debian: apt-get install postgresql)")?;
        // Another program may take the port between its choice and its use.
        for _ in 0..2 {
            match Self::start_on(&programs, free_port()?) {
                Ok(postgres) => return Ok(postgres),
                Err(error) => say::talk(&format!("    trying another port: {error:#}")),
            }
        }
        Self::start_on(&programs, free_port()?)
    }

    /// `postgres://user:password@127.0.0.1:port/postgres`; the user may create databases.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn start_on(programs: &Path, port: u16) -> Result<Self> {
        let mut keeper = unprivileged("sh")?
            .args(["-c", include_str!("postgres.sh"), "postgres.sh"])
            .arg(programs)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the shell that keeps PostgreSQL")?;
        let mut url = String::new();
        let ready = BufReader::new(keeper.stdout.take().context("no output from PostgreSQL's keeper")?)
            .read_line(&mut url)
            .context("cannot read PostgreSQL's address")?;
        let postgres = Self { keeper, url: url.trim_end().to_owned() };
        if ready == 0 {
            bail!("PostgreSQL did not start on port {port}; its own words are above");
        }
        Ok(postgres)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // `wait` closes the keeper's standard input first, which is the word to stop.
        _ = self.keeper.wait();
    }
}

/// `cargo xtask postgres`: a cluster until Ctrl-C.
pub(crate) fn foreground() -> Result<()> {
    let mut postgres = Postgres::start()?;
    say::talk("PostgreSQL runs until Ctrl-C; its data goes with it. In another terminal:");
    say::out(&format!("export KEYWARD_TEST_POSTGRES={}", postgres.url()));
    let word_to_stop = postgres.keeper.stdin.take();
    let ended = postgres.keeper.wait();
    drop(word_to_stop);
    bail!("PostgreSQL's keeper ended by itself: {}", ended?)
}

/// The directory with `initdb` and `pg_ctl`: Debian's newest, else wherever `PATH` has them.
pub(crate) fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = debian
        .filter_map(|version| {
            Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .max();
    newest.map(|(_, bin)| bin).or_else(|| {
        let path = std::env::vars_os().find(|(name, _)| name == "PATH")?.1;
        std::env::split_paths(&path).find(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
    })
}

/// A command as an ordinary user: PostgreSQL refuses to run as root.
fn unprivileged(program: &str) -> Result<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let users = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let user = ["postgres", "nobody"].iter().find_map(|name| {
        let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    let (uid, gid) = user.context("there is neither a user postgres nor nobody to run PostgreSQL as")?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &uid, "--regid", &gid, "--clear-groups", "--", program]);
    Ok(command)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}
