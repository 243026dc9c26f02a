//! The program from its command line to its exit code.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser as _;

use crate::cmd::Cli;
use crate::ctx::{Ctx, Env};
use crate::fault::{Code, Ended, code_of};
use crate::out::Out;
#[cfg(all(feature = "gateway", target_os = "linux"))]
use crate::proxy::parent_death;
use crate::{complete, fast_parse, shell_eval, usage};

/// Runs the program.
pub fn main() -> ExitCode {
    forbid_core_dumps();
    // The default hook would print the panic's text, which might quote data.
    std::panic::set_hook(Box::new(|_| {}));
    let args: Vec<OsString> = std::env::args_os().collect();
    if complete::is_asked(&args) {
        let _ = catch_unwind(|| complete::answer(&args));
        return ExitCode::SUCCESS;
    }
    #[cfg(all(feature = "gateway", target_os = "linux"))]
    if parent_death::is_asked(&args) {
        return ExitCode::from(parent_death::become_program(&args));
    }
    let code = catch_unwind(AssertUnwindSafe(|| run(&args))).unwrap_or_else(|_| {
        Out::default().error("keyward failed in a way it should not; please report how to make it happen");
        Code::Unexpected as u8
    });
    if code != 0 && shell_eval::expected(&args) {
        Out::default().fail_the_shell();
    }
    ExitCode::from(code)
}

fn run(args: &[OsString]) -> u8 {
    let cli = match fast_parse::parse(args).map_or_else(|| Cli::try_parse_from(args), Ok) {
        Ok(cli) => cli,
        Err(asked) if !asked.use_stderr() && shell_eval::asked(args) && !Out::stdout_is_terminal() => {
            // A shell would run the help's words.
            Out::default().note(&asked.to_string());
            return Code::Usage as u8;
        }
        Err(error) => {
            let error = usage::without_typed(error);
            usage::print(&error, args);
            return u8::try_from(error.exit_code()).unwrap_or(Code::Usage as u8);
        }
    };
    let ctx = Ctx::new(cli.global.clone(), Env::read());
    match cli.run(&ctx, shell_eval::expected(args)) {
        Ok(()) => 0,
        Err(error) if error.is::<Ended>() => error.downcast_ref().map_or(1, |Ended(code)| *code),
        Err(error) => {
            ctx.out.error(&format!("{error:#}"));
            code_of(&error) as u8
        }
    }
}

/// Keys are in this process's memory: no core dump, and no other process of the same user reads it.
#[cfg(target_os = "linux")]
fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(not(target_os = "linux"))]
fn forbid_core_dumps() {}
