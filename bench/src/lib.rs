//! What keyward costs, as ratios to what the machine can do at best. Run it with `cargo xtask bench`; docs/BENCHMARKS.md
//! has the figures.
//!
//! Machines differ and are shared, so no figure stands alone: everything that is compared runs in one interleaved run,
//! and what counts is the median of the paired ratios. Nothing here is a test, and no test looks at a time.
//!
//! | module | holds |
//! |---|---|
//! | [`common`] | rounds, statistics, tables, verdicts; a server and machines to measure on |
//! | [`client`] | the command line client against a lean program of the same job |
//! | [`gateway`] | `keyward proxy` against a bare proxy of the same parts, hudsucker and mitmproxy |
//! | [`growth`] | what stays the same when an organisation grows |
//! | [`server`] | the server against bare routes of the same parts, and a grown database against an empty one |
//!
//! The lean program is `keyward-bench-floor` (`src/bin/floor.rs`), the bare routes are `keyward-bench-reference`
//! (`src/bin/reference.rs`), the bare proxy is `keyward-bench-forward` (`src/bin/forward.rs`). hudsucker is a program of its own,
//! outside the workspace (`hudsucker/`).

#![expect(
    clippy::disallowed_methods,
    reason = "not shipped: its files are its own, in a temporary directory; the cluster's address is in the environment"
)]

pub mod client;
pub mod common;
pub mod gateway;
pub mod growth;
pub mod server;
