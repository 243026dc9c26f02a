//! Backups: everything but sessions, in one SQLite file, whichever engine it is from and whichever it goes to.
//!
//! What is in the file is what the server holds: sealed envelopes and relations. Damage is found by the check and by a hash
//! over all rows; a forged backup is a forged database, and clients find that (CRYPTO.md §2.7).

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::check::{self, Checked, Finding};
use crate::config::ConfigError;
use crate::store::{Manifest, Store, StoreError};
use crate::{data, random};

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file exists already: nothing is ever overwritten.
    #[error("{} is there already: give the backup a name of its own", .0.display())]
    Exists(PathBuf),
    /// A file or directory cannot be used.
    #[error("cannot use {}", path.display())]
    #[expect(missing_docs, reason = "the names say it all")]
    File {
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    /// The file is not a backup.
    #[error("{} is not a backup that this keyward-server can read", .0.display())]
    NotABackup(PathBuf),
    /// The database has tables or columns that this program does not know, or lacks some.
    #[error(
        "the database's schema is not this keyward-server's, which therefore cannot tell whether it would copy everything. \
         Nothing was written: keep the last backup, and undo what was changed"
    )]
    ForeignSchema,
    /// The backup was made by another version, or something in it is wrong.
    #[error(
        "the backup is not sound, so nothing was restored. Take another one; if it was made by another version of \
         keyward-server, restore it with that one, and upgrade then"
    )]
    Unsound,
    /// The backup's rows are not those that were backed up.
    #[error(
        "the backup is damaged: it does not hold the rows that it was made with. Nothing was restored: take another one"
    )]
    Damaged,
    /// The target holds an organisation already.
    #[error(
        "there is an organisation already, and a restore replaces nothing: give an empty --data directory or an empty \
         PostgreSQL database"
    )]
    NotEmpty,
    /// A database failed.
    #[error("the database failed: {}", .0.cause())]
    Store(StoreError),
    /// The data directory or database of the settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The cause is in the message: the driver's own text may quote data.
impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes everything that `source` holds at this moment into a new file, 0600, which appears complete or not at all. A server may
/// be running. Dropped before it is done, it leaves nothing. Returns what a check of the file finds. A database with unsound rows is backed up all the same, one with another
/// schema is not: rows that this program does not know of would be missing.
pub async fn backup(
    source: &Store,
    file: &Path,
    found: &mut dyn FnMut(Finding),
) -> Result<(Manifest, Checked), BackupError> {
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let failed = |error| BackupError::File { path: file.to_owned(), error };
    let parent = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Beside its final place, so that it can be moved there in one step; 0700.
    let dir = tempfile::Builder::new()
        .prefix(".keyward-backup.")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(failed)?;
    let draft = dir.path().join("backup");
    drop(data::private_file(&draft)?);
    let done = write(source, &draft, found).await?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)?;
    let draft = tempfile::TempPath::try_from_path(draft).map_err(failed)?;
    draft.persist_noclobber(file).map_err(|refused| match refused.error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => failed(refused.error),
    })?;
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(done)
}

async fn write(
    source: &Store,
    draft: &Path,
    found: &mut dyn FnMut(Finding),
) -> Result<(Manifest, Checked), BackupError> {
    let mut from = source.snapshot().await?;
    if !check::check_schema(&mut from, found).await? {
        return Err(BackupError::ForeignSchema);
    }
    let target = Store::create_backup(draft).await?;
    let mut to = target.begin().await?;
    let manifest = to.copy_from(&mut from).await?;
    from.rollback().await?;
    // The hash is of the rows in the file: the two engines may sort texts differently.
    let (rows, sha256) = to.hashed().await?;
    if rows != manifest.rows {
        return Err(BackupError::Damaged);
    }
    let manifest = Manifest { sha256, ..manifest };
    to.write_manifest(&manifest).await?;
    let checked = check::check(&mut to, found).await?;
    to.commit().await?;
    target.close().await;
    Ok((manifest, checked))
}

/// Puts a backup into `target`, which holds no organisation: all of it, checked before and after, or nothing.
pub async fn restore(
    file: &Path,
    target: &Store,
    found: &mut dyn FnMut(Finding),
) -> Result<(Manifest, Checked), BackupError> {
    if let Err(error) = File::open(file) {
        return Err(BackupError::File { path: file.to_owned(), error });
    }
    let not_a_backup = |_| BackupError::NotABackup(file.to_owned());
    let source = Store::read_backup(file).await.map_err(not_a_backup)?;
    let mut from = source.snapshot().await.map_err(not_a_backup)?;
    let manifest = from.manifest().await.map_err(not_a_backup)?;
    let manifest = manifest.ok_or_else(|| BackupError::NotABackup(file.to_owned()))?;
    if check::check(&mut from, found).await?.findings > 0 {
        return Err(BackupError::Unsound);
    }
    let mut to = target.begin_at_length().await?;
    to.prelogin_secret(&random::bytes()).await?;
    // Keeps anybody from signing up meanwhile.
    to.lock_signup().await?;
    if to.has_org().await? {
        return Err(BackupError::NotEmpty);
    }
    to.forget_server().await?;
    let copied = to.copy_from(&mut from).await?;
    if (copied.rows, copied.sha256) != (manifest.rows, manifest.sha256) {
        return Err(BackupError::Damaged);
    }
    let checked = check::check(&mut to, found).await?;
    if checked.findings > 0 {
        return Err(BackupError::Unsound);
    }
    to.commit().await?;
    from.rollback().await?;
    source.close().await;
    Ok((manifest, checked))
}
