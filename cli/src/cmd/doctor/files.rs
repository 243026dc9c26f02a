//! What this client keeps: who may read it, whether it is whole, whether more could be written.

use std::fs::Metadata;
use std::path::Path;

use super::check::Check;
use crate::ctx::Ctx;
use crate::fault::Code;
use crate::session::config::{Config, Login};
use crate::session::files as private;
use crate::session::home::Home;

/// The folder, all that is in it, and the login that is kept there.
pub(super) fn look(ctx: &Ctx) -> (Vec<Check>, Option<Login>) {
    let Some(home) = Home::find(ctx) else {
        let found = "there is no HOME: nothing is kept on this machine";
        let next =
            "set KEYWARD_URL and KEYWARD_TOKEN, which need nothing to be kept; or set HOME or KEYWARD_HOME";
        return (vec![Check::warn("files", found, next)], None);
    };
    let path = home.path();
    let Ok(facts) = path.metadata() else {
        return (
            vec![Check::ok("files", format!("{} is not there yet: nothing is kept", path.display()))],
            None,
        );
    };
    if !facts.is_dir() {
        return (vec![Check::of_error("files", &private::no_folder(path).into())], None);
    }
    let mut checks = Vec::new();
    walk(path, &facts, &mut checks);
    if checks.is_empty() {
        checks.push(Check::ok("files", format!("{}: nobody else may read it", path.display())));
    }
    checks.extend(writeable(path));
    match Config::load(&home) {
        Ok(config) => {
            checks.extend(memory(&home, &config));
            (checks, config.login)
        }
        // A loose mode was told already.
        Err(_) if checks.iter().any(Check::is_failure) => (checks, None),
        Err(error) => {
            checks.push(Check::of_error("files", &error));
            (checks, None)
        }
    }
}

fn walk(path: &Path, facts: &Metadata, checks: &mut Vec<Check>) {
    if let Err(fault) = private::check_private(path, facts) {
        checks.push(Check::of_error("files", &fault.into()));
        // What is in a folder that is there for others is theirs.
        if facts.is_dir() && !private::is_keywards(path) {
            return;
        }
    }
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        match entry.metadata() {
            // The data of a server that quickstart started are the server's to guard.
            Ok(_) if entry.file_name() == "data" && path.ends_with("server") => {}
            // The gateway's certificate is for everybody.
            Ok(_) if entry.file_name() == "public" && path.ends_with("gateway") => {}
            Ok(facts) if facts.is_dir() => walk(&entry.path(), &facts, checks),
            Ok(facts) if facts.is_file() => walk(&entry.path(), &facts, checks),
            _ => {}
        }
    }
}

/// Asked of the system, not tried: a doctor leaves nothing behind.
fn writeable(path: &Path) -> Option<Check> {
    let keeps_nothing = "logins and memory cannot be kept; commands go on without";
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
        let found = format!("{} cannot be written: {keeps_nothing}", path.display());
        return Some(Check::warn(
            "files",
            found,
            "make it writeable, or set KEYWARD_HOME to a folder that is",
        ));
    }
    let space = rustix::fs::statvfs(path).ok()?;
    (space.f_blocks > 0 && space.f_bavail == 0).then(|| {
        let found = format!("the disk of {} is full: {keeps_nothing}", path.display());
        Check::warn("files", found, "make room")
    })
}

/// Each identity that this client has seen has its memory.
fn memory(home: &Home, config: &Config) -> Option<Check> {
    let file =
        |identity: &keyward_wire::IdentityId| home.path().join("state").join(format!("{identity}.kwe"));
    if let Some(lost) = config.pinned.iter().map(file).find(|file| !file.is_file()) {
        return Some(Check::fail(
            "memory",
            Code::Stale,
            format!("{} is gone: an old state of the server would go unnoticed", lost.display()),
            "if you know why, start afresh with: keyward pin --forget",
        ));
    }
    let seen = !config.pinned.is_empty();
    seen.then(|| Check::ok("memory", "what was seen of the server's state is kept: an older one is refused"))
}
