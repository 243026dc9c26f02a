//! The limit on the size of files (`ulimit -f`). By default the signal XFSZ ends a program that exceeds it: without a word, and
//! with a piece of a file left behind. Handled, it makes the write fail instead, as one to a full disk does.

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::signals::ignored::IgnoredSignals;

/// From now on writes beyond the limit fail. Programs that are started have the signal as it was: a handler does not outlive
/// `exec`, and what is ignored stays so. Needs a runtime.
pub fn is_an_error() {
    let kind = SignalKind::from_raw(Signal::XFSZ.as_raw());
    if !IgnoredSignals::read().has(kind) {
        // At worst it is as it was. The handler stays when the listener goes.
        let _ = signal(kind);
    }
}
