//! Expiry options: when something that is made now ends.

use crate::ctx::parse_span;

/// Never, or after a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Never.
    Never,
    /// It ends after so many milliseconds.
    After(i64),
}

impl Expiry {
    /// The end of what begins at `now`, in milliseconds UTC.
    pub(crate) fn from(self, now: i64) -> Option<i64> {
        match self {
            Self::Never => None,
            Self::After(span) => Some(now.saturating_add(span)),
        }
    }
}

/// `never`, or a span such as `90d`.
pub(crate) fn parse_expiry(text: &str) -> Result<Expiry, String> {
    match text {
        "never" => Ok(Expiry::Never),
        span => parse_span(span).map(Expiry::After),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_a_span_or_never() {
        assert_eq!(parse_expiry("never"), Ok(Expiry::Never));
        assert_eq!(parse_expiry("90d"), Ok(Expiry::After(90 * 86_400_000)));
        assert!(parse_expiry("0s").is_err() && parse_expiry("always").is_err() && parse_expiry("").is_err());
        assert_eq!((Expiry::Never.from(5), Expiry::After(2).from(5)), (None, Some(7)));
    }
}
