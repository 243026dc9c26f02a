//! A machine of the story: a home directory, an environment, and a shell that shows what it runs.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::say;

/// A home of its own and an environment of nothing but what is named here.
#[derive(Clone)]
pub(super) struct Machine {
    name: &'static str,
    home: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Machine {
    /// A machine with an empty home `dir/name`, whose path starts with `bin`.
    pub(super) fn new(name: &'static str, dir: &Path, bin: &Path) -> Result<Self> {
        let home = dir.join(name);
        std::fs::create_dir(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let environment = BTreeMap::from([
            ("HOME".to_owned(), home.display().to_string()),
            ("PATH".to_owned(), format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
        ]);
        Ok(Self { name, home, environment })
    }

    /// The machine with one more variable.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable given with [`Machine::with`], or nothing.
    pub(super) fn value(&self, name: &str) -> &str {
        self.environment.get(name).map_or("", String::as_str)
    }

    /// The home directory.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Writes a new file, mode 0600, in the home.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<()> {
        let path = self.home.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Prints a script as one would type it here, with a line that says why.
    pub(super) fn show(&self, why: &str, script: &str) {
        if !why.is_empty() {
            say::out(&format!("  # {why}"));
        }
        for (number, line) in script.lines().enumerate() {
            let prompt =
                if number == 0 { format!("{}$", self.name) } else { " ".repeat(self.name.len()) + ">" };
            say::out(&format!("  {prompt} {line}"));
        }
    }

    /// Shows and runs a script; `Err` unless it succeeds. Returns what it wrote to stdout.
    pub(super) fn run(&self, why: &str, script: &str) -> Result<String> {
        let (status, stdout) = self.try_run(why, script)?;
        ensure!(status.success(), "on {}: `{script}` ended with {status}", self.name);
        Ok(stdout)
    }

    /// Shows and runs a script, however it ends; both outputs are shown, stdout first. Returns stdout.
    pub(super) fn try_run(&self, why: &str, script: &str) -> Result<(ExitStatus, String)> {
        self.show(why, script);
        let output = self.shell(script).output().context("cannot start sh")?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            say::out(&format!("  | {line}"));
        }
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            say::out(&format!("  : {line}"));
        }
        Ok((output.status, String::from_utf8(output.stdout).context("stdout is not UTF-8")?))
    }

    /// Runs a script silently and returns what it wrote to stdout.
    pub(super) fn capture(&self, script: &str) -> Result<String> {
        let output = self.shell(script).stderr(Stdio::inherit()).output().context("cannot start sh")?;
        ensure!(output.status.success(), "on {}: `{script}` ended with {}", self.name, output.status);
        String::from_utf8(output.stdout).context("output is not UTF-8")
    }

    /// The variables that a program started after this script finds.
    pub(super) fn variables(&self, script: &str) -> Result<BTreeMap<String, String>> {
        let listing = self.capture(&format!("{script}\nexec env -0"))?;
        let pairs = listing.split_terminator('\0');
        Ok(pairs.filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    /// A script in this machine's environment, to be started.
    pub(super) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.home)
            .stdin(Stdio::null());
        command
    }
}
