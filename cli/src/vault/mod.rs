//! Carries out the protocol: sealed answers in, verified values out; and an administrator's writes.
//!
//! [`fetch`] reads as any identity in one request; meanwhile `speculative` has `open` verify the cached answer. [`freshness`] says how
//! new an answer must be, [`offline`] when the cached copy is used, `refusal` when it ends. [`admin`] signs an owner or admin in and carries a change of
//! the organisation through. [`pins`] and [`cache`] are what this client keeps of both; [`glance`] looks there first. [`explain`]
//! says why an identity can or cannot read, [`audit`] whether the server's log is whole: both are pure. [`gateway`] is what a
//! gateway knows, kept current for as long as it runs.

pub mod admin;
pub mod audit;
pub mod cache;
pub mod choose;
pub mod explain;
pub mod fetch;
pub mod freshness;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod glance;
pub mod mapping_file;
pub mod notice;
pub mod offline;
mod open;
pub mod pins;
mod refusal;
mod speculative;
