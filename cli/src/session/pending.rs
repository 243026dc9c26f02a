//! A private file in the making: nobody sees it before it is whole.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::files::{cannot_write, exists_already, folder_of, replaceable, sync_folder};

/// A file that has another name until it is whole.
pub struct Pending {
    file: NamedTempFile<File>,
}

impl Pending {
    /// Makes the file in the folder that `path` will be in, or anywhere if it is not moved in the end. What was left there of
    /// earlier attempts at the same `path`, which were killed, is removed.
    ///
    /// # Errors
    /// If it cannot be made there.
    pub fn new(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            // tempfile makes it 0600.
            let file = NamedTempFile::new().context("cannot write a file that is needed meanwhile")?;
            return Ok(Self { file });
        };
        let (folder, prefix) = (folder_of(path), prefix_of(path));
        remove_stale(folder, &prefix);
        // The builder's own error names the file in the making, which nobody has heard of.
        let failed = Cell::new(None);
        let open = |path: &Path| {
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
            file.inspect_err(|error| failed.set(error.raw_os_error()))
        };
        let made = tempfile::Builder::new().prefix(&prefix).rand_bytes(RANDOM).make_in(folder, open);
        let file = made.map_err(|error| {
            let error = failed.get().map_or(error, std::io::Error::from_raw_os_error);
            cannot_write(path, &error)
        })?;
        Ok(Self { file })
    }

    /// Gives it another mode than 0600.
    ///
    /// # Errors
    /// If the file cannot be changed.
    pub fn set_mode(&self, mode: u32) -> std::io::Result<()> {
        self.file.as_file().set_permissions(fs::Permissions::from_mode(mode))
    }

    /// Takes back what was written so far.
    ///
    /// # Errors
    /// If the file cannot be changed.
    pub fn truncate(&mut self) -> std::io::Result<()> {
        self.file.as_file().set_len(0)?;
        self.file.as_file().rewind()
    }

    /// Becomes `path` atomically, in the place of what is there only if `replaces`; on disk when this returns.
    ///
    /// # Errors
    /// [`Code::Conflict`](crate::fault::Code::Conflict) if something is there that it does not replace. If it cannot, or is not
    /// [`replaceable`]; then what was there is unchanged.
    pub fn commit(self, path: &Path, replaces: bool) -> anyhow::Result<()> {
        replaceable(path)?;
        let attempt = || -> std::io::Result<()> {
            self.file.as_file().sync_all()?;
            let done = if replaces { self.file.persist(path) } else { self.file.persist_noclobber(path) };
            done.map_err(|error| error.error)?;
            sync_folder(folder_of(path))
        };
        match attempt() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists_already(path).into()),
            done => done.map_err(|error| cannot_write(path, &error).into()),
        }
    }

    /// Hands all of it to `take`, in pieces.
    ///
    /// # Errors
    /// If reading fails; or the error of `take`.
    pub fn copy_to(self, mut take: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut file = self.file.as_file();
        file.rewind()?;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let bytes = file.read(&mut piece)?;
            if bytes == 0 {
                return Ok(());
            }
            take(piece.get(..bytes).unwrap_or_default())?;
        }
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Of the file itself: an error of `NamedTempFile` names the file in the making.
        self.file.as_file().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_file().flush()
    }
}

/// What the name of a file in the making begins with: `.env.keyward-` for `.env`. What ignores the target (`.env*` in a
/// .gitignore) ignores it too, if it is left behind; and it is hidden.
fn prefix_of(path: &Path) -> OsString {
    let name = path.file_name().unwrap_or(OsStr::new("")).as_bytes();
    let dot: &[u8] = if name.starts_with(b".") { b"" } else { b"." };
    let room = LONGEST_NAME - dot.len() - MARK.len() - RANDOM;
    let name = name.get(..room).unwrap_or(name);
    OsString::from_vec([dot, name, MARK].concat())
}

/// Removes what killed attempts at the same file have left behind. What is younger may be in the making now; what is somebody
/// else's, or no regular file, was not made here.
fn remove_stale(folder: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let user = rustix::process::geteuid().as_raw();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let rest = name.as_bytes().strip_prefix(prefix.as_bytes());
        if rest.is_none_or(|rest| rest.len() != RANDOM || !rest.iter().all(u8::is_ascii_alphanumeric)) {
            continue;
        }
        // Of the entry itself: a link is not followed.
        let Ok(facts) = entry.metadata() else { continue };
        let age = facts.modified().ok().and_then(|at| at.elapsed().ok());
        if facts.is_file() && facts.uid() == user && age.is_some_and(|age| age > STALE) {
            // At worst the next attempt tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

const MARK: &[u8] = b".keyward-";

/// Letters and digits at the end of the name of a file in the making.
const RANDOM: usize = 6;

/// Bytes of the longest name that a file can have.
const LONGEST_NAME: usize = 255;

/// The age at which a file in the making is left behind: writing one takes seconds.
const STALE: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_file_in_the_making_has_a_name_that_begins_with_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for (name, prefix) in [(".env", ".env.keyward-"), ("app.json", ".app.json.keyward-")] {
            let path = folder.path().join(name);
            let mut pending = Pending::new(Some(&path)).unwrap();
            pending.write_all(b"secret").unwrap();
            let made: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
            assert_eq!(made.len(), 1);
            let made = made.first().unwrap();
            assert!(made.file_name().to_string_lossy().starts_with(prefix), "{:?}", made.file_name());
            assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o600);
            pending.commit(&path, false).unwrap();
            fs::remove_file(&path).unwrap();
        }
        let longest = folder.path().join("x".repeat(LONGEST_NAME));
        Pending::new(Some(&longest)).unwrap().commit(&longest, false).unwrap();
    }

    #[test]
    fn what_a_killed_attempt_left_is_removed_by_the_next_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let others = [
            ".env.keyward-backup1",
            ".env.keyward-ab.cde",
            ".env2.keyward-abcdef",
            ".env.keyward",
            ".tmpabcdef",
        ];
        for name in others.into_iter().chain([".env.keyward-abcdef"]) {
            File::create(path(name)).unwrap().set_modified(old).unwrap();
        }
        File::create(path(".env.keyward-young1")).unwrap();
        std::os::unix::fs::symlink(path(".env2.keyward-abcdef"), path(".env.keyward-linked")).unwrap();
        super::super::files::write(&path(".env"), b"secret").unwrap();
        assert!(!path(".env.keyward-abcdef").exists());
        for name in others.into_iter().chain([".env.keyward-young1", ".env.keyward-linked", ".env"]) {
            assert!(path(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_failure_names_the_file_that_was_asked_for() {
        let path = Path::new("/nosuch/folder/.env");
        let error = format!("{:#}", Pending::new(Some(path)).err().unwrap());
        assert!(error.starts_with("cannot write /nosuch/folder/.env: No such file or directory"), "{error}");
        assert!(error.contains("→") && !error.contains(".keyward-"), "{error}");
    }
}
