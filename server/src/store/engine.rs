//! The two engines behind one face: every statement is written once, in the SQL that both understand.
//!
//! A statement takes `$1`-style binds as [`Arg`]s and answers [`Row`]s; [`on!`] repeats one body for each engine and is
//! used in this directory's plumbing only. Ids and blobs are bytes, times are `bigint` milliseconds, there are no JSON
//! operators. What truly differs (opening, locking, the clock, the catalogue) is in [`super`] and [`super::migrate`].

use std::sync::atomic::Ordering;

use keyward_wire::id::Id;
use keyward_wire::{Envelope, Nonce, Salt, Sha256};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Row as _, Transaction};

use super::wipe::wipe;
use super::{Store, StoreError};

/// A transaction. Dropped without [`Tx::commit`], it leaves no trace.
pub struct Tx {
    pub(super) inner: Inner,
    pub(super) clock_offset_ms: i64,
    /// Whether the transaction deletes or replaces an envelope.
    pub(super) supersedes: bool,
    /// How many audit entries the transaction adds.
    pub(super) audited: u32,
    store: Store,
}

pub(super) enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// `on!(tx, connection => body)`: the same body for whichever engine.
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match &mut $tx.inner {
            $crate::store::engine::Inner::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
            $crate::store::engine::Inner::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        }
    };
}
pub(super) use on;

/// `statements! { NAME = "select …"; }`: the SQL of a file, by name, and `ALL` of it, so that each can be prepared.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(const $name: &str = $sql;)*
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}
pub(super) use statements;

/// Binds an [`Arg`] of whichever kind.
macro_rules! bind {
    ($query:ident, $arg:ident) => {
        match $arg {
            Arg::Int(value) => $query.bind(value),
            Arg::Bytes(value) => $query.bind(value),
            Arg::Text(value) => $query.bind(value),
        }
    };
}

pub(super) use bind;

/// `args![org, seq]`: the binds of a statement, `$1` first.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::engine::Arg::from($value)),*] };
}
pub(super) use args;

impl Tx {
    pub(super) fn new(inner: Inner, store: &Store) -> Self {
        let clock_offset_ms = store.clock.0.load(Ordering::SeqCst);
        Self { inner, clock_offset_ms, supersedes: false, audited: 0, store: store.clone() }
    }

    /// Makes the transaction durable, and the envelopes that it supersedes unreadable.
    pub async fn commit(self) -> Result<(), StoreError> {
        // Again, since the transaction may have taken long; not afterwards, when the connection may be closed already and the log
        // with it.
        self.store.check_files()?;
        match self.inner {
            Inner::Sqlite(transaction) => transaction.commit().await?,
            Inner::Postgres(transaction) => transaction.commit().await?,
        }
        if self.audited > 0 {
            self.store.audited.entries.inc_by(self.audited.into());
            self.store.audited.per_commit.observe(self.audited.into());
        }
        if self.supersedes {
            wipe(&self.store).await;
        }
        Ok(())
    }

    /// Undoes the transaction and waits until that is done. Dropping it does the same a little later.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self.inner {
            Inner::Sqlite(transaction) => transaction.rollback().await?,
            Inner::Postgres(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }

