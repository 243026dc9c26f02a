//! The real server program, started for one test and killed at its end.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::database::{Database, psql, sqlite};
use crate::http::{self, Answer, Request};
use crate::machine::{Ended, run};
use crate::relay::Relay;

/// The database of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite in the server's data directory.
    Sqlite,
    /// A fresh database of the cluster that `KEYWARD_TEST_POSTGRES` names.
    Postgres,
}

/// A running `keyward-server`.
pub struct Server {
    process: Child,
    /// The address that the server listens at.
    pub address: SocketAddr,
    database: Option<Arc<Database>>,
    /// What it is told of its database, if that is elsewhere.
    database_url: Option<String>,
    dir: TempDir,
}

impl Server {
    /// Starts one with its defaults, on a free port.
    pub fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[])
    }

    /// Starts one with these flags too.
    pub fn start_with(engine: Engine, flags: &[&str]) -> Self {
        let database = (engine == Engine::Postgres).then(Database::create).map(Arc::new);
        let database_url = database.as_ref().map(|database| database.url.clone());
        Self::over(database, database_url, flags)
    }

    /// Starts one on PostgreSQL that reaches its database through this relay.
    pub fn start_through(relay: &Relay) -> Self {
        let database = Arc::new(Database::create());
        let url = database.url_through(relay.address());
        Self::over(Some(database), Some(url), &[])
    }

    /// Another server process over the same database, with a data directory of its own.
    #[must_use]
    pub fn twin(&self) -> Self {
        assert!(self.database.is_some(), "two processes cannot share SQLite");
        Self::over(self.database.clone(), self.database_url.clone(), &[])
    }

    fn over(database: Option<Arc<Database>>, database_url: Option<String>, flags: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("keyward-test.").tempdir().unwrap();
        let (process, address) = launch(dir.path(), database_url.as_deref(), flags);
        Self { process, address, database, database_url, dir }
    }

    /// Kills it and starts it again over the same data, on another port.
    pub fn restart(&mut self) {
        self.stop();
        (self.process, self.address) = launch(self.dir.path(), self.database_url.as_deref(), &[]);
    }

    /// Kills it, as a power cut would.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// A backup of everything it keeps, taken while it is down. It goes on afterwards.
    pub fn back_up(&mut self) -> Backup {
        self.stop();
        let data = tempfile::Builder::new().prefix("keyward-test.").tempdir().unwrap();
        copy(&self.data(), data.path());
        let database = self.database.as_ref().map(|database| database.duplicate());
        self.restart();
        Backup { data, database }
    }

    /// What was backed up, in place of what it keeps now.
    pub fn restore(&mut self, backup: Backup) {
        self.stop();
        fs::remove_dir_all(self.data()).unwrap();
        fs::DirBuilder::new().mode(0o700).create(self.data()).unwrap();
        copy(backup.data.path(), &self.data());
        self.database = backup.database.map(Arc::new);
        self.database_url = self.database.as_ref().map(|database| database.url.clone());
        self.restart();
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        self.ask_to_end();
        self.wait()
    }

    /// Asks it to end.
    pub fn ask_to_end(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Asks it to read its certificate anew.
    pub fn ask_to_reload(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.process.wait().unwrap()
    }

    /// Runs another `keyward-server WORD…` over the same data, to its end.
    pub fn another(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(program("keyward-server"));
        command.args(words).env_clear().env("KEYWARD_SERVER_DATA", self.data()).current_dir(self.dir.path());
        if let Some(database) = &self.database {
            command.env("KEYWARD_SERVER_DATABASE_URL", &database.url);
        }
        run(command, b"")
    }

    /// Everything that the server has written to stdout.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.dir.path().join("out")).unwrap()
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends a request by hand.
    pub fn send(&self, request: &Request) -> Answer {
        http::send(self.address, request).unwrap()
    }

    /// Everything that the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// The server's data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Every byte it keeps or wrote: its files, its log, and a dump of its database if that is elsewhere.
    pub fn everything(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        gather(self.dir.path(), &mut bytes);
        if let Some(database) = &self.database {
            bytes.extend(database.dump());
        }
        bytes
    }

    /// The answer of the database to a statement: rows in lines, columns between `|`.
    pub fn sql(&self, statement: &str) -> String {
        match &self.database {
            Some(database) => psql(&database.url, statement),
            None => sqlite(&self.sqlite_file(), statement),
        }
    }

    /// The URL of the server's PostgreSQL database.
    pub fn postgres_url(&self) -> &str {
        &self.database.as_ref().expect("it keeps its data in SQLite").url
    }

    /// An expression for a binary column in lower-case hexadecimal.
    pub fn hex(&self, column: &str) -> String {
        match &self.database {
            Some(_) => format!("encode({column}, 'hex')"),
            None => format!("lower(hex({column}))"),
        }
    }

    /// The file of its SQLite database.
    pub fn sqlite_file(&self) -> PathBuf {
        self.data().join("keyward.sqlite3")
    }
}

/// A backup of what a server kept.
pub struct Backup {
    data: TempDir,
    database: Option<Database>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program of this workspace, beside the test that runs.
pub fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let path = profile.join(name);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask test`, or `cargo build --workspace --bins`",
        path.display()
    );
    path
}

/// A statement to a SQLite file that is nobody's.
pub fn change_file(file: &Path, statement: &str) -> String {
    sqlite(file, statement)
}

/// Waits until `ready` says so.
///
/// # Panics
/// After half a minute, with `what`.
pub fn wait_until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {} s for {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn launch(dir: &Path, database_url: Option<&str>, flags: &[&str]) -> (Child, SocketAddr) {
    let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
    let out = dir.join("out");
    let mut command = Command::new(program("keyward-server"));
    command
        .args(["--data", "data", "--listen", "127.0.0.1:0", "--log", "trace"])
        .args(flags)
        .env_clear()
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(log);
    if let Some(url) = database_url {
        command.env("KEYWARD_SERVER_DATABASE_URL", url);
    }
    let mut process = command.spawn().unwrap();
    let address = wait_until("the server's ready line", || {
        if let Some(status) = process.try_wait().unwrap() {
            panic!("keyward-server ended with {status}:\n{}", fs::read_to_string(dir.join("log")).unwrap());
        }
        address(&fs::read_to_string(&out).unwrap())
    });
    (process, address)
}

fn address(text: &str) -> Option<SocketAddr> {
    let line = text.strip_suffix('\n')?;
    line.rsplit_once("://")?.1.parse().ok()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn gather(path: &Path, bytes: &mut Vec<u8>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            gather(&entry.unwrap().path(), bytes);
        }
    } else if path.is_file() {
        bytes.extend(fs::read(path).unwrap());
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
