//! Databases that no server serves from: those that are only read, in one snapshot while others write, and backups.

use std::path::Path;

use sqlx::Executor as _;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::engine::{Inner, Tx};
use super::{ClockOffset, Pool, Store, StoreError, WAIT, migrate, postgres_options, reach};

impl Store {
    /// Opens an existing SQLite file, to read it. A server may be using it: readers of a write-ahead log wait for nobody, and
    /// nobody waits for them.
    pub async fn read_sqlite(file: &Path) -> Result<Self, StoreError> {
        Self::sqlite(existing(file).busy_timeout(WAIT).pragma("query_only", "on")).await
    }

    /// Opens a backup, to read it. Nobody writes it, and no file is made beside it: its directory may be read-only.
    pub async fn read_backup(file: &Path) -> Result<Self, StoreError> {
        Self::sqlite(existing(file).read_only(true).immutable(true)).await
    }

    /// Makes a SQLite database of the empty file: one file, with nothing beside it. It is durable only once it is closed and
    /// synced.
    pub async fn create_backup(file: &Path) -> Result<Self, StoreError> {
        let options = existing(file)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off);
        let store = Self::sqlite(options).await?;
        migrate::migrate(&store).await?;
        Ok(store)
    }

    async fn sqlite(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let pool =
            SqlitePoolOptions::new().max_connections(1).acquire_timeout(WAIT).connect_with(options).await?;
        Ok(Self::over(Pool::Sqlite(pool), ClockOffset::default()))
    }

    /// Connects to PostgreSQL, to read it.
    pub async fn read_postgres(url: &str) -> Result<Self, StoreError> {
        // Reading a large database takes time, and locks nobody out meanwhile.
        let options = postgres_options(url)?
            .options([("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")]);
        reach(&options).await?;
        let pool =
            PgPoolOptions::new().max_connections(1).acquire_timeout(WAIT).connect_with(options).await?;
        Ok(Self::over(Pool::Postgres(pool), ClockOffset::default()))
    }

    /// An empty database in memory, with this program's schema.
    pub(super) async fn in_memory() -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            // The database lives as long as its connection.
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        let store = Self::over(Pool::Sqlite(pool), ClockOffset::default());
        migrate::migrate(&store).await?;
        Ok(store)
    }

    /// A transaction that may write, without a time limit.
    pub async fn begin_at_length(&self) -> Result<Tx, StoreError> {
        let mut tx = self.begin().await?;
        if let Inner::Postgres(transaction) = &mut tx.inner {
            transaction.execute("set local statement_timeout = 0").await?;
            transaction.execute("set local idle_in_transaction_session_timeout = 0").await?;
        }
        Ok(tx)
    }

    /// A transaction that reads one state of everything, whatever is written meanwhile.
    pub async fn snapshot(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pool {
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin_with("begin").await?),
            Pool::Postgres(pool) => {
                Inner::Postgres(pool.begin_with("begin isolation level repeatable read read only").await?)
            }
        };
        let mut tx = Tx::new(inner, self);
        // SQLite takes its snapshot when a table is first read.
        tx.look().await?;
        Ok(tx)
    }
}

fn existing(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(file).create_if_missing(false)
}
