//! A database of a test's own in the cluster that `KEYWARD_TEST_POSTGRES` names, and statements by hand.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::process::{Command, Output};

use keyward_crypto::random_bytes;

/// A fresh database, dropped with its server.
pub(crate) struct Database {
    /// The database's URL.
    pub(crate) url: String,
    name: String,
}

impl Database {
    /// An empty one.
    pub(crate) fn create() -> Self {
        Self::like("template1")
    }

    /// Another database with the same content. Nobody may be connected to this one.
    pub(crate) fn duplicate(&self) -> Self {
        Self::like(&self.name)
    }

    fn like(template: &str) -> Self {
        let name = format!("test_{}", data_encoding::HEXLOWER.encode(&random_bytes::<12>()));
        psql(&cluster(), &format!("create database {name} template {template}"));
        let (server, _) = cluster().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        Self { url: format!("{server}/{name}"), name }
    }

    /// The database's URL for clients that go through `relay`.
    pub(crate) fn url_through(&self, relay: SocketAddr) -> String {
        self.url.replace(host_of(&self.url), &relay.to_string())
    }

    /// Every row of every table, binary columns in hexadecimal and as text.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let tables = psql(&self.url, "select tablename from pg_tables where schemaname = 'public'");
        let mut bytes = Vec::new();
        for table in tables.lines() {
            // hex(bytea) would hide a text: each row once as PostgreSQL writes it, once with its bytes decoded.
            let rows = psql(&self.url, &format!("select to_json(t) from {table} t"));
            for word in rows.split(|c: char| !c.is_ascii_alphanumeric()) {
                if let Ok(decoded) = word
                    .strip_prefix('x')
                    .map_or(Err(()), |hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).map_err(drop))
                {
                    bytes.extend(decoded);
                }
            }
            bytes.extend(rows.into_bytes());
        }
        bytes
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A test that fails has its own words; the cluster dies with the run anyway.
        let statement = format!("drop database if exists {} with (force)", self.name);
        let _ = Command::new("psql").args(["-d", &cluster(), "-c", &statement]).output();
    }
}

/// The address that the cluster listens at.
pub(crate) fn cluster_address() -> SocketAddr {
    host_of(&cluster()).to_socket_addrs().unwrap().next().unwrap()
}

/// `host:port` of `postgres://user:password@host:port/name`.
fn host_of(url: &str) -> &str {
    let (_, rest) = url.split_once('@').unwrap();
    rest.split('/').next().unwrap()
}

fn cluster() -> String {
    std::env::var("KEYWARD_TEST_POSTGRES").expect(
        "KEYWARD_TEST_POSTGRES names no PostgreSQL: run `cargo xtask test`, or export the line that \
         `cargo xtask postgres` prints",
    )
}

/// The answer of PostgreSQL to a statement.
pub(crate) fn psql(url: &str, statement: &str) -> String {
    let output =
        Command::new("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]).output();
    text_of(output.expect("psql is installed"), statement)
}

/// The answer of SQLite to a statement.
pub(crate) fn sqlite(file: &Path, statement: &str) -> String {
    let output = Command::new("sqlite3").args(["-cmd", ".timeout 10000"]).arg(file).arg(statement).output();
    text_of(output.expect("sqlite3 is installed"), statement)
}

fn text_of(output: Output, statement: &str) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{statement}`: {error}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
