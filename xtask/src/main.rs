//! `cargo xtask <command>`: what a developer and CI run. Nothing here is shipped.

mod bench;
mod cargo;
mod demo;
mod dist;
mod fuzz;
mod install;
mod postgres;
mod release;
mod say;
mod scripts;
mod steps;
mod test;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run_all(&test::Advisories::Skip),
        ["test", "--advisories"] => test::run_all(&test::Advisories::Check),
        ["demo"] => demo::run(demo::After::Stop),
        ["demo", "--keep"] => demo::run(demo::After::Keep),
        ["bench", words @ ..] => bench::run(words),
        ["dist"] => dist::make(None),
        ["dist", "--rehearsal"] => dist::rehearse().map(drop),
        ["dist", "--target", target] => dist::make(Some(target)),
        ["postgres"] => postgres::foreground(),
        ["tools"] => tools::by_hand(),
        ["fuzz", options @ ..] => fuzz::run_options(options),
        [] | ["help" | "--help" | "-h"] => {
            say::out(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {
            say::talk(&format!("cargo xtask: cannot make sense of `{}`\n\n{USAGE}", words.join(" ")));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::talk(&format!("cargo xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--advisories]  exactly what CI runs: format, lints, dependencies, docs, build, all tests on both databases.
                       As root it installs what is missing; as a user it says what to install.
                       --advisories also asks the RustSec database (needs the network).
  demo [--keep]        the main job on a throw-away server: from a .env file to eval, then an agent behind the gateway;
                       every claim checked.
                       --keep leaves the server running and says how to use and stop it.
  bench [SECTION] [--quick]
                       ratios to what the machine can do at best, each from one interleaved run, and the verdict on
                       every target. Builds static release programs first. SECTION: client, gateway [PART…], growth,
                       server, crowd (some ten minutes and 10 GB in the temporary directory), or all: but for crowd.
  dist [--target T]    what is published, in target/dist: static release programs, packed, and their checksums. For this
                       machine, or for another target that rustup has. --rehearsal instead: what the tests take, in
                       target/dist-rehearsal; debug programs, linked the same way.
  fuzz [TARGET] [--seconds N] [--keep]
                       searches for inputs that break a claim of fuzz/, 60 s a target; --keep adds what reaches new
                       code to the kept corpora.
  postgres             a throw-away PostgreSQL in the foreground; prints the line to export; Ctrl-C stops it.
  tools                the Python and npm packages that tests run, in target/tools; prints the line to export.";
