//! Strangers: clients that have not shown a credential yet. What they may cost is bounded, and agents do not feel it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// All strangers together.
pub(crate) struct Strangers {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// The strangers that have a connection, the oldest first.
    here: BTreeMap<u64, Arc<Notify>>,
    /// When a refusal was last written into the log, and how many were not written since.
    written: Option<Instant>,
    unwritten: u64,
}

/// One stranger, for as long as the connection lasts or until its agent is known.
pub(crate) struct Stranger {
    all: Arc<Strangers>,
    id: u64,
    shown_out: Arc<Notify>,
}

impl Strangers {
    /// At most `most` strangers have a connection.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    /// Adds a stranger. If there are too many, the oldest must go: agents show their credential at once, so the oldest is not an
    /// agent.
    pub(crate) fn enter(self: &Arc<Self>) -> Stranger {
        let shown_out = Arc::new(Notify::new());
        let mut state = self.state();
        while state.here.len() >= self.most
            && let Some((_, oldest)) = state.here.pop_first()
        {
            oldest.notify_one();
        }
        let id = state.next;
        state.next += 1;
        state.here.insert(id, Arc::clone(&shown_out));
        drop(state);
        Stranger { all: Arc::clone(self), id, shown_out }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal. `None` if it need not be written into the log; else how many before it were not.
    pub(crate) fn refused(&self, now: Instant) -> Option<u64> {
        let mut state = self.state();
        if state.written.is_some_and(|written| now.duration_since(written) < EACH) {
            state.unwritten += 1;
            return None;
        }
        state.written = Some(now);
        Some(std::mem::take(&mut state.unwritten))
    }
}

impl Stranger {
    /// Notes that the connection's agent is known.
    pub(crate) fn is_known(&self) {
        self.all.state().here.remove(&self.id);
    }

    /// Waits until this stranger must make room.
    pub(crate) async fn shown_out(&self) {
        self.shown_out.notified().await;
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.is_known();
    }
}

/// How often refusals of strangers are written into the log.
const EACH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_write_one_line_a_second_that_says_how_many_there_were() {
        let (strangers, start) = (Strangers::new(1), Instant::now());
        let at = |millis| strangers.refused(start + Duration::from_millis(millis));
        assert_eq!(at(0), Some(0));
        assert_eq!((at(1), at(500), at(999)), (None, None, None));
        assert_eq!(at(1000), Some(3));
        assert_eq!((at(1001), at(5000)), (None, Some(1)));
    }

    #[tokio::test]
    async fn p16_the_stranger_who_was_silent_for_longest_makes_room() {
        let strangers = Arc::new(Strangers::new(2));
        let (first, second) = (strangers.enter(), strangers.enter());
        first.is_known();
        let third = strangers.enter();
        let fourth = strangers.enter();
        second.shown_out().await;
        drop(third);
        let _fifth = strangers.enter();
        assert_eq!(strangers.state().here.len(), 2);
        let out = |one: &Stranger| !strangers.state().here.contains_key(&one.id);
        assert!(!out(&fourth), "a place was free");
    }
}
