//! What the tests need from the machine: installed when missing and allowed, else named.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cargo::{cargo, is_root, run, succeeds};
use crate::{postgres, release, say};

/// Installs the missing Debian packages as root; as a user, fails and says what to run.
pub(crate) fn system_packages() -> Result<()> {
    packages(missing_packages)
}

/// Installs the packages that `cargo xtask bench` compares with.
pub(crate) fn bench_packages() -> Result<()> {
    packages(|| {
        let mut missing = absent(&BENCH_PROGRAMS);
        if !succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
            missing.push("python3-venv");
        }
        if postgres::programs().is_none() {
            missing.push("postgresql");
        }
        missing
    })
}

fn packages(missing_packages: impl Fn() -> Vec<&'static str>) -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !is_root()? {
        bail!("missing: {}\n  as root: apt-get update && {install}", missing.join(" "));
    }
    if !on_path("apt-get") {
        bail!(
            "missing: {}; there is no apt-get here, install them by the system's own means",
            missing.join(" ")
        );
    }
    say::talk(&format!("    missing: {}", missing.join(" ")));
    run(&mut apt_get(&["update", "-q"]))?;
    run(apt_get(&["install", "-q", "-y", "--no-install-recommends"]).args(&missing))?;
    let missing = missing_packages();
    if !missing.is_empty() {
        bail!("still missing after the installation: {}", missing.join(" "));
    }
    Ok(())
}

/// Installs the cargo subcommands that are missing, for whoever runs this.
pub(crate) fn cargo_tools() -> Result<()> {
    for (subcommand, package) in CARGO_TOOLS {
        if !succeeds(&mut cargo(&[subcommand, "--version"])) {
            run(&mut cargo(&["install", "--locked", package]))
                .with_context(|| format!("cannot install {package}"))?;
        }
    }
    Ok(())
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing = absent(PROGRAMS);
    for (file, package) in [(CA_BUNDLE, "ca-certificates"), (SYSTEMD, "systemd")] {
        if !Path::new(file).exists() {
            missing.push(package);
        }
    }
    // The one that is not static needs libraries that a bare container does not have.
    if !path_of("busybox").is_some_and(|busybox| release::is_static(&busybox).unwrap_or(false)) {
        missing.push("busybox-static");
    }
    // `python3 -m venv` is there without it, and fails.
    if !succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        missing.push("python3-venv");
    }
    if postgres::programs().is_none() {
        missing.push("postgresql");
    }
    missing
}

fn absent(programs: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    programs.iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| *package).collect()
}

fn on_path(program: &str) -> bool {
    path_of(program).is_some()
}

fn path_of(program: &str) -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]).output().ok()?;
    let path = String::from_utf8(found.stdout).ok()?;
    found.status.success().then(|| PathBuf::from(path.trim_end()))
}

fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Program → the package that brings it. A C compiler is not here: without one this program could not have been built.
/// `ksh93`, because mksh may call itself ksh too.
const PROGRAMS: &[(&str, &str)] = &[
    ("dash", "dash"),
    ("bash", "bash"),
    ("zsh", "zsh"),
    ("ksh93", "ksh"),
    ("mksh", "mksh"),
    ("yash", "yash"),
    ("fish", "fish"),
    ("python3", "python3"),
    ("docker", "docker.io"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("mandoc", "mandoc"),
    ("script", "bsdutils"),
    ("systemd-analyze", "systemd"),
    ("psql", "postgresql-client"),
    ("sqlite3", "sqlite3"),
    ("gdb", "gdb"),
    ("unshare", "util-linux"),
    ("shellcheck", "shellcheck"),
    ("git", "git"),
    ("gh", "gh"),
    ("curl", "curl"),
    ("wget", "wget"),
    ("shasum", "perl"),
    ("buildah", "buildah"),
    ("docker-compose", "docker-compose"),
];

/// Programs that `cargo xtask bench` needs, with their packages.
const BENCH_PROGRAMS: [(&str, &str); 5] = [
    ("age", "age"),
    ("nginx", "nginx"),
    ("openssl", "openssl"),
    ("psql", "postgresql-client"),
    ("sqlite3", "sqlite3"),
];

/// The file in which Debian keeps the system's trusted roots.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The path of systemd, which is not on the PATH.
const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// Subcommand → the package and version that CI uses.
const CARGO_TOOLS: [(&str, &str); 2] = [("nextest", "cargo-nextest@0.9.143"), ("deny", "cargo-deny@0.20.2")];
