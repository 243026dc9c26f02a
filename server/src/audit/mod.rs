//! The audit chain (CRYPTO.md §2.11): what is recorded, how it is linked, and the one place that writes it.
//!
//! Tamper-evident, not tamper-proof: it proves something only to a client that kept an earlier head.

mod event;
mod writer;

pub(crate) use event::{Event, index_of, lists_keys_beside};
pub(crate) use writer::{Origin, append, append_all};
