//! `cargo xtask bench`: builds what is measured as it is released, then measures (docs/BENCHMARKS.md).

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cargo::{cargo, root, run as run_program};
use crate::install;

/// Builds static release programs and runs the bench with these words.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    install::bench_packages()?;
    let bin = static_build(&["keyward", "keyward-server", "keyward-bench"])?;
    run_program(Command::new(bin.join("keyward-bench")).args(words))
}

/// Builds the programs of these packages, in release and without shared libraries; where they are then.
fn static_build(packages: &[&str]) -> Result<PathBuf> {
    let target = host()?;
    let mut command = cargo(&["build", "--locked", "--release", "--bins", "--target", &target]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    // With an explicit target, build scripts and macros are built for the host as ever.
    run_program(command.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    Ok(root().join("target").join(target).join("release"))
}

/// The target triple of this machine, as rustc names it.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").current_dir(root()).output().context("rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
