//! From the command line to the exit code.

use std::ffi::{OsStr, OsString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser as _;

use crate::cmd::Cli;
use crate::ctx::{Ctx, Env};
use crate::fault::{Code, code_of};
use crate::out::Out;

/// Runs the program.
pub fn main() -> ExitCode {
    forbid_core_dumps();
    // The default hook would print the panic's text, which might quote data.
    std::panic::set_hook(Box::new(|_| {}));
    let args: Vec<OsString> = std::env::args_os().collect();
    let code = catch_unwind(AssertUnwindSafe(|| run(&args))).unwrap_or_else(|_| {
        Out::default().error("keyward failed in a way it should not; please report how to make it happen");
        Code::Unexpected as u8
    });
    if code != 0 && prints_for_a_shell(&args) {
        // An empty output survives `set -e; eval $(…)` in every shell; `false` does not.
        let _ = Out::default().line("false");
    }
    ExitCode::from(code)
}

fn run(args: &[OsString]) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(Code::Usage as u8);
        }
    };
    let ctx = Ctx::new(cli.global.clone(), Env::read());
    match cli.run(&ctx) {
        Ok(()) => 0,
        Err(error) => {
            ctx.out.error(&format!("{error:#}"));
            code_of(&error) as u8
        }
    }
}

/// Whether stdout is for a shell's `eval`: `env-file --stdout`, in shell format. Decided on the raw words, because it must
/// hold for command lines that do not parse, too.
fn prints_for_a_shell(args: &[OsString]) -> bool {
    let words: Vec<&OsStr> = args.iter().map(OsString::as_os_str).take_while(|word| *word != "--").collect();
    let format = words.iter().enumerate().find_map(|(at, word)| match word.to_str() {
        Some("--format") => words.get(at + 1).and_then(|next| next.to_str()),
        Some(word) => word.strip_prefix("--format="),
        None => None,
    });
    let other = matches!(format, Some("dotenv" | "json"));
    words.iter().any(|word| *word == "env-file") && words.iter().any(|word| *word == "--stdout") && !other
}

/// Keys are in this process's memory: no core dump, and no other process of the same user reads it.
#[cfg(target_os = "linux")]
fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(not(target_os = "linux"))]
fn forbid_core_dumps() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shell_gets_the_word_false() {
        let shell = |line: &str| prints_for_a_shell(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(shell("keyward deployment env-file p --stdout"));
        assert!(shell("keyward deployment env-file --stdout --bogus"));
        assert!(shell("keyward deployment env-file p --stdout --format shell"));
        assert!(shell("keyward deployment env-file p --stdout --format=nonsense"));
        assert!(!shell("keyward deployment env-file p --stdout --format json"));
        assert!(!shell("keyward deployment env-file p --stdout --format=dotenv"));
        assert!(!shell("keyward deployment env-file p out.env"));
        assert!(!shell("keyward run p -- env-file --stdout"));
    }
}
