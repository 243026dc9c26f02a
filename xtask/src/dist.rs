//! `cargo xtask dist`: what is published, in `target/dist`.
//!
//! `keyward-<version>-<target>.tar.gz`, `install.sh` and `SHA256SUMS`. The same commit and the same tools give the same
//! bytes: entries are sorted, belong to root, and carry the commit's time (`SOURCE_DATE_EPOCH` wins).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::cargo::{bin_dir, root, run, tracked, variable};
use crate::{release, say};

/// Makes a release for this machine, or for `target`, in `target/dist`.
pub(crate) fn make(target: Option<&str>) -> Result<()> {
    let target = target.map_or_else(release::host, |target| Ok(target.to_owned()))?;
    publish(&release::build(&target, &PROGRAMS)?, &target, "dist").map(drop)
}

/// Makes what tests take for a release, and where it is: the same, but that its programs are not optimised.
pub(crate) fn rehearse() -> Result<PathBuf> {
    publish(&release::rehearse(&PROGRAMS)?, &release::host()?, "dist-rehearsal")
}

fn publish(programs: &Path, target: &str, folder: &str) -> Result<PathBuf> {
    let dist = bin_dir()?.parent().context("the programs' folder has no parent")?.join(folder);
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("cannot empty {}", dist.display()))?;
    }
    fs::create_dir_all(&dist)?;

    let name = format!("keyward-{VERSION}-{target}");
    let scratch = tempfile::Builder::new().prefix("keyward-dist.").tempdir()?;
    fill(&scratch.path().join(&name), programs)?;
    let archive = format!("{name}.tar.gz");
    pack(scratch.path(), &name, &dist.join(&archive))?;
    copy(&root().join(INSTALLER), &dist.join(INSTALLER))?;
    write_sums(&dist, &[&archive, INSTALLER])?;
    say::talk(&format!("    {archive} in {}", dist.display()));
    Ok(dist)
}

/// The folder as a user unpacks it.
fn fill(folder: &Path, programs: &Path) -> Result<()> {
    for program in PROGRAMS {
        copy(&programs.join(program), &folder.join("bin").join(program))?;
    }
    // What lies about untracked is not published.
    for file in tracked(TEXTS)? {
        copy(&root().join(&file), &folder.join(&file))?;
    }
    manuals(folder)
}

/// What the client itself writes: completions, each under the name that its shell looks for, and manual pages.
fn manuals(folder: &Path) -> Result<()> {
    let client = folder.join("bin/keyward");
    for (shell, name) in COMPLETIONS {
        let place = folder.join("completions").join(shell);
        fs::create_dir_all(&place)?;
        let script = fs::File::create(place.join(name))?;
        run(Command::new(&client).args(["completions", shell]).stdout(Stdio::from(script)))
            .context("the client does not run here: build for this machine's target")?;
    }
    let pages = folder.join("man/man1");
    fs::create_dir_all(&pages)?;
    run(Command::new(&client).args(["--quiet", "man", "--out"]).arg(pages))
}

/// A reproducible archive of the folder `name` in `parent`.
fn pack(parent: &Path, name: &str, archive: &Path) -> Result<()> {
    run(Command::new("tar")
        .args(["--sort=name", "--format=ustar", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u=rwX,go=rX", &format!("--mtime=@{}", epoch()?)])
        // Without the name and time of the input in the header.
        .arg("--use-compress-program=gzip -9 -n")
        .arg("--file")
        .arg(archive)
        .arg("--create")
        .current_dir(parent)
        .arg(name))
}

/// Seconds since 1970 that every entry carries.
fn epoch() -> Result<u64> {
    if let Some(set) = variable("SOURCE_DATE_EPOCH") {
        return set.to_str().and_then(|text| text.parse().ok()).context("SOURCE_DATE_EPOCH is no number");
    }
    let output = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()).output();
    let text = String::from_utf8(output.context("no git")?.stdout).context("git's answer is no text")?;
    text.trim().parse().context("no commit to take the time from: set SOURCE_DATE_EPOCH")
}

/// `SHA256SUMS`, as `sha256sum --check` reads it.
fn write_sums(dist: &Path, names: &[&str]) -> Result<()> {
    let file = fs::File::create(dist.join("SHA256SUMS"))?;
    run(Command::new("sha256sum").args(names).current_dir(dist).stdout(Stdio::from(file)))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file has a folder")?)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The programs that are shipped.
const PROGRAMS: [&str; 2] = ["keyward", "keyward-server"];
const VERSION: &str = env!("CARGO_PKG_VERSION");
const INSTALLER: &str = "install.sh";

/// The texts that are published beside the programs.
const TEXTS: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "NOTICE",
    "README.md",
    "SECURITY.md",
    "docs",
    "examples",
    "install.sh",
];

/// Shell → the name of its script.
const COMPLETIONS: [(&str, &str); 4] =
    [("bash", "keyward"), ("zsh", "_keyward"), ("fish", "keyward.fish"), ("powershell", "keyward.ps1")];
