//! The only SQL. Rows in, rows out: who may read or write is decided in [`crate::access`], and a function that hands out
//! somebody's sealed data takes a witness made there.
//!
//! | file | tables |
//! |---|---|
//! | `engine` | SQLite and PostgreSQL behind one face |
//! | `many` | one insert for many rows |
//! | `migrate` | the schema and its versions |
//! | `server` | the server's own row |
//! | `orgs` | organisations, ORG, root envelopes, escrows |
//! | `identities`, `credentials`, `sessions` | who, how they sign in, that they did |
//! | `agents` | clients of gateways, their groups and granted keys |
//! | `networks` | from where people have signed in |
//! | `retention` | rows whose time is over |
//! | `relations` | groups, deployments, mappings, assignments, exclusions |
//! | `secrets`, `views` | keys and versions; views and grants |
//! | `audit` | the chain and what its filters need |
//! | `files` | whether SQLite's files still have their names |
//! | `wipe` | superseded envelopes leave SQLite's files |
//! | `snapshot`, `check` | reading everything at once, and whether it fits together |
//! | `copy` | everything from one database into another: backups |
//! | `state`, `apply` | all relations at once: loaded for a check, changed by a checked write |

mod agents;
mod apply;
mod audit;
mod check;
mod copy;
mod credential_kind;
mod credentials;
mod engine;
mod error;
mod files;
mod identities;
mod many;
mod migrate;
mod networks;
mod orgs;
mod relations;
mod retention;
mod schema;
mod secrets;
mod server;
mod sessions;
mod snapshot;
mod state;
mod views;
mod wipe;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, Sqlite, SqlitePool, Transaction};

pub use audit::{AuditFilter, AuditRow, ObjectKind, ObjectRow};
pub use check::{Links, ObjectPage, Page, RootRow, Sealed, SecretRow};
pub use copy::Manifest;
pub use credentials::StoredCredential;
pub use engine::Tx;
pub use error::StoreError;
use files::{Files, LogSeen};
pub use orgs::{NOBODY, OrgRow};
pub use retention::Swept;
pub use schema::Column;
pub use sessions::{NewSession, SignedIn};

/// The log target under which the database's driver writes lines of its own.
pub const DRIVER_LOG_TARGET: &str = "sqlx";

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    /// The files of a SQLite database that is served from. `None` for all others.
    files: Option<Arc<Files>>,
    clock: ClockOffset,
    audited: Audited,
}

/// How much was audited, for the metrics. Cheap to clone.
#[derive(Clone)]
pub struct Audited {
    /// Entries that were made durable.
    pub entries: Counter,
    /// How many entries each commit made durable.
    pub per_commit: Histogram,
}

impl Default for Audited {
    fn default() -> Self {
        // 1, 2, 4 … 256.
        Self { entries: Counter::default(), per_commit: Histogram::new((0..9).map(|n| f64::from(1 << n))) }
    }
}

