//! The environment of this process, read once: its variables, and the program that called it. keyward's own settings are in
//! [`Env`](crate::ctx::Env).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Variables, and the shell that called.
pub(crate) struct ProcessEnv {
    pub(crate) variables: BTreeMap<OsString, OsString>,
    /// Name of the calling program, where the system tells.
    pub(crate) parent: Option<String>,
}

impl ProcessEnv {
    pub(crate) fn read() -> Self {
        let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get());
        let parent = parent.and_then(|parent| std::fs::read_to_string(format!("/proc/{parent}/comm")).ok());
        Self {
            variables: std::env::vars_os().collect(),
            parent: parent.map(|name| name.trim().trim_start_matches('-').to_owned()),
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The shell that called, else the one of the log-in.
    pub(crate) fn shell(&self) -> Option<String> {
        let login = self.variable("SHELL").map(|path| Path::new(path).file_name().unwrap_or(path));
        let login = || login.map(|name| name.to_string_lossy().into_owned());
        self.parent.clone().filter(|name| SHELLS.contains(&name.as_str())).or_else(login)
    }

    /// The folders of PATH.
    pub(crate) fn path(&self) -> Vec<PathBuf> {
        self.variable("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default()
    }

    /// A file in the home folder.
    pub(crate) fn in_home(&self, folder: &str, name: &str) -> Option<PathBuf> {
        let folder = self.variable(folder).or_else(|| self.variable("HOME"))?;
        Some(Path::new(folder).join(name))
    }
}

/// Programs that are shells. Anything else may call, too: a script's interpreter, an editor.
const SHELLS: [&str; 18] = [
    "sh", "dash", "ash", "busybox", "bash", "zsh", "ksh", "ksh93", "mksh", "yash", "fish", "csh", "tcsh",
    "nu", "elvish", "xonsh", "pwsh", "rc",
];
