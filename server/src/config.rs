//! Settings: flags and environment variables, read once.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::store::StoreError;

/// The command line.
#[derive(Parser)]
#[command(
    name = "keyward-server",
    version,
    about = "keyward's server: keeps sealed secrets it cannot open, and who may read which",
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  keyward-server --data /var/lib/keyward --listen 127.0.0.1:8420"
)]
pub struct Cli {
    /// Nothing said: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// For serving without the word.
    #[command(flatten)]
    pub serve: ServeArgs,
}

impl Cli {
    /// The command line and the environment of this process. Ends the process if it cannot be understood.
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read, once")]
    pub fn read() -> Self {
        let mut command = without_empty_variables(Self::command(), |name| std::env::var_os(name));
        let matches = command.get_matches_mut();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// Makes an empty variable count as unset: container tools pass variables that nobody set as empty ones.
fn without_empty_variables(command: clap::Command, read: fn(&OsStr) -> Option<OsString>) -> clap::Command {
    let command = command.mut_args(|arg| {
        let is_empty = arg.get_env().and_then(read).is_some_and(|value| value.is_empty());
        if is_empty { arg.env(Resettable::Reset) } else { arg }
    });
    command.mut_subcommands(|inner| without_empty_variables(inner, read))
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve (the default)
    #[command(
        after_help = "Example:\n  keyward-server serve --listen 0.0.0.0:8420 --tls-cert chain.pem --tls-key key.pem"
    )]
    Serve(Box<ServeArgs>),
    /// Bring the database up to date, and do nothing else
    #[command(after_help = "Example:\n  keyward-server migrate --database-url postgres://keyward@db/keyward")]
    Migrate(DatabaseArgs),
    /// Check everything that is stored, and change nothing; a server may be running
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Write everything into a new file; a server may be running
    #[command(after_help = BACKUP_HELP)]
    Backup(BackupArgs),
    /// Put a backup into an empty data directory or database
    #[command(after_help = RESTORE_HELP)]
    Restore(BackupArgs),
    /// Print the OpenAPI description of this server as JSON
    #[command(after_help = "Example:\n  keyward-server openapi > openapi.json")]
    Openapi,
}

const CHECK_HELP: &str = "\
Prints a line for each thing that is not as it must be, with ids only. Ends with 0 if there is none, with 6 if there are \
some, with 1 if the database cannot be read.

Example:
  keyward-server check --data /var/lib/keyward";

/// What to check, and how to say it.
#[derive(Args)]
pub struct CheckArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened")]
    pub database: DatabaseArgs,
    /// Print a JSON object a line: each finding, and at the end what was looked at
    #[arg(long)]
    pub json: bool,
}

const BACKUP_HELP: &str = "\
The file is a SQLite database, whichever engine the server uses, and can be restored into either. Nothing is overwritten. It \
holds no name and no value, but e-mail addresses and what a weak password can be guessed by: guard it like the server.

Example:
  keyward-server backup /backup/keyward-2026-11-26 --data /var/lib/keyward";

const RESTORE_HELP: &str = "\
All of it or nothing, checked before and after. Stop the server first. Clients that remember a newer state will refuse this \
one: the command ends with what to do.

Example:
  keyward-server restore /backup/keyward-2026-11-26 --data /var/lib/keyward";

/// Which file, and where the data is.
#[derive(Args)]
pub struct BackupArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened")]
    pub database: DatabaseArgs,
}

