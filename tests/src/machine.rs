//! A machine of a user or an agent: an empty home, a clean environment, and `keyward`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::server::program;

/// A machine. Its home directory is also where its commands run.
pub struct Machine {
    home: TempDir,
    environment: BTreeMap<OsString, OsString>,
}

/// How a command ended, and what it said.
pub struct Ended {
    /// Exit code; 128 + n for signal n.
    pub code: i32,
    /// Exactly.
    pub stdout: Vec<u8>,
    /// Standard error, as text.
    pub stderr: String,
}

impl Machine {
    /// A machine that reaches a server at `url`.
    pub fn new(url: &str) -> Self {
        let home = tempfile::Builder::new().prefix("keyward-test.").tempdir().unwrap();
        let mut environment = BTreeMap::new();
        for (name, value) in [("HOME", home.path().as_os_str()), ("PATH", OsStr::new(PATH))] {
            environment.insert(name.into(), value.to_owned());
        }
        Self { home, environment }.with("KEYWARD_URL", url)
    }

    /// The machine with this variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// The machine without this variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(OsStr::new(name));
        self
    }

    /// Whether the machine has this variable.
    pub fn has(&self, name: &str) -> bool {
        self.environment.contains_key(OsStr::new(name))
    }

    /// Points it to another server, or to a liar before its own.
    pub fn redirect(&mut self, url: &str) {
        self.environment.insert("KEYWARD_URL".into(), url.into());
    }

    /// A file in its home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The machine's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file in its home.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `keyward WORD…`.
    pub fn keyward(&self, words: &[&str]) -> Ended {
        self.keyward_with(words, b"")
    }

    /// `keyward WORD…` with this standard input.
    pub fn keyward_with(&self, words: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(program("keyward"));
        command.args(words);
        run(command, input)
    }

    /// The output of `keyward WORD…`, which must succeed.
    pub fn ok(&self, words: &[&str]) -> String {
        self.keyward(words).ok(words)
    }

    /// What a shell does with a script; `keyward` is on its PATH.
    pub fn shell(&self, shell: &[&str], script: &str) -> Ended {
        let mut command = self.command(shell[0].into());
        command.args(&shell[1..]).args(["-c", script]);
        run(command, b"")
    }

    /// A program in this machine's environment.
    pub fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(self.home());
        let keyward = crate::server::program("keyward");
        let path = format!("{}:{PATH}", keyward.parent().unwrap().display());
        if self.environment.contains_key(OsStr::new("PATH")) {
            command.env("PATH", path);
        }
        command
    }
}

impl Ended {
    /// The output of the command, which must have succeeded.
    pub fn ok(self, what: &[&str]) -> String {
        assert_eq!(self.code, 0, "keyward {}: {}", what.join(" "), self.stderr);
        String::from_utf8(self.stdout).unwrap()
    }

    /// Checks that the command ended with this code and left nothing on stdout except, for a shell, the word `false`.
    pub fn refused(&self, code: i32, row: &str) {
        assert_eq!(self.code, code, "{row}: {}", self.said());
        assert_eq!(String::from_utf8_lossy(&self.stdout), "false\n", "{row}");
        assert!(!self.stderr.is_empty(), "{row}: no reason was given");
    }

    /// Everything that the command said, for a failing test.
    pub fn said(&self) -> String {
        format!("stdout: {}\nstderr: {}", String::from_utf8_lossy(&self.stdout), self.stderr)
    }
}

/// Runs a command to its end with this standard input.
pub fn run(mut command: Command, input: &[u8]) -> Ended {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that does not read its input must not hold up the test.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let _ = writer.join();
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap();
    Ended { code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
}

/// The variables that a program finds, by its `env -0`.
pub fn variables(listing: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let pairs = listing.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| {
        let at = pair.iter().position(|byte| *byte == b'=').expect("NAME=value");
        (OsStr::from_bytes(&pair[..at]).to_string_lossy().into_owned(), pair[at + 1..].to_vec())
    };
    pairs.map(pair).collect()
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
