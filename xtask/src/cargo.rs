//! Running other programs, cargo above all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::say;

/// `cargo ARG…` in the workspace's root.
///
/// The variables that `cargo run` set for this very program are removed: build scripts that look at them (ring's does)
/// would run again, and everything above them would be built again, each time the caller changes.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end with this program's output; `Err` names it and how it ended.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    say::talk(&format!("    {line}"));
    let status = command.status().with_context(|| format!("`{line}` did not start"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Whether the command starts and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the workspace")
}

/// Where cargo puts this build's programs: beside this one.
pub(crate) fn bin_dir() -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find this program's own path")?;
    Ok(this.parent().context("this program has no directory")?.to_owned())
}

/// The files of the project below these paths.
pub(crate) fn tracked(paths: &[&str]) -> Result<Vec<String>> {
    let output = Command::new("git").args(["ls-files", "-z", "--"]).args(paths).current_dir(root()).output();
    let output = output.context("no git")?;
    if !output.status.success() {
        bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let names = String::from_utf8(output.stdout).context("a file's name is no text")?;
    let files: Vec<String> = names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for path in paths {
        if !files.iter().any(|file| Path::new(file).starts_with(path)) {
            bail!("there is no {path} in the project");
        }
    }
    Ok(files)
}

/// A variable of the environment that is set to something.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::vars_os().find(|(set, value)| set == name && !value.is_empty()).map(|(_, value)| value)
}

/// Whether this runs as root.
pub(crate) fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("`id -u` did not start")?;
    Ok(id.stdout.trim_ascii() == b"0")
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