/// Where the data is.
#[derive(Args)]
pub struct DatabaseArgs {
    /// Directory for the database and the setup code
    #[arg(long, value_name = "DIR", env = "KEYWARD_SERVER_DATA", default_value = "./keyward-data")]
    pub data: PathBuf,
    /// PostgreSQL in place of the embedded SQLite: postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full
    #[arg(long, value_name = "URL", env = "KEYWARD_SERVER_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// How to serve.
#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened")]
    pub database: DatabaseArgs,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", env = "KEYWARD_SERVER_LISTEN", default_value = "127.0.0.1:8420")]
    pub listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "KEYWARD_SERVER_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", env = "KEYWARD_SERVER_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Who may create an organisation
    #[arg(long, value_name = "MODE", env = "KEYWARD_SERVER_SIGNUP", default_value = "first")]
    pub signup: Signup,
    /// Address under which clients reach this server through a proxy
    #[arg(long, value_name = "URL", env = "KEYWARD_SERVER_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Network of a proxy whose X-Forwarded-For is believed; may be repeated
    #[arg(
        long = "trusted-proxy",
        value_name = "CIDR",
        env = "KEYWARD_SERVER_TRUSTED_PROXY",
        value_delimiter = ',',
        value_parser = network
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// Address for GET /metrics, in clear text: loopback, or a network that only you read. Not served unless it is given
    #[arg(long, value_name = "ADDR", env = "KEYWARD_SERVER_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Form of the log on stderr
    #[arg(long, value_name = "FORM", env = "KEYWARD_SERVER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Least level that is logged: error, warn, info, debug or off
    #[arg(long, value_name = "LEVEL", env = "KEYWARD_SERVER_LOG", default_value = "info")]
    pub log: tracing_subscriber::filter::LevelFilter,
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| one()).map_err(|_| "write it as 10.0.0.0/8, or as one address".to_owned())
}

/// Who may create an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Signup {
    /// The first one may be created, with the setup code
    First,
    /// Anybody may create one
    Open,
    /// Nobody may
    Closed,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

/// The settings of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data directory.
    pub data: PathBuf,
    /// Address of a PostgreSQL database. `None` if the database is SQLite in the data directory.
    pub database_url: Option<String>,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Address and port to serve metrics at. `None` if they are not served.
    pub metrics_listen: Option<SocketAddr>,
    /// Certificate and key for TLS. `None` if the server speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Who may create an organisation.
    pub signup: Signup,
    /// The address under which clients reach the server through a proxy.
    pub public_url: Option<String>,
    /// Networks of the proxies whose X-Forwarded-For counts.
    pub trusted_proxies: Vec<IpNet>,
}

/// Certificate and key, PEM.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The server would listen beyond this machine without TLS: secrets would cross a network in the clear.
    #[error(
        "listening on {0} beyond this machine needs TLS: give --tls-cert and --tls-key, or --public-url https://… if a \
         proxy in front speaks TLS"
    )]
    Cleartext(SocketAddr),
    /// `--public-url` is no URL.
    #[error("--public-url must start with https:// or http://")]
    PublicUrl,
    /// Certificate or key cannot be used.
    #[error("{}: {what}", path.display())]
    #[expect(missing_docs, reason = "the names say it all")]
    Tls { path: PathBuf, what: &'static str },
    /// Others can read a file or directory that only the server may read.
    #[error("{0}: others on this machine can read it. Run: chmod {mode:o} {0}", path.display())]
    #[expect(missing_docs, reason = "the names say it all")]
    Loose { path: PathBuf, mode: u32 },
    /// Another process has the data directory.
    #[error(
        "another keyward-server uses {}: stop it first, or give this one its own --data. Only servers on one PostgreSQL \
         can share their data",
        .0.display()
    )]
    InUse(PathBuf),
    /// A file or directory cannot be used.
    #[error("cannot use {}", path.display())]
    #[expect(missing_docs, reason = "the names say it all")]
    File {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    /// The database cannot be used.
    #[error("cannot use the database: {}", .0.cause())]
    Store(StoreError),
}

/// The cause is in the message: the driver's own text may quote a password.
impl From<StoreError> for ConfigError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Config {
    /// The default settings, with this data directory.
    pub fn in_directory(data: PathBuf) -> Self {
        Self {
            data,
            database_url: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            metrics_listen: None,
            tls: None,
            signup: Signup::First,
            public_url: None,
            trusted_proxies: Vec::new(),
        }
    }

