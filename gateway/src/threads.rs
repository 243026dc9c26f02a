//! The threads on which connections live, one for each processor, and one that lets them in.
//!
//! A connection stays on its thread, and with it its tunnel, what both wait for, and the connections to upstreams that were made
//! for it: no byte that passes through wakes another thread.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads. They run until this is dropped; then what lives on them has ended as well.
pub struct Threads {
    front: Handle,
    list: Arc<[Thread]>,
    running: Vec<Running>,
}

struct Thread {
    runtime: Handle,
    seats: Arc<()>,
}

/// A running thread, which ends when the first half is dropped.
type Running = (oneshot::Sender<()>, JoinHandle<()>);

/// Deals out connections to threads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dealer(Arc<[Thread]>);

/// A connection's place on a thread, held for as long as the connection lasts.
pub(crate) struct Seat(#[expect(dead_code, reason = "held, not looked at")] Arc<()>);

impl Threads {
    /// As many threads as there are processors, and one more.
    ///
    /// # Errors
    /// If the system can start no threads.
    pub fn new() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get);
        let started: Vec<_> = (0..count).map(|_| start()).collect::<io::Result<_>>()?;
        let (list, mut running): (Vec<Thread>, Vec<Running>) = started.into_iter().unzip();
        let (front, last) = start()?;
        running.push(last);
        Ok(Self { front: front.runtime, list: list.into(), running })
    }

    /// The runtime of tokio that the caller runs in, as the only thread: everything lives there, by its clock.
    pub fn current() -> Self {
        let thread = Thread { runtime: Handle::current(), seats: Arc::default() };
        Self { front: Handle::current(), list: Arc::from([thread]), running: Vec::new() }
    }

    /// The thread for what is no connection of an agent: listeners, and what looks after a gateway. However busy the connections
    /// keep theirs, new connections get in here, and what is revoked is cut in time.
    pub fn front(&self) -> &Handle {
        &self.front
    }

    /// How many file descriptors the threads take for themselves.
    pub(crate) fn descriptors(&self) -> usize {
        self.running.len() * DESCRIPTORS_EACH
    }

    pub(crate) fn dealer(&self) -> Dealer {
        Dealer(Arc::clone(&self.list))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let (ends, threads): (Vec<_>, Vec<_>) = self.running.drain(..).unzip();
        drop(ends);
        for thread in threads {
            // A thread that panicked has ended.
            let _ = thread.join();
        }
    }
}

fn start() -> io::Result<(Thread, Running)> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let handle = runtime.handle().clone();
    let (running, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("connections".to_owned()).spawn(move || {
        let _ = runtime.block_on(ended);
        // A name that is being looked up is not waited for.
        runtime.shutdown_background();
    })?;
    Ok((Thread { runtime: handle, seats: Arc::default() }, (running, thread)))
}

impl Dealer {
    /// A place on the thread that has the fewest connections.
    pub(crate) fn seat(&self) -> Option<(&Handle, Seat)> {
        let thread = self.0.iter().min_by_key(|thread| Arc::strong_count(&thread.seats))?;
        Some((&thread.runtime, Seat(Arc::clone(&thread.seats))))
    }
}

/// The thread of the caller: connections that were made on another thread have to wake that one.
pub(crate) fn here() -> ThreadId {
    std::thread::current().id()
}

/// Descriptors of a runtime: for what the system tells it, and for waking it.
const DESCRIPTORS_EACH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_evenly_and_stay_so_when_some_end() {
        let dealer = Dealer([(); 3].map(|()| start().unwrap().0).into());
        let held = || dealer.0.iter().map(|thread| Arc::strong_count(&thread.seats) - 1);
        let mut seats: Vec<_> = (0..7).map(|_| dealer.seat().unwrap().1).collect();
        assert!(held().all(|count| (2..=3).contains(&count)));
        seats.drain(..3);
        seats.extend((0..2).map(|_| dealer.seat().unwrap().1));
        assert_eq!(held().collect::<Vec<_>>(), [2, 2, 2]);
    }

    #[tokio::test]
    async fn what_lives_on_them_ends_with_them() {
        let threads = Threads::new().unwrap();
        let (held, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
        threads.front().spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        drop(threads);
        assert_eq!(dropped.try_recv(), Err(tokio::sync::mpsc::error::TryRecvError::Disconnected));
    }
}
