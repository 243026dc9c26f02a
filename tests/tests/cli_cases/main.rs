//! The client as its users meet it: exit codes, files, values byte for byte, `key import` and `run`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers: a failure is the test's failure, files are its own"
)]

mod codes;
mod files;
mod import;
mod run;
mod values;
