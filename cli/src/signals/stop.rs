//! Signals that ask the program to end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::fault::{Code, Fault};
use crate::signals::ignored::IgnoredSignals;

/// Runs `work` to its end, or until TERM, INT or HUP: then it is dropped and the error has the code 128 + n.
///
/// Without this a signal ends the process with nothing on stdout, which a shell that evals it takes for success. Even a
/// signal that the parent ignores counts: to stop is the safe mistake.
///
/// # Errors
/// The error of `work`, or that it was stopped.
pub async fn unless_stopped(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut stops = Stops::new()?;
    let mut work = pin!(work);
    poll_fn(|context| {
        // First: if it has printed, it has printed everything.
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        let stopped = stops.poll(context);
        stopped.map_or(Poll::Pending, |code| Poll::Ready(Err(Fault::new(code, "stopped by a signal").into())))
    })
    .await
}

/// TERM, INT and HUP. From the time that this is made they do not end the program.
pub struct Stops(Vec<(Signal, Code)>);

impl Stops {
    /// Begins to listen.
    ///
    /// # Errors
    /// If signals cannot be waited for.
    pub fn new() -> std::io::Result<Self> {
        Self::of(|_| true)
    }

    /// Those of these signals that are not ignored: for a command that runs until it is told to end, as under `nohup`.
    ///
    /// # Errors
    /// If signals cannot be waited for.
    pub fn unless_ignored() -> std::io::Result<Self> {
        let ignored = IgnoredSignals::read();
        Self::of(|kind| !ignored.has(kind))
    }

    fn of(wanted: impl Fn(SignalKind) -> bool) -> std::io::Result<Self> {
        let all = [
            (SignalKind::terminate(), Code::Terminated),
            (SignalKind::interrupt(), Code::Interrupted),
            (SignalKind::hangup(), Code::HungUp),
        ];
        let wanted = all.into_iter().filter(|(kind, _)| wanted(*kind));
        wanted.map(|(kind, code)| Ok((signal(kind)?, code))).collect::<Result<_, _>>().map(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        poll_fn(|context| self.poll(context).map_or(Poll::Pending, |_| Poll::Ready(()))).await;
    }

    /// Waits for one from now on: what came before, as a signal that was sent twice, said no more than the first.
    pub async fn another(&mut self) {
        while self.poll(&mut Context::from_waker(Waker::noop())).is_some() {}
        self.next().await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Option<Code> {
        self.0.iter_mut().find_map(|(stop, code)| stop.poll_recv(context).is_ready().then_some(*code))
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn what_came_with_the_first_signal_is_not_another() {
        let mut stops = Stops::new().unwrap();
        let mut both = Stops::new().unwrap();
        for sent in [Signal::TERM, Signal::INT] {
            kill_process(getpid(), sent).unwrap();
        }
        both.next().await;
        both.next().await;
        stops.next().await;
        let mut another = pin!(stops.another());
        let mut now = Context::from_waker(Waker::noop());
        assert!(another.as_mut().poll(&mut now).is_pending(), "the second came with the first");
        kill_process(getpid(), Signal::HUP).unwrap();
        another.await;
    }
}
