//! Files that only their owner may read: 0600, in folders of 0700, replaced atomically, or added to in one write.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use anyhow::Context as _;
use keyward_wire::limits::ANSWER_BYTES;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::pending::Pending;
use crate::fault::{Code, Fault, printable};
use crate::text::quoted;

/// Reads a private file; `None` if there is none.
///
/// # Errors
/// If others may read it, or it is somebody else's, or larger than any is, or it cannot be read.
pub fn read(path: &Path) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let facts = file.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if !facts.is_file() {
        let fault = Fault::new(Code::Policy, format!("{} is not a regular file", path.display()));
        return Err(fault.next("move it away, or name another").into());
    }
    check_private(path, &facts)?;
    let bytes = usize::try_from(facts.len()).ok().filter(|bytes| *bytes <= LARGEST).ok_or_else(|| {
        Fault::new(Code::Policy, format!("{} is larger than any file that keyward keeps", path.display()))
            .next("move it away")
    })?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes));
    (&file)
        .take(LARGEST as u64)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(bytes))
}

/// Bytes of the largest private file: an answer of the server with the line before it.
const LARGEST: usize = ANSWER_BYTES + 64;

/// Reads all of a file that need not be private, if that is at most `limit` bytes: a device has no end.
///
/// # Errors
/// If it is larger, or cannot be read.
pub fn read_at_most(path: &Path, limit: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(std::io::Error::new(
            ErrorKind::FileTooLarge,
            format!("it holds more than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// Replaces a private file atomically; on disk when this returns.
///
/// # Errors
/// If it cannot be written, or is not [`replaceable`]; then what was there is unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replace(path, bytes, 0o600)
}

/// Writes a file that everybody may read, and otherwise as [`write()`].
///
/// # Errors
/// The errors of [`write()`].
pub fn write_public(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replace(path, bytes, 0o644)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    replaceable(path)?;
    let mut file = Pending::new(Some(path))?;
    file.write_all(bytes).and_then(|()| file.set_mode(mode)).map_err(|error| cannot_write(path, &error))?;
    file.commit(path, true)
}

/// Writes a new private file at once, on disk when this returns; never replaces one.
///
/// # Errors
/// [`Code::Conflict`] if there is one by now; if it cannot be written, there is none.
pub fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = Pending::new(Some(path))?;
    file.write_all(bytes).map_err(|error| cannot_write(path, &error))?;
    file.commit(path, false)
}

/// Appends to a file in one write, on a line of its own, after what is there; on disk when this returns. The file is made if
/// it is not there, and from then on its owner's alone.
///
/// # Errors
/// If it is not [`replaceable`] or somebody else's, or takes less than all of it: then nothing of it stays.
pub fn append(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replaceable(path)?;
    // Not through a link that somebody laid meanwhile, and not waiting for a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    let file = file.map_err(|error| cannot_write(path, &error))?;
    let facts = file.metadata().map_err(|error| cannot_write(path, &error))?;
    let user = rustix::process::geteuid().as_raw();
    // root may: in a container the file is that of the runner outside.
    if !facts.is_file() || (facts.uid() != user && user != 0) {
        let fault = Fault::new(
            Code::Policy,
            format!("{} is not a file of your own; it was left alone", path.display()),
        );
        return Err(fault.next("name a file of your own, or one that is not there yet").into());
    }
    // An empty one may be new, and then its entry in the folder is, too.
    let sync_entry = || if facts.len() == 0 { sync_folder(folder_of(path)) } else { Ok(()) };
    append_to(&file, &facts, bytes)
        .and_then(|()| sync_entry())
        .map_err(|error| cannot_write(path, &error).into())
}

fn append_to(mut file: &File, facts: &fs::Metadata, bytes: &[u8]) -> std::io::Result<()> {
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(mode & 0o700))?;
    }
    let before = facts.len();
    let mut last = [b'\n'];
    if let Some(at) = before.checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    let mut block = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
    if last != *b"\n" {
        block.push(b'\n');
    }
    block.extend_from_slice(bytes);
    let written = file.write(&block)?;
    if written < block.len() {
        // Only what is ours: if somebody wrote behind it, that stays.
        if file.metadata()?.len() == before + written as u64 {
            file.set_len(before)?;
        }
        return Err(std::io::Error::other("there is no room for all of it"));
    }
    file.sync_all()
}

