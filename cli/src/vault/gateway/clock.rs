//! The two clocks of a gateway: what ends at a date is judged by the one on the wall, how long ago something was heard by
//! one that nobody can set back.

use std::time::{Duration, Instant, SystemTime};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds UTC.
    fn wall(&self) -> i64;

    /// Time since some moment that stays the same. Never goes back.
    fn elapsed(&self) -> Duration;
}

/// This machine's.
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Running from now on.
    #[expect(clippy::new_without_default, reason = "two of them do not tell the same time")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where a gateway reads the clock")]
    fn wall(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
