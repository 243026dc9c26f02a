//! What an operator does to a server, and what it does by itself over time.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers: a failure is the test's failure, files are its own"
)]

mod backup;
mod check;
mod drill;
mod guessing;
mod metrics;
mod postgres;
mod reload;
mod schema;
mod setup;
mod unit;
