//! keyward's server: keeps sealed envelopes and the relations between opaque ids, and never sees a name or a value.
//!
//! A request goes `http → auth → access → store → audit → http`. [`access`] is pure; SQL is written in [`store`] and nowhere
//! else; only `http/error.rs` picks the status of a refusal under `/v1`. There is no path from here to the code that can open an
//! envelope.

pub mod access;
mod app;
mod audit;
mod auth;
pub mod backup;
mod bundles;
pub mod check;
mod clock;
pub mod config;
mod connections;
mod data;
mod http;
mod metrics;
mod random;
mod retention;
mod serve;
pub mod store;
#[cfg(test)]
mod testing;
mod tls;
mod watch;

pub use app::{App, open_store, read_store};
pub use auth::SetupCode;
pub use data::DirectoryLock;
pub use http::{Failure, Guard, ROUTES, Route, Verb, document};
pub use serve::{serve, serve_metrics};
