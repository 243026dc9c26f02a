//! What can go wrong between the server and its database.

use std::io::ErrorKind;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An id, an e-mail or another unique thing is taken.
    #[error("something unique is taken")]
    Taken,
    /// A number of the request is larger than 2^63 − 1.
    #[error("a number is too large to be stored")]
    TooLarge,
    /// No connection was free, or a lock was not, within the time limit.
    #[error("the database is busy")]
    Busy,
    /// A stored row is not what this program wrote.
    #[error("column {column} does not hold what belongs there")]
    Inconsistent {
        /// The column.
        column: &'static str,
    },
    /// A statement that must change exactly one row changed another number of them.
    #[error("{rows} rows were changed in place of one")]
    WrongCount {
        /// How many rows it changed.
        rows: u64,
    },
    /// The database is of a newer keyward.
    #[error(
        "the database has schema version {found}, this program knows {known}: it belongs to a newer keyward-server. \
         Start that one, or restore a backup made before the upgrade."
    )]
    NewerSchema {
        /// The version in the database.
        found: i64,
        /// The newest version that this program has.
        known: i64,
    },
    /// An applied migration is not the one that this program has.
    #[error(
        "migration {version} in the database differs from this program's: it was not made by this keyward-server"
    )]
    ForeignSchema {
        /// The migration's number.
        version: i64,
    },
    /// The tables are not as the migrations made them.
    #[error(
        "its schema was changed by hand: {}. Undo that (`keyward-server check` looks at it), or restore a backup",
        some_of(differences)
    )]
    ChangedSchema {
        /// What is missing and what is foreign, in words.
        differences: Vec<String>,
    },
    /// `--database-url` is not a PostgreSQL address.
    #[error("the database URL must start with postgres:// or postgresql://; without one, SQLite is used")]
    Url,
    /// The PostgreSQL address has an option that is unknown, or stands twice. Which one is not said: it may be half a password.
    #[error(
        "the database URL has an option that is unknown, or has one twice; for TLS they are sslmode, sslrootcert, sslcert and sslkey. A \
         ? in a password is written %3F"
    )]
    UrlOption,
    /// Nothing answers at the address that talks like a database.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// No room is left on the database's disk.
    #[error("its disk is full")]
    Full,
    /// The database can be read and not written: its disk is read-only, or it is a stand-by.
    #[error("it is read-only, or a file of it belongs to another user")]
    ReadOnly,
    /// SQLite's files were deleted or replaced under the running server: what it writes would be lost.
    #[error(
        "its files were deleted or replaced under the running server, which therefore does nothing: put them back, or stop the \
         server and restore a backup"
    )]
    Gone,
    /// A failure of the database or of the connection to it.
    #[error("database failure")]
    Driver(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the database's files are not what the engine wrote.
    pub fn is_damage(&self) -> bool {
        // SQLITE_CORRUPT and its variants, SQLITE_NOTADB; PostgreSQL: data_corrupted, index_corrupted.
        const CODES: [&str; 7] = ["11", "267", "523", "779", "26", "XX001", "XX002"];
        let Self::Driver(error) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| CODES.contains(&&*code))
    }

    /// The cause for the log: the kind of failure and the database's own code, never its text, which may quote data.
    pub fn cause(&self) -> String {
        match self {
            Self::Driver(error) => match error.as_database_error() {
                Some(database) => explained(&database.code().unwrap_or_default()),
                None => driver_kind(error),
            },
            other => other.to_string(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => return Self::Busy,
            sqlx::Error::Io(error) => return Self::Unreachable(unreachable(error.kind())),
            // A connection that ended during a statement looks like this to the next statement.
            sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
                return Self::Unreachable("its connection broke".to_owned());
            }
            _ => {}
        }
        let Some(database) = error.as_database_error() else { return Self::Driver(error) };
        if database.is_unique_violation() {
            return Self::Taken;
        }
        match database.code().as_deref() {
            // SQLITE_BUSY and its variants; PostgreSQL: lock_not_available, query_canceled, deadlock, serialization.
            Some("5" | "261" | "517" | "773" | "55P03" | "57014" | "40P01" | "40001") => Self::Busy,
            // SQLITE_FULL; PostgreSQL: disk_full.
            Some("13" | "53100") => Self::Full,
            // SQLITE_READONLY and its variants; PostgreSQL: read_only_sql_transaction.
            Some("8" | "264" | "520" | "776" | "1032" | "1288" | "1544" | "25006") => Self::ReadOnly,
            // PostgreSQL: ended by its operator, crashed, still starting.
            Some(code @ ("57P01" | "57P02" | "57P03")) => Self::Unreachable(format!("database error {code}")),
            _ => Self::Driver(error),
        }
    }
}

fn unreachable(kind: ErrorKind) -> String {
    let meaning = match kind {
        ErrorKind::NotFound => "there is no such socket, or no such file as sslrootcert names",
        // What rustls says of a certificate comes as this.
        ErrorKind::InvalidData => {
            "its answer cannot be used; if it has TLS, its certificate is not trusted or is for another name (sslmode, sslrootcert)"
        }
        ErrorKind::Other => "its name cannot be found, or the connection to it failed",
        _ => return kind.to_string(),
    };
    meaning.to_owned()
}

/// The database's own code, and what it means where an operator can do something about it.
fn explained(code: &str) -> String {
    let meaning = match code {
        "28P01" | "28000" => "it does not let this user in with this password",
        "3D000" => "there is no such database: create it, with its user as the owner",
        "3F000" => "its user's schema is not there: create it, or set another search_path",
        "42501" => {
            "its user lacks a right: let it own the database, or grant it `create` on the schema and all rights on its tables"
        }
        "53300" => "it has as many connections as it takes: each keyward-server makes up to 16",
        "11" | "267" | "523" | "779" | "26" => {
            "its file is damaged, or is none of a database: keep it, look at it with `keyward-server check`, and restore a backup"
        }
        "14" => "its file, or a folder on the way to it, cannot be opened by this user",
        _ => return format!("database error {code}"),
    };
    format!("{meaning} (database error {code})")
}

/// The first few, and how many more there are.
fn some_of(differences: &[String]) -> String {
    const FEW: usize = 3;
    let said = differences.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join("; ");
    match differences.len().saturating_sub(FEW) {
        0 => said,
        more => format!("{said}; and {more} more"),
    }
}

fn driver_kind(error: &sqlx::Error) -> String {
    let kind = match error {
        sqlx::Error::Tls(_) => "TLS to the database failed",
        sqlx::Error::Configuration(_) => {
            "the database URL cannot be understood; in a password, @ / # ? and % are written %40 %2F %23 %3F and %25"
        }
        sqlx::Error::PoolClosed => "shutting down",
        sqlx::Error::WorkerCrashed => "database worker ended",
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            "unexpected row"
        }
        _ => "database driver",
    };
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_told_from_a_busy_database() {
        let broken = StoreError::from(sqlx::Error::Io(ErrorKind::ConnectionReset.into()));
        assert_eq!(broken.cause(), "it cannot be reached: connection reset");
        assert!(matches!(StoreError::from(sqlx::Error::PoolTimedOut), StoreError::Busy));
    }

    #[test]
    fn a_code_is_explained_where_an_operator_can_help() {
        assert!(explained("42501").starts_with("its user lacks a right: "));
        assert_eq!(explained("XX000"), "database error XX000");
    }
}
