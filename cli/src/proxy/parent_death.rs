//! A program that is told to end when keyward has ended, whatever ended it: its gateway is gone then, and somebody else may come
//! to listen where that was.
//!
//! Linux tells a process of its parent's end if the process itself has asked for it. Between a process's start and its program
//! no code of ours may safely run. So what is started first is keyward once more, which asks and then becomes the program.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

use crate::launch;
use crate::out::Out;

/// What has to be started for a program to be told. The program itself, where keyward cannot be started once more.
pub fn wrapped(program: &[OsString]) -> Vec<OsString> {
    let mut words = Vec::with_capacity(program.len() + 3);
    if Path::new(OWN).exists() {
        words.extend([OWN.into(), WORD.into(), getpid().as_raw_nonzero().to_string().into()]);
    }
    words.extend_from_slice(program);
    words
}

/// Whether this process was started to become a program.
pub fn is_asked(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| word == WORD)
}

/// Becomes the program. Returns the exit code if it cannot.
pub fn become_program(args: &[OsString]) -> u8 {
    let [_, _, parent, program @ ..] = args else { return 2 };
    let ([program, arguments @ ..], Some(parent)) = (program, process(parent)) else { return 2 };
    // Where it is refused, the program runs as it would without.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    if getppid() != Some(parent) {
        // It ended before it was asked for.
        return 128 + 15;
    }
    let mut command = Command::new(program);
    // Returns only if there is no such program.
    let error = command.args(arguments).exec();
    let fault = launch::not_started(&command, &error);
    Out::default().error(&fault.to_string());
    fault.code as u8
}

fn process(id: &OsStr) -> Option<Pid> {
    id.to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw)
}

/// The path of this program's executable, which is valid also if the file was replaced since.
const OWN: &str = "/proc/self/exe";

/// The first argument of a process that is to become a program. It is no word of anybody's command line.
const WORD: &str = "__keyward-becomes";
