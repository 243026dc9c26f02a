//! The gateway: an agent makes ordinary requests without a credential; the gateway judges, puts the one secret that is
//! needed into the request, and keeps it out of the answer.
//!
//! It gets values through a [`SecretSource`] and cannot decrypt anything: of keyward's packages it has `keyward-wire` only.
//! So it is fuzzed, tested and read without a server.
//!
//! Every request goes `accept → agent → policy → inject → upstream → redact`, and each step may refuse it.

#![warn(missing_docs, clippy::missing_errors_doc, clippy::indexing_slicing)]

pub mod inject;
pub mod placeholder;
mod random;
pub mod redact;
pub mod source;

pub use source::{Agent, Closed, SecretSource, Value};
