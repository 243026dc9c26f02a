//! Keys come in from other tools, get their labels, and find a way out: black box, with the real client and server.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers: a failure is the test's failure, files are its own"
)]

mod copy;
mod labels;
mod prune;

use keyward_tests::machine::Machine;
use serde_json::Value;

/// What `keyward WORD… --json` prints, which must succeed.
fn json(machine: &Machine, words: &[&str]) -> Value {
    serde_json::from_str(&machine.ok(&[words, &["--json"]].concat())).unwrap()
}

/// A file in the machine's home, as text.
fn text(machine: &Machine, name: &str) -> String {
    std::fs::read_to_string(machine.path(name)).unwrap()
}
