//! The two clocks of a gateway. Ends at a date are judged by the wall clock. How long ago the server was heard is judged by a
//! clock that nobody can set back and that does not stop while the machine sleeps.

use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The wall clock: milliseconds UTC. It never goes back.
    fn wall(&self) -> i64;

    /// The time since some fixed moment. It never goes back, and runs while the machine sleeps.
    fn elapsed(&self) -> Duration;
}

/// This machine's clocks.
pub struct SystemClock {
    start: Duration,
    wall_at_start: i64,
}

impl SystemClock {
    /// The clocks, with the wall clock's start noted now.
    #[expect(clippy::new_without_default, reason = "two of them do not tell the same time")]
    pub fn new() -> Self {
        Self { start: since_boot(), wall_at_start: wall() }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> i64 {
        not_before(self.wall_at_start, self.elapsed(), wall())
    }

    fn elapsed(&self) -> Duration {
        since_boot().saturating_sub(self.start)
    }
}

/// `wall`, unless the clock was set back: what has ended does not begin again.
fn not_before(wall_at_start: i64, elapsed: Duration, wall: i64) -> i64 {
    let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
    wall.max(wall_at_start.saturating_add(elapsed))
}

/// The wall clock in milliseconds UTC. If it cannot be read, the end of all times: everything has ended.
#[expect(clippy::disallowed_methods, reason = "the one place where a gateway reads the clock")]
fn wall() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(i64::MAX)
}

/// The time since boot. On other systems than Linux, it stops while the machine sleeps.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    Duration::try_from(clock_gettime(clock)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let second = Duration::from_secs(1);
        assert_eq!(not_before(5_000, second, 6_000), 6_000, "as it should be");
        assert_eq!(not_before(5_000, second, 9_000), 9_000, "set forward");
        assert_eq!(not_before(5_000, second, 1_000), 6_000, "set back");
        assert_eq!(not_before(i64::MAX, second, 1_000), i64::MAX, "it could not be read");
    }

    #[test]
    fn both_clocks_run() {
        let clock = SystemClock::new();
        let (wall, elapsed) = (clock.wall(), clock.elapsed());
        while clock.elapsed() < elapsed + Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(clock.wall() > wall);
    }
}
