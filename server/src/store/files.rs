//! Whether SQLite's files still have their names. A file that was deleted or replaced under the running server goes on taking
//! writes, and nobody finds them again.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::StoreError;

/// The files of an open database.
pub(super) struct Files {
    database: PathBuf,
    /// The log beside the database, which SQLite makes with its first connection and deletes after its last one.
    log: PathBuf,
    /// Device and inode of the database.
    identity: (u64, u64),
}

impl Files {
    /// The files of the database that was just opened at this path.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        // A relative path stays right if the working directory changes.
        let database = database.canonicalize()?;
        let mut log = OsString::from(&database);
        log.push("-wal");
        Ok(Self { identity: identity(&database)?, log: log.into(), database })
    }

    /// Checks that the database still has its name.
    pub(super) fn check_database(&self) -> Result<(), StoreError> {
        match identity(&self.database) {
            Ok(found) if found == self.identity => Ok(()),
            _ => Err(StoreError::Gone),
        }
    }

    /// Checks that the database still has its name, and that its log is there. Call it while a transaction is open: without any
    /// connection there is no log.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.check_database()?;
        if self.log.exists() { Ok(()) } else { Err(StoreError::Gone) }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = path.metadata()?;
    Ok((found.dev(), found.ino()))
}
