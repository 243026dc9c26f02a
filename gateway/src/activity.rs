//! Requests under way on one connection: which keys are in use, and since when nothing is under way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::open_values::Use;
use crate::source::Grant;

/// The requests that are under way on one connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Activity(Arc<Mutex<State>>);

struct State {
    next: u64,
    requests: Vec<Under>,
    since: Instant,
}

/// What is known of one request under way.
struct Under {
    id: u64,
    grant: Option<Grant>,
    /// The request's use of a value, which keeps the value open until the request is over.
    used: Option<Use>,
}

/// One request under way. Dropping this ends it.
pub(crate) struct Busy {
    activity: Activity,
    id: u64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { next: 0, requests: Vec::new(), since: Instant::now() })))
    }

    /// Begins a request.
    pub(crate) fn begin(&self) -> Busy {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.requests.push(Under { id, grant: None, used: None });
        Busy { activity: self.clone(), id }
    }

    /// For how long nothing was under way. `None` if something is.
    pub(crate) fn idle(&self) -> Option<Duration> {
        let state = self.state();
        state.requests.is_empty().then(|| state.since.elapsed())
    }

    /// Whether `still` is true for every key in use.
    pub(crate) fn all(&self, still: impl Fn(&Grant) -> bool) -> bool {
        self.state().requests.iter().filter_map(|request| request.grant.as_ref()).all(still)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Busy {
    /// Notes that the request uses this key.
    pub(crate) fn uses(&self, grant: &Grant) {
        self.note(|request| request.grant = Some(grant.clone()));
    }

    /// Notes that the request uses this value.
    pub(crate) fn keeps(&self, used: Use) {
        self.note(|request| request.used = Some(used));
    }

    fn note(&self, note: impl FnOnce(&mut Under)) {
        let mut state = self.activity.state();
        if let Some(request) = state.requests.iter_mut().find(|request| request.id == self.id) {
            note(request);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests.retain(|request| request.id != self.id);
        state.since = Instant::now();
    }
}
