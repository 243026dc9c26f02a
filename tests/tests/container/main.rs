//! keyward in a container and from a release: static programs, the scripts of `examples/container`, `install.sh`.
//!
//! What runs here is what is published: the archive that `cargo xtask dist` made, in folders that hold nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::string_slice,
    reason = "a test's helpers: a failure is the test's failure, files and variables are its own"
)]

mod entrypoint;
mod image;
mod install;
mod names;
mod profile;
mod refresh;
mod release;
mod room;
mod skills;
