//! The server as a plain process: it outlives this command and its terminal, and ends with the machine.

use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use super::server_start::ServerStart;
use crate::ctx::Ctx;
use crate::session::files;
use crate::text::quoted;

/// Starts it, and says how it is stopped.
pub(super) fn start(ctx: &Ctx, start: &ServerStart) -> anyhow::Result<Child> {
    let path = start.folder.join("log");
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = Command::new(&start.program);
    command.arg("serve").arg("--data").arg(start.data()).args(["--listen", &start.listen.to_string()]);
    // The client's credential is none of its business, nor are settings that were meant for another server.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"KEYWARD_")) {
        command.env_remove(name);
    }
    // In a group of its own: Ctrl-C at this terminal is not meant for it.
    command.current_dir(&start.folder).process_group(0);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let child = command.spawn().with_context(|| format!("cannot start {}", start.program.display()))?;
    let pid = start.folder.join("pid");
    files::write(&pid, format!("{}\n", child.id()).as_bytes())?;
    ctx.out.say(&format!(
        "started {} as a plain process; to stop it: kill $(cat {})",
        start.program.display(),
        quoted(&pid.display().to_string())
    ));
    Ok(child)
}
