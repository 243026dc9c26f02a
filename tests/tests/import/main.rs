//! Keys come in from other tools, get their labels, and find a way out: black box, with the real client and server.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers: a failure is the test's failure, files are its own"
)]

mod copy;
mod export;
mod labels;
mod prune;
mod shred;
mod sources;

use std::path::{Path, PathBuf};

use keyward_tests::machine::Machine;
use serde_json::Value;

/// A file of the form that a tool exports, with invented values.
fn sample(name: &str) -> Vec<u8> {
    std::fs::read(samples().join(name)).unwrap()
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/import")
}

/// What `keyward WORD… --json` prints, which must succeed.
fn json(machine: &Machine, words: &[&str]) -> Value {
    serde_json::from_str(&machine.ok(&[words, &["--json"]].concat())).unwrap()
}

/// A file in the machine's home, as text.
fn text(machine: &Machine, name: &str) -> String {
    std::fs::read_to_string(machine.path(name)).unwrap()
}
