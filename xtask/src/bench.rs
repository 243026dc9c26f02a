//! `cargo xtask bench`: builds what is measured as it is released, then measures (docs/BENCHMARKS.md).

use std::process::Command;

use anyhow::Result;

use crate::cargo::run as run_program;
use crate::postgres::Postgres;
use crate::{install, release};

/// Builds static release programs and runs the bench with these words.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    install::bench_packages()?;
    let bin = release::build(&release::host()?, &["keyward", "keyward-server", "keyward-bench"])?;
    let mut bench = Command::new(bin.join("keyward-bench"));
    // The client is measured without another server beside it.
    let postgres = if words.iter().any(|word| ["client", "growth"].contains(word)) {
        None
    } else {
        Some(Postgres::start()?)
    };
    bench.args(words).envs(postgres.iter().map(|postgres| ("KEYWARD_TEST_POSTGRES", postgres.url())));
    run_program(&mut bench)
}
