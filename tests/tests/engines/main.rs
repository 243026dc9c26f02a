//! The server as its operator meets it: the same on SQLite and on PostgreSQL, closed by default, plain about what it refuses.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers: a failure is the test's failure, files are its own"
)]

mod again;
mod described;
mod doors;
mod life;
mod schema;
mod sweeping;
