//! A bare container: a folder that becomes a program's whole world, read-only, with busybox and keyward in it.
//!
//! No Docker is needed: a mount namespace and `chroot` are what a container engine uses, too. That takes root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use keyward_tests::machine::{Ended, run};
use tempfile::TempDir;

use crate::release::Unpacked;

/// A user that no `/etc/passwd` knows.
pub(crate) const NOBODY: u32 = 65532;

/// The folder, and how it is entered.
pub(crate) struct Room {
    root: PathBuf,
    scratch: Option<TempDir>,
    mounts: Vec<Mount>,
    user: u32,
    cwd: String,
}

struct Mount {
    source: PathBuf,
    target: String,
    writable: bool,
}

impl Room {
    /// busybox, the released `keyward` and the scripts; empty folders for the rest.
    pub(crate) fn new() -> Self {
        let release = Unpacked::new();
        let room = Self::without_keyward();
        room.copy(&release.path("bin/keyward"), "usr/local/bin/keyward");
        room.copy(&release.path("examples/container/entrypoint.sh"), "usr/local/bin/entrypoint.sh");
        room.copy(&release.path("examples/container/refresh-secrets"), "usr/local/bin/refresh-secrets");
        room.copy(&release.path("examples/container/profile.d/keyward.sh"), "etc/profile.d/keyward.sh");
        room
    }

    /// busybox, and nothing else.
    pub(crate) fn without_keyward() -> Self {
        let scratch = tempfile::Builder::new().prefix("keyward-test.").tempdir().unwrap();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut room = Self::at(scratch.path());
        room.scratch = Some(scratch);
        for folder in ["bin", "usr/local/bin", "etc/profile.d", "dev", "tmp", "run", "proc"] {
            room.folder(folder, 0o755);
        }
        for device in ["null", "zero", "random", "urandom"] {
            room.file(&format!("dev/{device}"), "", 0o644);
        }
        let busybox = on_path("busybox");
        room.copy(&busybox, "bin/busybox");
        let applets = Command::new(&busybox).arg("--list").output().unwrap();
        for applet in String::from_utf8(applets.stdout).unwrap().lines().filter(|name| *name != "busybox") {
            symlink("busybox", room.path(&format!("bin/{applet}"))).unwrap();
        }
        symlink("../bin", room.path("usr/bin")).unwrap();
        room
    }

