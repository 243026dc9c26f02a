//! `cargo xtask bench`: builds what is measured as it is released, then measures (docs/BENCHMARKS.md).

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cargo::{bin_dir, cargo, run as run_program};
use crate::postgres::Postgres;
use crate::{install, release, tools};

/// Builds static release programs and runs the bench with these words.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    install::bench_packages()?;
    let bin = release::build(&release::host()?, &["keyward", "keyward-server", "keyward-bench"])?;
    let mut bench = Command::new(bin.join("keyward-bench"));
    bench.args(words);
    let all =
        |section: &str| words.iter().all(|word| word.starts_with("--") || *word == "all" || *word == section);
    if words.first() == Some(&"gateway") || all("gateway") {
        bench.env("KEYWARD_BENCH_HUDSUCKER", hudsucker()?).env("KEYWARD_BENCH_MITMDUMP", tools::mitmdump()?);
    }
    // Clients and the gateway are measured without another server beside them.
    let postgres = if words.iter().any(|word| ["client", "gateway", "growth"].contains(word)) {
        None
    } else {
        Some(Postgres::start()?)
    };
    bench.envs(postgres.iter().map(|postgres| ("KEYWARD_TEST_POSTGRES", postgres.url())));
    run_program(&mut bench)
}

/// A program of its own, outside the workspace (`bench/hudsucker`).
fn hudsucker() -> Result<PathBuf> {
    let target = bin_dir()?.parent().context("cargo's directory has no parent")?.join("hudsucker");
    let manifest = "bench/hudsucker/Cargo.toml";
    run_program(
        cargo(&["build", "--locked", "--release", "--manifest-path", manifest])
            .env("CARGO_TARGET_DIR", &target),
    )?;
    Ok(target.join("release/keyward-bench-hudsucker"))
}
