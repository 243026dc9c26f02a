//! The option `--since`, which several commands have.

use std::time::SystemTime;

use crate::ctx::parse_span;

/// A moment, as it is typed for `--since` and `--until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Milliseconds before now.
    Ago(i64),
    /// Milliseconds UTC.
    At(i64),
}

impl Since {
    /// The moment in milliseconds UTC.
    pub(crate) fn at(self, now: i64) -> i64 {
        match self {
            Self::Ago(span) => now.saturating_sub(span),
            Self::At(time) => time,
        }
    }
}

/// A span before now, or a time in UTC.
///
/// # Errors
/// A text that says what to write instead.
pub(crate) fn parse_since(text: &str) -> Result<Since, String> {
    // A day alone is its beginning.
    let time = if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    match humantime::parse_rfc3339_weak(&time) {
        Ok(time) => {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Ok(Since::At(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
        }
        Err(_) => parse_span(text).map(Since::Ago).map_err(|_| {
            "write it as a span, 24h, or as a time, 2026-01-31 or 2026-01-31T12:00:00Z".to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_span_or_a_time() {
        assert_eq!(parse_since("24h"), Ok(Since::Ago(86_400_000)));
        assert_eq!(parse_since("2026-02-02T02:40:00Z"), Ok(Since::At(1_770_000_000_000)));
        assert_eq!(parse_since("2026-02-02 02:40:00"), Ok(Since::At(1_770_000_000_000)));
        assert_eq!(parse_since("2026-02-02"), Ok(Since::At(1_770_000_000_000 - (2 * 60 + 40) * 60_000)));
        for bad in ["yesterday", "", "24", "2026-13-01T00:00:00Z", "2026-02-30", "0123456789"] {
            assert!(parse_since(bad).is_err(), "{bad}");
        }
    }
}
