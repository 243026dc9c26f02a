//! Whether SQLite's files still have their names. A file that was deleted or replaced under the running server goes on taking
//! writes, and nobody finds them again.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;

/// Device and inode of a file.
type Identity = (u64, u64);

/// The identity of the log that the connection writes. `None` before its first transaction: SQLite makes the log then.
#[derive(Clone, Default)]
pub(super) struct LogSeen(Arc<Mutex<Option<Identity>>>);

impl LogSeen {
    /// Notes that there is another connection, which may have made another log.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether this is the log that was seen before, or the first.
    fn is(&self, found: Identity) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(found) == found
    }
}

/// The files of an open database.
pub(super) struct Files {
    database: PathBuf,
    /// The log beside the database, which SQLite makes with its first connection and deletes after its last one.
    log: PathBuf,
    log_seen: LogSeen,
    identity: Identity,
}

impl Files {
    /// The files of the database that was just opened at this path. `log_seen` is told of each later connection.
    pub(super) fn of(database: &Path, log_seen: LogSeen) -> io::Result<Self> {
        // A relative path stays right if the working directory changes.
        let database = database.canonicalize()?;
        let mut log = OsString::from(&database);
        log.push("-wal");
        Ok(Self { identity: identity(&database)?, log: log.into(), log_seen, database })
    }

    /// Checks that the database still has its name.
    pub(super) fn check_database(&self) -> Result<(), StoreError> {
        match identity(&self.database) {
            Ok(found) if found == self.identity => Ok(()),
            _ => Err(StoreError::Gone),
        }
    }

    /// Checks that the database and its log still have their names: whoever opens a database whose log was deleted makes a new log,
    /// which the server does not write. Call it while a transaction is open: without any connection there is no log.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.check_database()?;
        match identity(&self.log) {
            Ok(found) if self.log_seen.is(found) => Ok(()),
            _ => Err(StoreError::Gone),
        }
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let found = path.metadata()?;
    Ok((found.dev(), found.ino()))
}
