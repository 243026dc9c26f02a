//! The gateway: an agent makes ordinary requests without a credential; the gateway judges, puts the one secret that is
//! needed into the request, and keeps it out of the answer.
//!
//! It gets values through a [`SecretSource`] and cannot decrypt anything: of keyward's packages it has `keyward-wire` only.
//! So it is fuzzed, tested and read without a server.
//!
//! Every request goes `accept → auth → policy → inject → upstream → redact`, and each step may refuse it.

#![warn(missing_docs, clippy::missing_errors_doc, clippy::indexing_slicing)]

mod accept;
mod activity;
mod address;
mod agent;
mod answer;
pub mod auth;
mod blind;
pub mod ca;
pub mod config;
pub mod control;
mod dial;
mod drive;
mod entry;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod gateway;
mod guard;
mod headers;
pub mod inject;
mod limits;
mod listing;
pub mod log;
mod open_values;
pub mod placeholder;
mod policy;
mod pulse;
mod random;
pub mod redact;
pub mod refuse;
mod request_body;
mod scrub;
mod serve;
mod shared;
mod skipped_placeholders;
pub mod source;
mod strangers;
mod threads;
mod tunnel;
mod upstream;
mod websocket;

pub use ca::Ca;
pub use config::{Config, Egress, UpstreamProxy};
pub use gateway::{Gateway, Listener};
pub use log::Log;
pub use source::{Agent, Closed, Grant, SecretSource, Value};
pub use threads::Threads;
