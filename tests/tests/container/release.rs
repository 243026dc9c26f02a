//! The release that `cargo xtask dist` made, and what must be true of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The folder with the archive, its checksums and `install.sh`.
pub(crate) fn folder() -> PathBuf {
    let folder = std::env::var_os("KEYWARD_TEST_DIST").expect(
        "KEYWARD_TEST_DIST names no release: run `cargo xtask test`, or `cargo xtask dist` and export \
         KEYWARD_TEST_DIST=target/dist as an absolute path",
    );
    PathBuf::from(folder)
}

/// The archive's file name.
pub(crate) fn archive() -> String {
    let names =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut archives: Vec<String> = names.filter(|name| name.ends_with(".tar.gz")).collect();
    assert_eq!(archives.len(), 1, "{archives:?}");
    archives.remove(0)
}

/// An unpacked archive.
pub(crate) struct Unpacked {
    dir: TempDir,
    name: String,
}

impl Unpacked {
    /// Unpacks it.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("keyward-test.").tempdir().unwrap();
        let archive = archive();
        let tar =
            Command::new("tar").arg("-xzf").arg(folder().join(&archive)).arg("-C").arg(dir.path()).status();
        assert!(tar.unwrap().success());
        Self { dir, name: archive.trim_end_matches(".tar.gz").to_owned() }
    }

    /// A file or folder of it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(&self.name).join(name)
    }
}

#[test]
fn the_archive_holds_what_a_user_needs_and_nothing_that_lies_about() {
    let unpacked = Unpacked::new();
    for name in [
        "bin/keyward",
        "bin/keyward-server",
        "README.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "NOTICE",
        "install.sh",
        "docs/CONTAINERS.md",
        "examples/container/entrypoint.sh",
        "examples/container/refresh-secrets",
        "examples/container/Dockerfile",
        "completions/bash/keyward",
        "completions/zsh/_keyward",
        "completions/fish/keyward.fish",
        "completions/powershell/keyward.ps1",
        "man/man1/keyward.1",
        "man/man1/keyward-deployment-env-file.1",
    ] {
        assert!(unpacked.path(name).is_file(), "{name} is missing");
    }
    let listing = Command::new("tar").arg("-tf").arg(folder().join(archive())).output().unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let mut sorted: Vec<&str> = listing.lines().collect();
    sorted.sort_unstable();
    assert_eq!(listing.lines().collect::<Vec<_>>(), sorted, "entries are not in order");
    assert!(!listing.contains("/token.txt") && !listing.contains(".git"), "{listing}");
}

#[test]
fn entries_belong_to_root_and_have_one_time_and_plain_modes() {
    let listing = Command::new("tar")
        .args(["-tv", "--numeric-owner", "--full-time", "-f"])
        .arg(folder().join(archive()))
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let mut times = BTreeSet::new();
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&words[0]), "{line}");
        assert_eq!(words[1], "0/0", "{line}");
        times.insert((words[3], words[4]));
    }
    assert_eq!(times.len(), 1, "{times:?}");
}