    /// Refuses what would put secrets on a network in the clear.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let behind_tls = match self.public_url.as_deref() {
            Some(url) if url.starts_with("https://") => true,
            Some(url) if !url.starts_with("http://") => return Err(ConfigError::PublicUrl),
            _ => false,
        };
        if self.listen.ip().to_canonical().is_loopback() || self.tls.is_some() || behind_tls {
            Ok(())
        } else {
            Err(ConfigError::Cleartext(self.listen))
        }
    }
}

impl Config {
    /// What an operator should be told at start, although the server can run that way.
    pub fn warning(&self) -> Option<&'static str> {
        (self.public_url.is_some() && self.trusted_proxies.is_empty()).then_some(
            "--public-url without --trusted-proxy: all clients have the proxy's address, in the audit, for the throttle and for \
             the limit of connections; one that guesses slows everybody",
        )
    }
}

impl From<DatabaseArgs> for Config {
    fn from(args: DatabaseArgs) -> Self {
        Self { database_url: args.database_url, ..Self::in_directory(args.data) }
    }
}

impl From<ServeArgs> for Config {
    fn from(args: ServeArgs) -> Self {
        Self {
            listen: args.listen,
            metrics_listen: args.metrics_listen,
            tls: args.tls_cert.zip(args.tls_key).map(|(cert, key)| TlsFiles { cert, key }),
            signup: args.signup,
            public_url: args.public_url,
            trusted_proxies: args.trusted_proxies,
            ..args.database.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let cli =
            Cli::try_parse_from(["keyward-server", "--data", "x", "--trusted-proxy", "10.0.0.0/8"]).unwrap();
        assert!(cli.command.is_none());
        assert!(Cli::try_parse_from(["keyward-server", "serve", "--listen", "127.0.0.1:0"]).is_ok());
        assert!(Cli::try_parse_from(["keyward-server", "migrate", "--data", "x"]).is_ok());
        assert!(Cli::try_parse_from(["keyward-server", "--tls-cert", "x"]).is_err());
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let command = without_empty_variables(Cli::command(), |name| {
            let value = if name == "KEYWARD_SERVER_DATA" { "/var/lib/keyward" } else { "" };
            Some(value.into())
        });
        let read = |command: &clap::Command| {
            command.get_arguments().filter_map(clap::Arg::get_env).map(OsStr::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(read(&command), ["KEYWARD_SERVER_DATA"]);
        assert_eq!(read(command.find_subcommand("serve").unwrap()), ["KEYWARD_SERVER_DATA"]);
        assert_eq!(read(command.find_subcommand("migrate").unwrap()), ["KEYWARD_SERVER_DATA"]);
    }

    #[test]
    fn a_proxy_whose_word_does_not_count_is_warned_of() {
        let mut config = Config::in_directory(PathBuf::new());
        assert!(config.warning().is_none());
        config.public_url = Some("https://keyward.example".to_owned());
        assert!(config.warning().is_some());
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        assert!(config.warning().is_none());
    }

    #[test]
    fn nothing_leaves_the_machine_in_the_clear() {
        let config = |listen: &str, url: Option<&str>| Config {
            listen: listen.parse().unwrap(),
            public_url: url.map(str::to_owned),
            ..Config::in_directory(PathBuf::new())
        };
        for bad in [config("0.0.0.0:1", None), config("[::]:1", None), config("10.0.0.1:1", Some("http://x"))]
        {
            assert!(matches!(bad.check(), Err(ConfigError::Cleartext(_))));
        }
        assert!(matches!(config("127.0.0.1:1", Some("x")).check(), Err(ConfigError::PublicUrl)));
        for good in
            [config("127.0.0.9:1", None), config("[::1]:1", None), config("0.0.0.0:1", Some("https://x"))]
        {
            good.check().unwrap();
        }
    }
}
