//! Signs between the code that answers requests and the guard in front of the parser.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The answering side's handle to a guard: opens the guard, and tells whether it rests. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Signs>);

#[derive(Default)]
struct Signs {
    open: AtomicBool,
    /// Whether the last read waits for a request of which nothing has come.
    waits: AtomicBool,
    /// Whether bytes were written that may not have been sent yet.
    unsent: AtomicBool,
}

impl Gate {
    /// Opens the guard: from now on the connection carries what was agreed on, a tunnel's bytes or WebSocket's frames.
    pub(crate) fn open(&self) {
        self.0.open.store(true, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Acquire)
    }

    /// Whether the guard holds nothing, in either direction, that a new guard would not: all bytes that came were handed on, and
    /// all that were written are sent. Whether the parser still works on them is told only by the requests under way.
    pub(crate) fn rests(&self) -> bool {
        self.0.waits.load(Ordering::Acquire) && !self.0.unsent.load(Ordering::Acquire)
    }

    pub(super) fn waits(&self, waits: bool) {
        self.0.waits.store(waits, Ordering::Release);
    }

    pub(super) fn unsent(&self, unsent: bool) {
        self.0.unsent.store(unsent, Ordering::Release);
    }
}