/// Refuses what is there and is no regular file. To write to a device or pipe would replace it; so would it a symbolic
/// link, which is not followed either, since somebody else may have laid it.
///
/// # Errors
/// [`Code::Policy`], if it is no regular file; [`Code::Usage`], if it is `-`.
pub fn replaceable(path: &Path) -> Result<(), Fault> {
    check_named(path)?;
    match fs::symlink_metadata(path) {
        Ok(facts) if !facts.is_file() => {
            let kind = if facts.is_symlink() { "a symbolic link" } else { "not a regular file" };
            let fault = Fault::new(Code::Policy, format!("{} is {kind}; it was left alone", path.display()));
            Err(fault.next("name a regular file, or one that is not there yet"))
        }
        // What cannot be looked at cannot be written either, which is an error of its own.
        _ => Ok(()),
    }
}

/// Refuses `-`, which elsewhere stands for standard input.
fn check_named(path: &Path) -> Result<(), Fault> {
    if path.as_os_str() != "-" {
        return Ok(());
    }
    Err(Fault::usage("- does not stand for standard output here").next("name a file, which ./- may be, too"))
}

/// Writes a new private file, on disk when this returns; refuses to replace one.
///
/// # Errors
/// If there is one already, or it cannot be written; then there is no new one.
pub fn create(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    create_and(path, bytes, sync_folder)
}

/// The file, and then its entry in the folder: each needs its own sync to survive a power cut.
fn create_and(
    path: &Path,
    bytes: &[u8],
    sync_entry: impl FnOnce(&Path) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    check_named(path)?;
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists_already(path).into()),
        other => other.map_err(|error| cannot_write(path, &error))?,
    };
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_entry(folder_of(path)));
    if written.is_err() {
        // Half a file would stand in the way of the next attempt.
        let _ = fs::remove_file(path);
    }
    written.map_err(|error| cannot_write(path, &error).into())
}

/// The fault that a file cannot be written, with what to do.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> Fault {
    let fault = Fault::new(Code::Unexpected, format!("cannot write {}: {error}", path.display()));
    let next = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on that disk; what was there is unchanged"
        }
        ErrorKind::FileTooLarge => {
            "raise the limit on the size of files (`ulimit -f`); what was there is unchanged"
        }
        ErrorKind::NotFound => "make its folder first, or name another file",
        _ => "make its folder writeable, or name another place",
    };
    fault.next(next)
}

/// There is something where a new file should be.
pub fn exists_already(path: &Path) -> Fault {
    Fault::new(Code::Conflict, format!("{} exists already", path.display()))
        .next("name another file, or move this one away")
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes sure that a folder is there and private.
///
/// # Errors
/// If it is no folder, or others may enter it, or it cannot be made.
pub fn folder(path: &Path) -> anyhow::Result<()> {
    match fs::metadata(path) {
        Ok(facts) if !facts.is_dir() => Err(no_folder(path).into()),
        Ok(facts) => Ok(check_private(path, &facts)?),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| unusable("make", path, &error).into()),
        Err(error) => Err(unusable("use", path, &error).into()),
    }
}

fn unusable(what: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::Unexpected, format!("cannot {what} the folder {}: {error}", path.display()))
        .next("make the folder that it is in writeable for this user, or name another place")
}

/// The fault that something else stands where a folder should.
pub fn no_folder(path: &Path) -> Fault {
    Fault::new(Code::Policy, format!("{} is not a folder", path.display()))
        .next("name a folder of your own, or one that is not there yet")
}

/// Refuses a file or folder that its group or others may use, or that belongs to another user.
///
/// # Errors
/// If so. The advice is to change its mode only where that harms nobody else.
pub fn check_private(path: &Path, facts: &fs::Metadata) -> Result<(), Fault> {
    let user = rustix::process::geteuid().as_raw();
    let shown = printable(&path.to_string_lossy(), 4096);
    if facts.uid() != user && facts.uid() != 0 {
        let fault = Fault::new(Code::Policy, format!("{shown} belongs to another user"));
        return Err(fault.next("use your own folder, with KEYWARD_HOME or --home"));
    }
    let is_loose = facts.permissions().mode() & 0o077 != 0;
    if !is_loose {
        return Ok(());
    }
    let fault = Fault::new(Code::Policy, format!("others may read {shown}"));
    Err(if facts.uid() == user && facts.is_file() {
        fault.next(format!("run: chmod 600 {}", quoted(&shown)))
    } else if facts.uid() == user && facts.is_dir() && is_keywards(path) {
        fault.next(format!("run: chmod 700 {}", quoted(&shown)))
    } else {
        fault.next("name one that is yours, and for keyward alone")
    })
}

