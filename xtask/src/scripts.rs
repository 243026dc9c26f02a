//! The project's shell scripts, read by shellcheck.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo::{root, run, tracked};

/// Fails if shellcheck finds anything at all in any script.
pub(crate) fn check() -> Result<()> {
    let scripts: Vec<String> = tracked(&[])?.into_iter().filter(|file| is_script(file)).collect();
    if scripts.is_empty() {
        bail!("there is no script: is this the project's root?");
    }
    run(Command::new("shellcheck")
        .args(["--external-sources", "--source-path=SCRIPTDIR"])
        .args(&scripts)
        .current_dir(root()))
}

/// Whether a file is a script, by its name or by the interpreter that its first line names.
fn is_script(file: &str) -> bool {
    if Path::new(file).extension().is_some_and(|extension| extension == "sh") {
        return true;
    }
    let Ok(bytes) = fs::read(root().join(file)) else { return false };
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && (first.ends_with(b"sh"))
}
