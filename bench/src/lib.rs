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
//! | [`growth`] | what stays the same when an organisation grows |
//!
//! The lean program is `keyward-bench-floor` (`src/bin/floor.rs`).

#![expect(
    clippy::disallowed_methods,
    reason = "not shipped: its files are its own, in a temporary directory"
)]

pub mod client;
pub mod common;
pub mod growth;
