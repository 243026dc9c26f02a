//! What a person meets every day: completions and the manual, a name that means nothing here, a doctor, a first start, rules
//! for the gateway and how they come to allow more, files for programs behind it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers: a failure is the test's failure"
)]

mod choosing;
mod completions;
mod doctor;
mod manual;
mod quickstart;
mod rules;
mod stubs;
mod widening;
