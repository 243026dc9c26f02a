//! Methods a rule lets a value go with.

use std::fmt;
use std::str::FromStr;

/// An HTTP method as it is sent: case counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(String);

/// Why a method was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// The text is not 1 to 32 capital letters and `-`.
    #[error("not a method")]
    NotAMethod,
    /// `CONNECT`, `TRACE` or `TRACK`.
    #[error("no value ever goes with CONNECT, TRACE or TRACK")]
    Never,
}

impl MethodError {
    /// What the user can do about the error.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotAMethod => "write it in capital letters, as in GET or PROPFIND",
            Self::Never => "leave it out",
        }
    }
}

impl Method {
    /// The method.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a rule that names no methods lets a value go with this one. Others, such as those of WebDAV, are named if they are
/// meant: a server may take an unknown word for anything.
pub(super) fn is_common(method: &str) -> bool {
    COMMON.contains(&method)
}

/// Whether a request with this method changes nothing at the provider, by HTTP's own word (RFC 9110, 9.2.1).
pub(super) fn is_safe(method: &str) -> bool {
    ["GET", "HEAD", "OPTIONS"].contains(&method)
}

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let word = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        if !matches!(text.len(), 1..=32) || !text.bytes().all(word) || text.starts_with('-') {
            return Err(MethodError::NotAMethod);
        }
        if NEVER.contains(&text) {
            return Err(MethodError::Never);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const COMMON: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

/// Methods that no rule may name: they ask to see or to tunnel the request itself.
const NEVER: &[&str] = &["CONNECT", "TRACE", "TRACK"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_what_is_sent_and_nothing_like_it() {
        for method in ["GET", "PROPFIND", "M-SEARCH"] {
            assert_eq!(method.parse::<Method>().unwrap().as_str(), method);
        }
        for method in ["", "get", "Get", "GET ", "GET\r\n", "PATCH2", "*", "-", &"A".repeat(33)] {
            assert_eq!(method.parse::<Method>(), Err(MethodError::NotAMethod), "{method:?}");
        }
        for method in ["CONNECT", "TRACE", "TRACK"] {
            assert_eq!(method.parse::<Method>(), Err(MethodError::Never));
        }
    }
}
