//! Attacks on the gateway, on real sockets: an agent in front of it, upstreams that do what they like behind it, and a source of
//! secrets in memory. What a case is called is what it claims; the letters and numbers are the rows of ATTACKS.md.
//!
//! The gateway's tests run each case by itself; `keyward proxy selftest` runs them where a gateway is to be.

#![expect(
    clippy::disallowed_methods,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests: the clock is the clock, and what fails is a claim that does not hold"
)]

#[macro_use]
mod list;
mod case;
mod cases;
pub mod forms;
mod lab;

pub use case::Case;

/// The rows of every case, also of those that need time and memory and are run by the gateway's tests only.
pub fn rows() -> impl Iterator<Item = String> {
    macro_rules! names {
        ($($part:ident { $($name:ident,)* })*) => { [$($(stringify!($name)),*),*] };
    }
    each_attack!(names).into_iter().flat_map(case::rows)
}

/// Every case.
pub fn all() -> impl Iterator<Item = &'static Case> {
    cases::ALL.iter().copied().flatten()
}
