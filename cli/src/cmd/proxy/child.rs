//! A program behind the gateway that was started for it.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::fault::{Code, Ended, Fault};
use crate::proxy::{Place, bundle, variables};
use crate::session::files;
use crate::stop::Stops;

/// The program, and the folder with what it trusts.
pub(super) struct Child {
    process: tokio::process::Child,
    _folder: TempDir,
}

impl Child {
    /// Starts it as `agent`'s, with the gateway at `at`. keyward's own variables are not among its own.
    pub(super) fn start(
        command: &[OsString],
        at: &str,
        agent: &str,
        credential: &str,
        ca: &str,
    ) -> anyhow::Result<Self> {
        let (program, arguments) = command.split_first().ok_or_else(|| Fault::usage("which program?"))?;
        let folder = tempfile::Builder::new().prefix("keyward-proxy.").tempdir()?;
        let path = folder.path().join("authorities.pem");
        files::write(&path, bundle(ca).as_bytes())?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"KEYWARD_")) {
            command.env_remove(name);
        }
        let bundle = path.to_string_lossy();
        let place = Place { at, agent, credential, bundle: &bundle, direct: &[] };
        for (name, value) in variables(&place) {
            command.env(name, value.as_str());
        }
        match command.spawn() {
            Ok(process) => Ok(Self { process, _folder: folder }),
            Err(error) => {
                let shown = crate::fault::printable(&program.to_string_lossy(), 200);
                let (code, why) = match error.kind() {
                    ErrorKind::NotFound => (Code::CommandNotFound, "there is no such program"),
                    _ => (Code::CommandNotRun, "it cannot be run"),
                };
                Err(Fault::new(code, format!("{shown}: {why}")).into())
            }
        }
    }

    /// Waits until it has ended. A signal to the gateway is one to the program; the gateway ends after it.
    pub(super) async fn ended(&mut self, stops: &mut Stops) -> anyhow::Result<()> {
        let status = loop {
            tokio::select! {
                status = self.process.wait() => break status?,
                () = stops.next() => self.ask_to_end(),
            }
        };
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        match u8::try_from(code).unwrap_or(1) {
            0 => Ok(()),
            code => Err(Ended(code).into()),
        }
    }

    /// Ends it: without its gateway it can do nothing.
    pub(super) async fn end(&mut self) {
        self.ask_to_end();
        if timeout(GRACE, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }

    fn ask_to_end(&self) {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// Between being asked to end and being ended.
const GRACE: Duration = Duration::from_secs(10);
