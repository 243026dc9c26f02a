//! The `keyward` client.
//!
//! `session (who am I) → api (one request) → vault (verify, decrypt, remember) → export | run`; [`cmd`] has one file a
//! command, [`out`] is the only writer of stdout and stderr, [`fault`] the only list of exit codes.

mod account;
pub mod api;
mod args;
pub mod clipboard;
pub mod cmd;
pub mod complete;
pub mod ctx;
pub mod export;
mod fast_parse;
pub mod fault;
pub mod import;
pub mod launch;
pub mod out;
mod process_env;
pub mod program;
mod prompt;
#[cfg(feature = "gateway")]
pub mod proxy;
mod report;
pub mod session;
pub mod shell_eval;
pub mod signals;
#[cfg(test)]
mod testing;
mod text;
pub mod usage;
pub mod vault;