#[derive(Clone)]
enum Pool {
    /// One connection: SQLite has one writer anyway, and every request writes an audit entry.
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A number of milliseconds that is added to the database's clock: zero, except in tests, which would otherwise wait for expiry.
#[derive(Clone, Default)]
pub struct ClockOffset(Arc<AtomicI64>);

impl ClockOffset {
    /// Moves the clock of every store that was opened with this offset by `ms` milliseconds.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Store {
    /// Opens the SQLite file, making it if need be, and brings its schema up to date. The caller sets its mode.
    pub async fn open_sqlite(file: &Path, clock: ClockOffset) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT)
            .statement_cache_capacity(STATEMENTS)
            // `secure_delete` overwrites deleted envelopes in the file with zeros; [`wipe`] empties the log beside the file.
            .pragma("secure_delete", "on");
        let log_seen = LogSeen::default();
        let connected = log_seen.clone();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT)
            .after_connect(move |_, _| {
                connected.forget();
                Box::pin(async { Ok(()) })
            })
            // SQLite ends a transaction by itself after some failures, such as a full disk. The driver cannot roll it back then,
            // takes it for open, and begins no other on this connection, ever.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        // A later connection must not make an empty database in the place of one that is gone.
        pool.set_connect_options(options.create_if_missing(false));
        let files = Files::of(file, log_seen).map_err(sqlx::Error::Io)?;
        Self { files: Some(Arc::new(files)), ..Self::over(Pool::Sqlite(pool), clock) }.up_to_date().await
    }

    /// Connects to PostgreSQL and brings the schema up to date.
    ///
    /// TLS is used as `sslmode` in the URL says; without it, as `prefer` says.
    pub async fn open_postgres(url: &str, clock: ClockOffset) -> Result<Self, StoreError> {
        let options = postgres_options(url)?;
        reach(&options).await?;
        let pool =
            PgPoolOptions::new().max_connections(16).acquire_timeout(WAIT).connect_with(options).await?;
        Self::over(Pool::Postgres(pool), clock).up_to_date().await
    }

    async fn up_to_date(self) -> Result<Self, StoreError> {
        migrate::migrate(&self).await?;
        self.refuse_changed_schema().await?;
        Ok(self)
    }

    fn over(pool: Pool, clock: ClockOffset) -> Self {
        Self { pool, files: None, clock, audited: Audited::default() }
    }

    /// Whether a transaction is alone in the whole store, not only in its organisation.
    pub fn has_one_writer(&self) -> bool {
        matches!(self.pool, Pool::Sqlite(_))
    }

    /// A transaction that may write. On SQLite it is alone from here on; on PostgreSQL an organisation is locked by
    /// [`Tx::lock_org`], and every statement after that sees what the holders of the lock before it committed.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pool {
            Pool::Sqlite(pool) => engine::Inner::Sqlite(self.begin_sqlite(pool).await?),
            Pool::Postgres(pool) => match pool.begin().await {
                Ok(begun) => engine::Inner::Postgres(begun),
                // The pool retries, and then says only that time is up. If the pool had room for more connections, none could be
                // made.
                Err(sqlx::Error::PoolTimedOut) if pool.size() < pool.options().get_max_connections() => {
                    return Err(no_answer());
                }
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Tx::new(inner, self))
    }

    async fn begin_sqlite(&self, pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let begun = pool.begin_with("begin immediate").await;
        if begun.is_ok() {
            self.check_files()?;
        } else if let Some(files) = &self.files {
            files.check_database()?;
        }
        Ok(begun?)
    }

    /// Checks that what is written is found again.
    fn check_files(&self) -> Result<(), StoreError> {
        self.files.as_ref().map_or(Ok(()), |files| files.check())
    }

    /// The database answers and is at this program's schema version.
    pub async fn is_ready(&self) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let current = migrate::is_current(&mut tx).await?;
        tx.rollback().await?;
        Ok(current)
    }

    /// Prepares every statement of the server, so that a test can hold both engines to all of them.
    ///
    /// Err names the first that the engine refuses.
    pub async fn prepare_all(&self) -> Result<usize, String> {
        let inserts =
            [apply::inserts(), audit::inserts()].into_iter().flatten().flat_map(many::Insert::statements);
        let all = ALL
            .iter()
            .flat_map(|(file, statements)| statements.iter().map(move |(name, sql)| (*file, *name, *sql)))
            .chain(inserts.map(|sql| ("inserts", sql, sql)));
        let mut count = 0;
        for (file, name, sql) in all {
            let mut tx = self.begin().await.map_err(|error| error.cause())?;
            let prepared: Result<(), sqlx::Error> = engine::on!(tx, connection => {
                connection.prepare(sqlx::SqlSafeStr::into_sql_str(sql)).await.map(|_| ())
            });
            prepared.map_err(|error| format!("{file}::{name}: {error}"))?;
            count += 1;
        }
        Ok(count)
    }

    /// How much was audited since the store was opened.
    pub fn audited(&self) -> &Audited {
        &self.audited
    }

    /// Connections to the database: how many are open, and how many of those are idle.
    pub fn connections(&self) -> (u32, u32) {
        let (open, idle) = match &self.pool {
            Pool::Sqlite(pool) => (pool.size(), pool.num_idle()),
            Pool::Postgres(pool) => (pool.size(), pool.num_idle()),
        };
        (open, u32::try_from(idle).unwrap_or(u32::MAX))
    }

    /// `sqlite` or `postgres`.
    pub fn engine_name(&self) -> &'static str {
        match &self.pool {
            Pool::Sqlite(_) => "sqlite",
            Pool::Postgres(_) => "postgres",
        }
    }

    /// Waits for running transactions and closes every connection.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(StoreError::Url);
    }
    check_url_options(url)?;
    let options: PgConnectOptions = url.parse()?;
    Ok(options.statement_cache_capacity(STATEMENTS).application_name("keyward-server").options([
        ("default_transaction_isolation", "read committed"),
        ("lock_timeout", "10s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "60s"),
    ]))
}

