//! `cargo xtask fuzz`: searches for bytes that break a claim of `fuzz/`, with libFuzzer and AddressSanitizer.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::cargo::{cargo, root, run, succeeds};

/// `[TARGET] [--seconds N] [--keep]`
pub(crate) fn run_options(mut options: &[&str]) -> Result<()> {
    let (mut target, mut seconds, mut keep) = (None, 60, false);
    loop {
        options = match options {
            [] => return run_targets(target, seconds, keep),
            ["--keep", rest @ ..] => {
                keep = true;
                rest
            }
            ["--seconds", number, rest @ ..] => {
                seconds = number.parse().context("--seconds takes a number")?;
                rest
            }
            [name, rest @ ..] if target.is_none() && !name.starts_with('-') => {
                target = Some(*name);
                rest
            }
            [other, ..] => bail!("fuzz: cannot make sense of `{other}`"),
        };
    }
}

/// Fuzzes one target, or each in turn, for `seconds` each.
///
/// What is found lands beside the build, in `target/fuzz/corpus/`; with `keep`, what reaches new code is added to
/// `fuzz/corpus/`, which the tests hold every claim against. An input that breaks a claim is written to
/// `fuzz/artifacts/` and ends the run.
fn run_targets(target: Option<&str>, seconds: u32, keep: bool) -> Result<()> {
    let targets = targets()?;
    if let Some(target) = target
        && !targets.iter().any(|known| known == target)
    {
        bail!("there is no target {target}; there are {}", targets.join(", "));
    }
    if !succeeds(&mut cargo(&["fuzz", "--version"])) {
        run(&mut cargo(&["install", "--locked", CARGO_FUZZ])).context("cannot install cargo-fuzz")?;
    }
    for name in targets.iter().filter(|name| target.is_none_or(|target| *name == target)) {
        let (found, kept) = (format!("target/fuzz/corpus/{name}"), format!("fuzz/corpus/{name}"));
        fs::create_dir_all(root().join(&found)).with_context(|| format!("cannot make {found}"))?;
        let time = format!("-max_total_time={seconds}");
        fuzz(&["run", name, &found, &kept, "--", &time, "-timeout=10", "-rss_limit_mb=1024"])?;
        if keep {
            fuzz(&["run", name, &kept, &found, "--", "-merge=1"])?;
        }
    }
    Ok(())
}

fn fuzz(args: &[&str]) -> Result<()> {
    let mut command = cargo(&["fuzz"]);
    // The sanitizer is not stable; the compiler of rust-toolchain.toml has it all the same.
    run(command.args(args).env("RUSTC_BOOTSTRAP", "1"))
}

/// The names of `fuzz/fuzz_targets/`, sorted.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(Path::new(&path).file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The version that this was tried with.
const CARGO_FUZZ: &str = "cargo-fuzz@0.13.2";