    /// Runs a statement, and returns how many rows it changed.
    pub(super) async fn execute(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<u64, StoreError> {
        on!(self, connection => {
            let mut query = sqlx::query(sql);
            for arg in args {
                query = bind!(query, arg);
            }
            Ok(query.execute(connection).await?.rows_affected())
        })
    }

    /// Runs a statement that must change exactly one row.
    pub(super) async fn execute_one(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<(), StoreError> {
        match self.execute(sql, args).await? {
            1 => Ok(()),
            rows => Err(StoreError::WrongCount { rows }),
        }
    }

    /// All rows of a query.
    pub(super) async fn all(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        on!(self, connection => {
            let mut query = sqlx::query(sql);
            for arg in args {
                query = bind!(query, arg);
            }
            Ok(query.fetch_all(connection).await?.into_iter().map(Row::from).collect())
        })
    }

    /// The only row of a query, if there is one.
    pub(super) async fn optional(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.all(sql, args).await?.into_iter().next())
    }

    /// The only row of a query.
    pub(super) async fn one(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Row, StoreError> {
        self.optional(sql, args).await?.ok_or(StoreError::WrongCount { rows: 0 })
    }
}

/// A value bound to a place of a statement. Every kind may be null.
#[derive(Clone)]
pub(super) enum Arg {
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Text(Option<String>),
}

macro_rules! arg {
    ($($from:ty => |$value:ident| $arg:expr;)*) => {$(
        impl From<$from> for Arg {
            fn from($value: $from) -> Self {
                $arg
            }
        }
    )*};
}

arg! {
    i64 => |value| Self::Int(Some(value));
    Option<i64> => |value| Self::Int(value);
    &str => |value| Self::Text(Some(value.to_owned()));
    Option<&str> => |value| Self::Text(value.map(str::to_owned));
    Sha256 => |value| Self::Bytes(Some(value.as_bytes().to_vec()));
    Nonce => |value| Self::Bytes(Some(value.as_bytes().to_vec()));
    Option<Salt> => |value| Self::Bytes(value.map(|salt| salt.as_bytes().to_vec()));
    &Envelope => |value| Self::Bytes(Some(value.as_bytes().to_vec()));
    &[u8] => |value| Self::Bytes(Some(value.to_vec()));
}

/// Ids bind as their 16 bytes.
pub(super) fn id(id: impl Id) -> Arg {
    Arg::Bytes(Some(id.as_bytes().to_vec()))
}

/// Absent ids bind as null.
pub(super) fn maybe_id(id: Option<impl Id>) -> Arg {
    Arg::Bytes(id.map(|id| id.as_bytes().to_vec()))
}

/// Unsigned numbers of the wire bind as `bigint`.
pub(super) fn int(n: u64) -> Result<Arg, StoreError> {
    i64::try_from(n).map(Arg::from).map_err(|_| StoreError::TooLarge)
}

/// A row. Its readers check what they read: the database is not trusted to hold what this program wrote.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self::Sqlite(row)
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self::Postgres(row)
    }
}

macro_rules! column {
    ($row:expr, $column:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($column),
            Row::Postgres(row) => row.try_get($column),
        }
        .map_err(|_| StoreError::Inconsistent { column: $column })
    };
}

impl Row {
    pub(super) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        column!(self, column)
    }

    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        column!(self, column)
    }

    pub(super) fn count(&self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|_| StoreError::Inconsistent { column })
    }

    pub(super) fn size(&self, column: &'static str) -> Result<usize, StoreError> {
        usize::try_from(self.int(column)?).map_err(|_| StoreError::Inconsistent { column })
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        column!(self, column)
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        column!(self, column)
    }

    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        column!(self, column)
    }

    pub(super) fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        column!(self, column)
    }

    pub(super) fn array<const N: usize>(&self, column: &'static str) -> Result<[u8; N], StoreError> {
        self.bytes(column)?.try_into().map_err(|_| StoreError::Inconsistent { column })
    }

    pub(super) fn id<T: Id>(&self, column: &'static str) -> Result<T, StoreError> {
        self.array(column).map(T::from_bytes)
    }

    pub(super) fn maybe_id<T: Id>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let bytes = self.maybe_bytes(column)?;
        let array = |bytes: Vec<u8>| bytes.try_into().map_err(|_| StoreError::Inconsistent { column });
        Ok(bytes.map(array).transpose()?.map(T::from_bytes))
    }

    pub(super) fn sha256(&self, column: &'static str) -> Result<Sha256, StoreError> {
        self.array(column).map(Sha256::from_bytes)
    }

    pub(super) fn nonce(&self, column: &'static str) -> Result<Nonce, StoreError> {
        self.array(column).map(Nonce::from_bytes)
    }

    pub(super) fn envelope(&self, column: &'static str) -> Result<Envelope, StoreError> {
        Envelope::from_bytes(self.bytes(column)?).map_err(|_| StoreError::Inconsistent { column })
    }

    /// A word of a closed list, such as a role.
    pub(super) fn word<T: Copy>(
        &self,
        column: &'static str,
        words: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<T, StoreError> {
        let text = self.text(column)?;
        let word = words.iter().copied().find(|word| as_str(*word) == text);
        word.ok_or(StoreError::Inconsistent { column })
    }
}
