//! The data directory, which only its owner may read.

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt};
use std::path::Path;

use crate::config::ConfigError;

/// Makes the directory, with mode 0700. A directory that others can look into is refused, unless it is empty: then its mode is
/// set.
pub(crate) fn prepare(dir: &Path) -> Result<(), ConfigError> {
    let failed = |error| ConfigError::File { path: dir.to_owned(), error };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let mode = dir.metadata().map_err(failed)?.permissions().mode();
    if is_private(mode) {
        return Ok(());
    }
    if dir.read_dir().map_err(failed)?.next().is_some() {
        return Err(ConfigError::Loose { path: dir.to_owned(), mode: 0o700 });
    }
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o700)).map_err(failed)
}

/// Holds the data directory for one process alone. Released when dropped, or when the process ends in whatever way.
pub struct DirectoryLock {
    #[expect(dead_code, reason = "held, not read: closing it lets go")]
    file: File,
}

/// Takes the data directory, which [`prepare`] made, or says that another process has it.
pub(crate) fn lock(dir: &Path) -> Result<DirectoryLock, ConfigError> {
    // The lock is not on the database itself: SQLite's own locks on that file end as soon as anything in the process closes it.
    let path = dir.join("lock");
    let file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock { file }),
        Err(TryLockError::WouldBlock) => Err(ConfigError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(ConfigError::File { path, error }),
    }
}

/// Opens a file, making it empty and 0600 if it is not there. SQLite gives the files beside it the same mode.
pub(crate) fn private_file(path: &Path) -> Result<File, ConfigError> {
    let failed = |error| ConfigError::File { path: path.to_owned(), error };
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    if is_private(file.metadata().map_err(failed)?.permissions().mode()) {
        Ok(file)
    } else {
        Err(ConfigError::Loose { path: path.to_owned(), mode: 0o600 })
    }
}

/// Whether the mode gives nothing to the group and nothing to others.
fn is_private(mode: u32) -> bool {
    mode.trailing_zeros() >= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_that_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        prepare(&dir).unwrap();
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
        prepare(&dir).unwrap();
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        private_file(&dir.join("db")).unwrap();
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o750)).unwrap();
        assert!(matches!(prepare(&dir), Err(ConfigError::Loose { mode: 0o700, .. })));
    }

    #[test]
    fn a_data_directory_serves_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path()).unwrap();
        assert!(matches!(lock(dir.path()), Err(ConfigError::InUse(path)) if path == dir.path()));
        drop(first);
        lock(dir.path()).unwrap();
    }

    #[test]
    fn a_database_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        private_file(&file).unwrap();
        private_file(&file).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(private_file(&file), Err(ConfigError::Loose { mode: 0o600, .. })));
    }
}
