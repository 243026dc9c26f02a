//! Errors of host patterns.

use super::authority::AuthorityError;

/// Why a host pattern was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The text is not a host with a port.
    #[error("{0}")]
    Authority(#[from] AuthorityError),
    /// A `*` elsewhere than as the first label.
    #[error("a * stands for one whole label, the first")]
    Star,
    /// A `*` before an address.
    #[error("an address has no names below it")]
    StarAddress,
    /// `com`, `co.uk`, `github.io`, or `*.` before such or before a single label.
    #[error("a public suffix: the names below it belong to anybody who registers one")]
    PublicSuffix,
    /// `*.` before a domain in which each name belongs to another customer.
    #[error("a shared domain: {0}")]
    Shared(&'static str),
}

impl HostError {
    /// What the user can do about the error.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Authority(error) => error.advice(),
            Self::Star => "write *.example.com for every host one label longer than example.com",
            Self::StarAddress => "write each address",
            Self::PublicSuffix | Self::Shared(_) => "write the exact host that the value is for",
        }
    }
}
