//! Programs that keyward starts, in the environment of whoever called.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use crate::fault::{Code, Fault, printable};

/// The program and its arguments, with our own variables but keyward's; with `only`, no others than these.
///
/// # Errors
/// If there is no program.
pub fn command(words: &[OsString], only: Option<&[OsString]>) -> anyhow::Result<Command> {
    let (program, arguments) = words.split_first().ok_or_else(|| Fault::usage("which program?"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(only) = only {
        command.env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| only.contains(name)));
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"KEYWARD_")) {
        command.env_remove(name);
    }
    Ok(command)
}

/// The fault that a program did not start, in the words of shells.
pub fn not_started(command: &Command, error: &io::Error) -> Fault {
    let shown = printable(&command.get_program().to_string_lossy(), 200);
    let (code, why) = match error.kind() {
        io::ErrorKind::NotFound => (Code::CommandNotFound, "there is no such program"),
        io::ErrorKind::ArgumentListTooLong => {
            let what = "its variables and arguments take more room than this system gives a program";
            return Fault::new(Code::CommandNotRun, format!("{shown}: {what}"))
                .next("map fewer or smaller keys in this deployment, or have the program read a file: env-file FILE");
        }
        _ => (Code::CommandNotRun, "it cannot be run"),
    };
    Fault::new(code, format!("{shown}: {why}"))
}
