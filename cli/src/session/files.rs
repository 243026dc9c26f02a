//! Files that only their owner may read: 0600, in folders of 0700, replaced atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::fault::{Code, Fault};

/// Reads a private file; `None` if there is none.
///
/// # Errors
/// If others may read it, or it is somebody else's, or it cannot be read.
pub fn read(path: &Path) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let facts = file.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    check_private(path, &facts, "chmod 600")?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(facts.len()).unwrap_or(0)));
    (&file).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(bytes))
}

/// Replaces a private file atomically; on disk when this returns.
///
/// # Errors
/// If it cannot be written; then the former file is unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> std::io::Result<()> {
        // tempfile makes it 0600.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a new private file; refuses to replace one.
///
/// # Errors
/// If there is one already, or it cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let fault = Fault::new(Code::Conflict, format!("{} exists already", path.display()));
            return Err(fault.next("name another file, or move this one away").into());
        }
        other => other.with_context(|| format!("cannot create {}", path.display()))?,
    };
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Makes sure that a folder is there and private.
///
/// # Errors
/// If others may enter it, or it cannot be made.
pub fn folder(path: &Path) -> anyhow::Result<()> {
    match fs::metadata(path) {
        Ok(facts) => check_private(path, &facts, "chmod 700"),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make the folder {}", path.display())),
        Err(error) => Err(error).with_context(|| format!("cannot use the folder {}", path.display())),
    }
}

/// Refuses a file or folder that its group or others may use, or that belongs to another user.
fn check_private(path: &Path, facts: &fs::Metadata, mend: &str) -> anyhow::Result<()> {
    let own = facts.uid() == rustix::process::geteuid().as_raw() || facts.uid() == 0;
    if !own {
        let fault = Fault::new(Code::Policy, format!("{} belongs to another user", path.display()));
        return Err(fault.next("use your own folder, with KEYWARD_HOME or --home").into());
    }
    if facts.permissions().mode() & 0o077 != 0 {
        let fault = Fault::new(Code::Policy, format!("others may read {}", path.display()));
        return Err(fault.next(format!("run: {mend} '{}'", path.display())).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        write(&path, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(**read(&path).unwrap().unwrap(), *b"secret");
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(crate::fault::code_of(&error), Code::Policy);
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kit");
        create(&path, b"one").unwrap();
        assert_eq!(crate::fault::code_of(&create(&path, b"two").unwrap_err()), Code::Conflict);
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
