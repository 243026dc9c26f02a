//! What must hold for any bytes that somebody else wrote: one claim a parser, one file a claim.
//!
//! A claim takes the bytes and panics if it does not hold. libFuzzer searches for such bytes (`cargo xtask fuzz`); the test
//! `fuzz_corpora` holds every claim against all that it kept.

pub mod answer;
pub mod audit;
pub mod chunked;
pub mod coding;
pub mod dotenv;
pub mod envelope;
pub mod host_pattern;
pub mod inject;
pub mod json;
pub mod mapping_file;
pub mod request;
pub mod rule;
pub mod scrub;
pub mod token;
pub mod websocket;

/// Panics if it does not hold for these bytes.
pub type Claim = fn(&[u8]);

/// Every claim, by the name of its target and of its folder in `corpus/`.
pub const CLAIMS: &[(&str, Claim)] = &[
    ("answer", answer::holds),
    ("audit", audit::holds),
    ("chunked", chunked::holds),
    ("coding", coding::holds),
    ("dotenv", dotenv::holds),
    ("envelope", envelope::holds),
    ("host_pattern", host_pattern::holds),
    ("inject", inject::holds),
    ("json", json::holds),
    ("mapping_file", mapping_file::holds),
    ("request", request::holds),
    ("rule", rule::holds),
    ("scrub", scrub::holds),
    ("token", token::holds),
    ("websocket", websocket::holds),
];
