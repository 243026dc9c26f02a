//! What a gateway keeps on this machine: its authority and its log, private files in a private folder.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use keyward_gateway::ca::CaError;
use keyward_gateway::log::LogError;
use keyward_gateway::{Ca, Log};
use rustix::fs::FlockOperation;

use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::session::files;
use crate::session::home::Home;

/// The folder of a gateway on this machine.
pub struct State(PathBuf);

impl State {
    /// Finds the folder: `--state`, or else `gateway/` in keyward's own folder.
    ///
    /// # Errors
    /// If there is no folder, or others may enter it.
    pub fn find(ctx: &Ctx, named: Option<&Path>) -> anyhow::Result<Self> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => match Home::find(ctx) {
                Some(home) => {
                    files::folder(home.path())?;
                    home.path().join("gateway")
                }
                None => {
                    return Err(Fault::usage(
                        "there is neither HOME nor KEYWARD_HOME, so no folder for the gateway's log and authority",
                    )
                    .next(
                        "name one: --state DIR. A gateway for one program, too, keeps its log: what was done with your keys \
                         can be read there afterwards",
                    )
                    .into());
                }
            },
        };
        // An absolute path: programs are told of files in the folder, and may be started anywhere.
        let path =
            std::path::absolute(&path).with_context(|| format!("cannot tell where {} is", path.display()))?;
        files::folder(&path)?;
        Ok(Self(path))
    }

    /// The same folder, to remember in it what the server showed.
    pub fn home(&self) -> Home {
        Home::at(self.0.clone())
    }

    /// The gateway's authority; made if there is none yet.
    ///
    /// # Errors
    /// If the authority cannot be read or written, or cannot be used.
    pub fn ca(&self) -> anyhow::Result<Ca> {
        let path = self.0.join("ca.pem");
        if files::read(&path)?.is_none() {
            let made = Ca::generate(now())?;
            match files::write_new(&path, made.to_pem().as_bytes()) {
                // Another process was faster: its authority is used.
                Err(error) if crate::fault::code_of(&error) == Code::Conflict => {}
                done => done?,
            }
        }
        let bytes = files::read(&path)?.context("the gateway's authority went away")?;
        let pem = std::str::from_utf8(&bytes).map_err(|_| unusable(&path, CaError::Unreadable))?;
        Ca::from_pem(pem, now()).map_err(|error| unusable(&path, error).into())
    }

    /// The gateway's authority, which must exist: one that was made now would not be that of a running gateway.
    ///
    /// # Errors
    /// If there is none; and the errors of [`Self::ca`].
    pub fn existing_ca(&self) -> anyhow::Result<Ca> {
        if files::read(&self.0.join("ca.pem"))?.is_none() {
            let what = format!("there is no gateway's certificate in {}", self.0.display());
            return Err(Fault::new(Code::NotFound, what)
                .next("name the folder of the gateway with --state, or with --bundle the file that keyward proxy ca --bundle wrote there")
                .into());
        }
        self.ca()
    }

    /// Opens the log, which no other gateway writes while this one does.
    ///
    /// # Errors
    /// If another gateway writes it, or its lines were changed.
    pub fn log(&self) -> anyhow::Result<Log> {
        let path = self.log_path();
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Fault::new(Code::Conflict, format!("another gateway writes {}", path.display()))
                .next("give this one a folder of its own: --state DIR")
        })?;
        Log::open(file, now).map_err(|error| broken(&path, error))
    }

    /// Opens the log, to be read.
    ///
    /// # Errors
    /// If there is no log.
    pub fn open_log(&self) -> anyhow::Result<File> {
        let path = self.log_path();
        File::open(&path).map_err(|_| {
            Fault::new(Code::NotFound, format!("there is no log at {}", path.display()))
                .next("it begins with the first run of keyward proxy")
                .into()
        })
    }

    /// The folder of files that everybody may have, which may be given to a container or another user: nothing private is in it.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn public(&self) -> anyhow::Result<PathBuf> {
        let path = self.0.join("public");
        // Said afterwards: a new folder gets what the umask leaves of it.
        let made = fs::create_dir_all(&path)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)));
        made.with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(path)
    }

    /// The path of the log.
    pub fn log_path(&self) -> PathBuf {
        self.0.join("requests.log")
    }
}

/// The fault that a log is not sound.
pub fn broken(path: &Path, error: LogError) -> anyhow::Error {
    match error {
        LogError::Read(error) => anyhow::Error::new(error).context(format!("cannot read {}", path.display())),
        LogError::Broken(line) => {
            let what = format!("{}: line {line} does not follow from the one before it", path.display());
            Fault::new(Code::Integrity, what)
                .next("it was changed, or cut off when the machine stopped; keep it, and move it out of the way")
                .into()
        }
    }
}

fn unusable(path: &Path, error: CaError) -> Fault {
    Fault::new(Code::Integrity, format!("{}: {error}", path.display()))
        .next("move it away for a new one; programs must then be told to trust that one")
}

/// The present time.
#[expect(clippy::disallowed_methods, reason = "the clock of a running gateway")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