/// Whether a folder is there for keyward, or for nothing yet. Others need folders such as `/etc`, or a home.
pub fn is_keywards(path: &Path) -> bool {
    let marked = |path: &Path| {
        path.file_name().is_some_and(|name| name == ".keyward")
            || ["config.toml", "ca.pem", "requests.log"].iter().any(|name| path.join(name).is_file())
    };
    let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    marked(path) || path.parent().is_some_and(marked) || is_empty()
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
    fn a_mode_is_to_be_changed_only_where_keyward_alone_is_concerned() {
        let place = tempfile::tempdir().unwrap();
        let own = place.path().join("own");
        for (file, next) in
            [(None, "chmod 700"), (Some("thesis.tex"), "keyward alone"), (Some("config.toml"), "chmod 700")]
        {
            fs::create_dir_all(&own).unwrap();
            if let Some(file) = file {
                File::create(own.join(file)).unwrap();
            }
            fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
            let error = folder(&own).unwrap_err();
            assert_eq!(crate::fault::code_of(&error), Code::Policy);
            assert!(error.to_string().contains(next), "{file:?}: {error}");
        }
        for (path, what) in [("/dev/null", "is not a folder"), ("/proc/1", "others may read")] {
            let error = folder(Path::new(path)).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains("chmod"), "{error}");
        }
        let error = read(Path::new("/dev/null")).unwrap_err().to_string();
        assert!(error.contains("not a regular file") && !error.contains("chmod"), "{error}");
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kit");
        create(&path, b"one").unwrap();
        assert_eq!(crate::fault::code_of(&create(&path, b"two").unwrap_err()), Code::Conflict);
        assert_eq!(crate::fault::code_of(&write_new(&path, b"two").unwrap_err()), Code::Conflict);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        let other = folder.path().join("export");
        write_new(&other, b"three").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"three");
        assert_eq!(fs::metadata(&other).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "something is left behind");
    }

    #[test]
    fn a_new_file_is_there_only_if_its_folder_holds_it_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kit");
        let failing = |asked: &Path| {
            assert_eq!(asked, folder.path());
            Err(std::io::Error::other("no space"))
        };
        assert!(create_and(&path, b"one", failing).is_err());
        assert!(!path.exists(), "it would stand in the way");
        create(&path, b"one").unwrap();
    }

    #[test]
    fn what_is_appended_stands_on_lines_of_its_own_after_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        for (before, after) in
            [(None, "A=1\n"), (Some(""), "A=1\n"), (Some("B=2\n"), "B=2\nA=1\n"), (Some("B=2"), "B=2\nA=1\n")]
        {
            let _ = fs::remove_file(&path);
            if let Some(before) = before {
                create(&path, before.as_bytes()).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            }
            append(&path, b"A=1\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(crate::fault::code_of(&append(&link, b"A=1\n").unwrap_err()), Code::Policy);
        assert_eq!(fs::read_to_string(&path).unwrap(), "B=2\nA=1\n");
    }

    #[test]
    fn what_is_no_regular_file_is_never_replaced() {
        use std::os::unix::net::UnixListener;

        let folder = tempfile::tempdir().unwrap();
        let [socket, link, dangling, regular] =
            ["socket", "link", "dangling", "regular"].map(|name| folder.path().join(name));
        let _listener = UnixListener::bind(&socket).unwrap();
        create(&regular, b"former").unwrap();
        std::os::unix::fs::symlink(&regular, &link).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &dangling).unwrap();
        for path in [&socket, &link, &dangling, folder.path()] {
            let before = fs::symlink_metadata(path).unwrap();
            let error = write(path, b"secret").unwrap_err();
            assert_eq!(crate::fault::code_of(&error), Code::Policy, "{}", path.display());
            let after = fs::symlink_metadata(path).unwrap();
            assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()), "{}", path.display());
        }
        assert_eq!(fs::read(&regular).unwrap(), b"former");
        write(&regular, b"secret").unwrap();
    }
}