/// Refuses options that the driver does not know, which it would pass over: a mistyped `sslmode` would leave TLS out. One that is
/// given twice has no one meaning.
fn check_url_options(url: &str) -> Result<(), StoreError> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let names =
        || query.split('&').filter_map(|option| option.split('=').next()).filter(|name| !name.is_empty());
    let is_known = |name: &str| URL_OPTIONS.contains(&name) || name.starts_with("options[");
    // `ssl-mode` is `sslmode`.
    let plain = |name: &str| name.replace('-', "");
    let is_twice = |name: &str| names().filter(|other| plain(other) == plain(name)).count() > 1;
    if names().all(|name| is_known(name) && !is_twice(name)) { Ok(()) } else { Err(StoreError::UrlOption) }
}

/// The options of a PostgreSQL address that the driver reads.
const URL_OPTIONS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Makes one connection, at once. A pool would retry, and then say only that time is up.
async fn reach(options: &PgConnectOptions) -> Result<(), StoreError> {
    let tried = tokio::time::timeout(WAIT, PgConnection::connect_with(options)).await;
    match tried {
        Err(_) => Err(no_answer()),
        Ok(connected) => Ok(connected?.close().await?),
    }
}

fn no_answer() -> StoreError {
    StoreError::Unreachable(format!("no answer within {} s", WAIT.as_secs()))
}

impl Tx {
    /// The present moment by the database's clock, in milliseconds UTC.
    pub async fn now(&mut self) -> Result<i64, StoreError> {
        let sql = match &self.inner {
            engine::Inner::Sqlite(_) => "select cast(unixepoch('subsec') * 1000 as integer) as now",
            // Not `now()`, which is when the transaction began, before it waited for a lock.
            engine::Inner::Postgres(_) => {
                "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now"
            }
        };
        Ok(self.one(sql, vec![]).await?.int("now")? + self.clock_offset_ms)
    }
}

/// Every statement, by file.
const ALL: &[(&str, &[(&str, &str)])] = &[
    ("agents", agents::ALL),
    ("apply", apply::ALL),
    ("audit", audit::ALL),
    ("check", check::ALL),
    ("copy", copy::ALL),
    ("credentials", credentials::ALL),
    ("identities", identities::ALL),
    ("migrate", migrate::ALL),
    ("networks", networks::ALL),
    ("orgs", orgs::ALL),
    ("relations", relations::ALL),
    ("retention", retention::ALL),
    ("secrets", secrets::ALL),
    ("server", server::ALL),
    ("sessions", sessions::ALL),
    ("state", state::ALL),
    ("views", views::ALL),
];

/// How many statements a connection keeps prepared: all of them. By default a driver keeps 100, and prepares again.
const STATEMENTS: usize = 512;

/// How long a request waits for a connection, or for the present writer to finish.
const WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_the_address_that_would_be_passed_over_is_refused() {
        for good in [
            "",
            "?sslmode=verify-full&sslrootcert=/ca.pem",
            "?options[search_path]=keyward",
            "?host=/run/pg&",
        ] {
            assert!(postgres_options(&format!("postgres://u:p@h/d{good}")).is_ok(), "{good}");
        }
        for bad in [
            "?sslmod=verify-full",
            "?SSLMODE=require",
            "?ssl_mode=require",
            "?sslmode=require&sslmode=disable",
            "?sslmode=require&ssl-mode=disable",
            "?hunter2",
        ] {
            let error = postgres_options(&format!("postgres://u:p@h/d{bad}")).unwrap_err();
            assert!(matches!(error, StoreError::UrlOption), "{bad}");
            assert!(!error.cause().contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_cannot_be_reached() {
        // A port that was free a moment ago, with nobody on it.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let url = format!("postgres://keyward:hunter2@127.0.0.1:{port}/keyward");
        let opened = Store::open_postgres(&url, ClockOffset::default()).await;
        let cause = opened.err().unwrap().cause();
        assert_eq!(cause, "it cannot be reached: connection refused");
    }
}
