//! `cargo xtask bench`: builds what is measured as it is released, then measures (docs/BENCHMARKS.md).

use std::process::Command;

use anyhow::Result;

use crate::cargo::run as run_program;
use crate::{install, release};

/// Builds static release programs and runs the bench with these words.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    install::bench_packages()?;
    let bin = release::build(&release::host()?, &["keyward", "keyward-server", "keyward-bench"])?;
    run_program(Command::new(bin.join("keyward-bench")).args(words))
}
