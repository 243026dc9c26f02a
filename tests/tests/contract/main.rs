//! What scripts and people rely on, over all commands: help with an example, JSON of one form, a memory that is not trusted
//! blindly, and no secret in anything that is said.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers: a failure is the test's failure"
)]

mod export;
mod help;
mod json;
mod memory;
mod silence;
mod terminal;