    /// A folder that is there, with folders for devices and temporary files.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), scratch: None, mounts: Vec::new(), user: NOBODY, cwd: "/".to_owned() }
    }

    /// A room with this machine's programs instead of busybox, and `shell` as `/bin/sh`.
    pub(crate) fn with_shell(shell: &str) -> Self {
        let mut room = Self::new();
        let local = room.path("usr/local");
        fs::rename(&local, room.path("local")).unwrap();
        fs::remove_dir_all(room.path("bin")).unwrap();
        fs::remove_dir_all(room.path("usr")).or_else(|_| fs::remove_file(room.path("usr"))).unwrap();
        room.folder("usr", 0o755);
        for folder in ["bin", "lib", "lib64"] {
            let host = Path::new("/").join(folder);
            match fs::read_link(&host) {
                Ok(link) => symlink(link, room.path(folder)).unwrap(),
                Err(_) if host.is_dir() => {
                    room.folder(folder, 0o755);
                    room = room.sees(&host, folder);
                }
                Err(_) => {}
            }
        }
        let sh = fs::canonicalize("/bin/sh").unwrap();
        let shell = fs::canonicalize(on_path(shell)).unwrap();
        let local = room.path("local");
        let target = sh.strip_prefix("/").unwrap().to_str().unwrap().to_owned();
        room.sees(Path::new("/usr"), "usr").sees(&local, "usr/local").sees(&shell, &target)
    }

    /// The room, entered as another user.
    pub(crate) fn by(mut self, user: u32) -> Self {
        self.user = user;
        self
    }

    /// Started in another folder.
    pub(crate) fn from(mut self, folder: &str) -> Self {
        folder.clone_into(&mut self.cwd);
        self
    }

    /// The room with what is at `source` at `target`, read-only.
    pub(crate) fn sees(mut self, source: &Path, target: &str) -> Self {
        self.mounts.push(Mount { source: source.to_owned(), target: target.to_owned(), writable: false });
        self
    }

    /// The room with a folder that stays and belongs to its user: writable, as little else is.
    pub(crate) fn keeps(mut self, folder: &str) -> Self {
        self.folder(folder, 0o700);
        chown(self.path(folder), Some(self.user), Some(self.user)).unwrap();
        self.mounts.push(Mount { source: self.path(folder), target: folder.to_owned(), writable: true });
        self
    }

    /// A path in it, from outside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes a folder in it, and those above.
    pub(crate) fn folder(&self, name: &str, mode: u32) {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(self.path(name)).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes a file in it.
    pub(crate) fn file(&self, name: &str, text: &str, mode: u32) {
        self.folder_of(name);
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Copies a file into it.
    pub(crate) fn copy(&self, from: &Path, name: &str) {
        self.folder_of(name);
        // By another process: a file that this one has open to write cannot be run, and a test beside may fork meanwhile.
        assert!(Command::new("cp").arg(from).arg(self.path(name)).status().unwrap().success());
    }

    fn folder_of(&self, name: &str) {
        let folder = Path::new(name).parent().unwrap();
        if !self.root.join(folder).is_dir() {
            self.folder(folder.to_str().unwrap(), 0o755);
        }
    }

    /// Runs a program in it with this environment, and nothing but it.
    pub(crate) fn run(&self, env: &[(&str, &str)], words: &[&str], input: &[u8]) -> Ended {
        run(self.command(env, words), input)
    }

    /// The command, not yet started.
    pub(crate) fn command(&self, env: &[(&str, &str)], words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--", "sh", "-c", ENTER, "enter"]);
        command.arg(&self.root).arg(format!("{0}:{0}", self.user)).arg(&self.cwd);
        for mount in &self.mounts {
            let kind = if mount.writable { "rw" } else { "ro" };
            command.arg(kind).arg(&mount.source).arg(self.path(&mount.target));
        }
        command.args(["--", "/bin/env", "-i"]);
        command.args(env.iter().map(|(name, value)| format!("{name}={value}"))).args(words);
        command
    }

    /// Every file of it: mode, owner, size and time of the last change.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, [i64; 5]> {
        let mut seen = BTreeMap::new();
        look(&self.root, &mut seen);
        seen
    }
}

fn look(folder: &Path, seen: &mut BTreeMap<PathBuf, [i64; 5]>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let facts = fs::symlink_metadata(&path).unwrap();
        if facts.is_dir() {
            look(&path, seen);
        }
        let size = if facts.is_dir() { 0 } else { facts.size().try_into().unwrap() };
        let numbers = [facts.mode().into(), facts.uid().into(), size, facts.mtime(), facts.mtime_nsec()];
        seen.insert(path, numbers);
    }
}

/// The path of a program of this machine.
pub(crate) fn on_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{program} is not installed: run `cargo xtask test`"))
}

/// Arguments: the root, user:group, the working directory; then `rw|ro SOURCE TARGET` for each mount; `--`; the words.
const ENTER: &str = r#"
set -eu
root=$1 user=$2 cwd=$3
shift 3
[ "$(id -u)" = 0 ] || { echo 'these tests make mount namespaces: run them as root' >&2; exit 99; }
mount --bind "$root" "$root"
for device in null zero random urandom; do mount --bind "/dev/$device" "$root/dev/$device"; done
mount -t tmpfs -o mode=1777,size=256m tmpfs "$root/tmp"
while [ "$1" != -- ]; do
    mount --bind "$2" "$3"
    [ "$1" = rw ] || mount -o remount,bind,ro "$3"
    shift 3
done
shift
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" \
    /bin/sh -c 'cd "$0" && exec "$@"' "$cwd" "$@"
"#;
