//! What the one who answers requests tells the guard in front of the parser, and is told by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Opens a guard from the side of the one who answers, and tells of it. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Signs>);

#[derive(Default)]
struct Signs {
    open: AtomicBool,
    /// The last read waits for a request of which nothing has come.
    waits: AtomicBool,
    /// Something was written that is not known to have been sent.
    unsent: AtomicBool,
}

impl Gate {
    /// From now on the connection carries what was agreed on: a tunnel, or WebSocket's frames.
    pub(crate) fn open(&self) {
        self.0.open.store(true, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Acquire)
    }

    /// Whether the guard holds nothing, of either direction, that a new one would not: all that came was handed on, and all that
    /// was written is out. Whether the parser still does something with it, only the requests that are under way tell.
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
