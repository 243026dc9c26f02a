//! What README.md and docs/ say: its script is run, its commands exist, its links lead somewhere.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's failure; its files are its own"
)]

mod commands;
mod json;
mod links;
mod markdown;
mod named_tests;
mod script;

#[test]
fn the_readme_fits_in_150_lines() {
    let lines = markdown::read("README.md").lines().count();
    assert!(lines <= 150, "README.md has {lines} lines");
}
