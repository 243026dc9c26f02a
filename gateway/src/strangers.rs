//! Whoever has not shown a credential yet: what they may cost is bounded, and agents do not feel it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// All of them together.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<State>);

#[derive(Default)]
struct State {
    /// When a refusal was written into the log last, and how many were not since.
    written: Option<Instant>,
    unwritten: u64,
}

impl Strangers {
    /// Counts a refusal. None: it need not be written; else, how many before it were not.
    pub(crate) fn refused(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.written.is_some_and(|written| now.duration_since(written) < EACH) {
            state.unwritten += 1;
            return None;
        }
        state.written = Some(now);
        Some(std::mem::take(&mut state.unwritten))
    }
}

/// One line of the log.
const EACH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_write_one_line_a_second_that_says_how_many_there_were() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        let at = |millis| strangers.refused(start + Duration::from_millis(millis));
        assert_eq!(at(0), Some(0));
        assert_eq!((at(1), at(500), at(999)), (None, None, None));
        assert_eq!(at(1000), Some(3));
        assert_eq!((at(1001), at(5000)), (None, Some(1)));
    }
}
