//! Signals that ask the program to end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};

use crate::fault::{Code, Fault};

/// Runs `work` to its end, or until TERM, INT or HUP: then it is dropped and the error has the code 128 + n.
///
/// Without this a signal ends the process with nothing on stdout, which a shell that evals it takes for success. Even a
/// signal that the parent ignores counts: to stop is the safe mistake.
///
/// # Errors
/// Those of `work`; or that it was stopped.
pub async fn unless_stopped(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut stops = [
        (signal(SignalKind::terminate())?, Code::Terminated),
        (signal(SignalKind::interrupt())?, Code::Interrupted),
        (signal(SignalKind::hangup())?, Code::HungUp),
    ];
    let mut work = pin!(work);
    poll_fn(|context| {
        // First: if it has printed, it has printed everything.
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        let stopped =
            stops.iter_mut().find_map(|(stop, code)| stop.poll_recv(context).is_ready().then_some(*code));
        stopped.map_or(Poll::Pending, |code| Poll::Ready(Err(Fault::new(code, "stopped by a signal").into())))
    })
    .await
}
