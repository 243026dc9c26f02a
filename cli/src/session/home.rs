//! The client's own folder: `config.toml`, `state/` (what it has seen), `cache/` (sealed answers).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::files;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};

/// A private folder.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The folder of `--home`, `KEYWARD_HOME` or `$HOME/.keyward`; `None` if none of them is set.
    pub fn find(ctx: &Ctx) -> Option<Self> {
        let default = || ctx.env.home.as_ref().map(|home| home.join(".keyward"));
        ctx.global.home.clone().or_else(default).map(|path| Self { path })
    }

    /// This folder.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// As [`find`](Self::find), for a command that cannot do without a folder.
    ///
    /// # Errors
    /// If there is no folder to use.
    pub fn required(ctx: &Ctx) -> anyhow::Result<Self> {
        let home = Self::find(ctx).ok_or_else(|| {
            Fault::new(Code::Usage, "there is no HOME to keep a login in").next(
                "set HOME or KEYWARD_HOME; or set KEYWARD_URL and KEYWARD_TOKEN, which need nothing to be kept",
            )
        })?;
        files::folder(&home.path)?;
        Ok(home)
    }

    /// `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// A file of `state/` or `cache/`, its folder made if need be.
    ///
    /// # Errors
    /// If the folder cannot be made, or others may enter it.
    pub fn file(&self, folder: &str, name: &str) -> anyhow::Result<PathBuf> {
        files::folder(&self.path)?;
        let folder = self.path.join(folder);
        files::folder(&folder)?;
        Ok(folder.join(name))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for, and holds, the folder's lock until the answer is dropped.
    ///
    /// # Errors
    /// If the lock file cannot be opened.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        files::folder(&self.path)?;
        let path = self.path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Lock { _file: file })
    }
}

/// The folder is this process's to change, until this is dropped.
pub struct Lock {
    _file: File,
}
