//! A source that is removed once its keys are stored.
//!
//! What can stand in the way is looked for before anything is stored; the file is held open from then on, so that what is
//! removed is what was read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Error, Read as _, Result as IoResult, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use keyward_crypto::random_bytes;
use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat};
use zeroize::Zeroizing;

use crate::cmd::key::value_source::unreadable;
use crate::fault::{Code, Fault};

/// A file that can be removed, as far as can be seen.
pub(super) struct Doomed {
    path: PathBuf,
    file: File,
    was: Metadata,
}

impl Doomed {
    /// Opens a file of the caller's own that has no other name and is no link.
    ///
    /// # Errors
    /// [`Code::Policy`] if it could not be removed, or removing it would not remove what it holds.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let shown = path.display();
        let refuse = |why: &str| {
            Fault::new(Code::Policy, format!("{shown} cannot be removed: {why}"))
                .next("nothing was stored; import it without --shred, and remove it yourself")
        };
        let facts = fs::symlink_metadata(path).map_err(|error| unreadable(&shown.to_string(), &error))?;
        if facts.is_symlink() {
            return Err(refuse("it is a symbolic link, and what it points to would stay"));
        }
        if !facts.is_file() {
            return Err(refuse("it is no regular file"));
        }
        if facts.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("it belongs to another user"));
        }
        // Not through a link that somebody laid meanwhile, and not waiting for a pipe.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(flags.bits().cast_signed()).open(path);
        let file = file.map_err(|_| refuse("it cannot be written to"))?;
        let was = file.metadata().map_err(|error| unreadable(&shown.to_string(), &error))?;
        if (was.dev(), was.ino()) != (facts.dev(), facts.ino()) {
            return Err(refuse("it was replaced just now"));
        }
        if was.nlink() > 1 {
            return Err(refuse("it has other names too (hard links), under which it would be empty"));
        }
        let may = accessat(CWD, folder_of(path), Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
        may.map_err(|_| refuse("its folder cannot be written to"))?;
        Ok(Self { path: path.to_owned(), file, was })
    }

    /// All of it, or more than `limit` bytes.
    pub(super) fn read(&self, limit: usize) -> IoResult<Zeroizing<Vec<u8>>> {
        let size = usize::try_from(self.was.len()).unwrap_or(limit).min(limit);
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 64));
        (&self.file).take(limit as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Overwrites it with noise, as far as the file system lets one, and removes it; on disk when this returns.
    ///
    /// # Errors
    /// If it is not what was read any more, or cannot be removed.
    pub(super) fn destroy(mut self) -> IoResult<()> {
        let now = fs::symlink_metadata(&self.path)?;
        let same = |facts: &Metadata| {
            (facts.dev(), facts.ino(), facts.nlink()) == (self.was.dev(), self.was.ino(), 1)
                && (facts.len(), facts.mtime(), facts.mtime_nsec())
                    == (self.was.len(), self.was.mtime(), self.was.mtime_nsec())
        };
        if !same(&now) {
            return Err(Error::other("it was changed or replaced after it was read"));
        }
        overwrite(&mut self.file, self.was.len())?;
        self.file.set_len(0)?;
        self.file.sync_all()?;
        fs::remove_file(&self.path)?;
        File::open(folder_of(&self.path))?.sync_all()
    }
}

fn overwrite(file: &mut File, mut len: u64) -> IoResult<()> {
    file.rewind()?;
    while len > 0 {
        let noise = random_bytes::<4096>();
        let some = usize::try_from(len).unwrap_or(noise.len()).min(noise.len());
        file.write_all(noise.get(..some).unwrap_or_default())?;
        len -= some as u64;
    }
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn source(folder: &Path) -> PathBuf {
        let path = folder.join("source.env");
        crate::session::files::create(&path, b"A=hunter2\n").unwrap();
        path
    }

    #[test]
    fn nothing_is_left_under_its_name_or_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = source(folder.path());
        let doomed = Doomed::open(&path).unwrap();
        assert_eq!(doomed.read(100).unwrap().as_slice(), b"A=hunter2\n");
        // Another handle on the file shows what became of it.
        let mut witness = File::open(&path).unwrap();
        doomed.destroy().unwrap();
        assert!(!path.exists());
        let mut left = Vec::new();
        witness.read_to_end(&mut left).unwrap();
        assert_eq!(left, b"");
    }

    #[test]
    fn every_byte_is_overwritten_and_the_file_does_not_grow() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 1, 4095, 4096, 4097, 10_000] {
            let path = folder.path().join(size.to_string());
            crate::session::files::create(&path, &vec![b'x'; size]).unwrap();
            let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
            overwrite(&mut file, size as u64).unwrap();
            let after = fs::read(&path).unwrap();
            assert_eq!(after.len(), size);
            assert!(!after.windows(8).any(|piece| piece == b"xxxxxxxx"));
        }
    }

    #[test]
    fn what_cannot_be_removed_or_would_stay_is_refused_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = source(folder.path());
        let [link, twin, missing] = ["link", "twin", "missing"].map(|name| folder.path().join(name));
        symlink(&path, &link).unwrap();
        assert_eq!(Doomed::open(&link).err().unwrap().code, Code::Policy);
        assert_eq!(Doomed::open(folder.path()).err().unwrap().code, Code::Policy);
        assert_eq!(Doomed::open(&missing).err().unwrap().code, Code::Usage);
        fs::hard_link(&path, &twin).unwrap();
        assert_eq!(Doomed::open(&path).err().unwrap().code, Code::Policy);
        fs::remove_file(&twin).unwrap();
        assert!(Doomed::open(&path).is_ok());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert_eq!(Doomed::open(&pipe).err().unwrap().code, Code::Policy);
    }

    #[test]
    fn a_file_that_is_not_what_was_read_any_more_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = source(folder.path());
        let doomed = Doomed::open(&path).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"B=new\n").unwrap();
        assert!(doomed.destroy().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"A=hunter2\nB=new\n");

        let doomed = Doomed::open(&path).unwrap();
        fs::rename(&path, folder.path().join("kept.env")).unwrap();
        crate::session::files::create(&path, b"another file\n").unwrap();
        assert!(doomed.destroy().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"another file\n");

        let doomed = Doomed::open(&path).unwrap();
        fs::hard_link(&path, folder.path().join("twin")).unwrap();
        assert!(doomed.destroy().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"another file\n");
    }
}
