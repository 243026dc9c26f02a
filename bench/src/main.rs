//! `keyward-bench [client|gateway [PART…]|growth|server|crowd|all] [--quick]`: measures and prints; stdout is the report, stderr is talk.

use std::io::Write as _;
use std::process::ExitCode;

use keyward_bench::common::effort::Effort;
use keyward_bench::common::report::Report;
use keyward_bench::{client, gateway, growth, server};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let effort = if words.iter().any(|word| word == "--quick") { Effort::Quick } else { Effort::Full };
    let sections: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--quick").collect();
    let mut report = Report::new(effort);
    let done = match sections.as_slice() {
        ["client"] => client::run(&mut report),
        ["gateway", parts @ ..] => gateway::run(&mut report, parts),
        ["growth"] => growth::run(&mut report),
        ["server"] => server::run(&mut report),
        ["crowd"] => server::crowd::run(&mut report),
        ["all"] | [] => client::run(&mut report)
            .and_then(|()| gateway::run(&mut report, &[]))
            .and_then(|()| growth::run(&mut report))
            .and_then(|()| server::run(&mut report)),
        _ => {
            _ = writeln!(std::io::stderr(), "{USAGE}");
            return ExitCode::from(2);
        }
    };
    report.close();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(std::io::stderr(), "keyward-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: keyward-bench [client|gateway [PART…]|growth|server|crowd|all] [--quick]";
