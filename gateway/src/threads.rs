//! The threads on which connections live, one for each processor, and one that lets them in.
//!
//! A connection stays on its thread, and with it its tunnel, what both wait for, and the connections to upstreams that were made
//! for it: nothing that goes through has another thread woken.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// They run until this is dropped. Then what lives on them has ended as well.
pub struct Threads {
    front: Handle,
    list: Arc<[Thread]>,
    running: Vec<Running>,
}

struct Thread {
    runtime: Handle,
    seats: Arc<()>,
}

/// What ends when its first half is dropped.
type Running = (oneshot::Sender<()>, JoinHandle<()>);

/// Deals out connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dealer(Arc<[Thread]>);

/// Where a connection lives. Held for as long as it does.
pub(crate) struct Seat(#[expect(dead_code, reason = "held, not looked at")] Arc<()>);

impl Threads {
    /// As many as there are processors, and one more.
    ///
    /// # Errors
    /// If the system has none to give.
    pub fn new() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get);
        let started: Vec<_> = (0..count).map(|_| start()).collect::<io::Result<_>>()?;
        let (list, mut running): (Vec<Thread>, Vec<Running>) = started.into_iter().unzip();
        let (front, last) = start()?;
        running.push(last);
        Ok(Self { front: front.runtime, list: list.into(), running })
    }

    /// The one of whoever calls this, which is in a runtime of tokio: everything lives there, by its clock.
    pub fn current() -> Self {
        let thread = Thread { runtime: Handle::current(), seats: Arc::default() };
        Self { front: Handle::current(), list: Arc::from([thread]), running: Vec::new() }
    }

    /// Where to run what is no connection of an agent's: listeners, and what looks after a gateway. However busy connections
    /// keep theirs, new ones get in here, and what is revoked is cut in time.
    pub fn front(&self) -> &Handle {
        &self.front
    }

    /// Descriptors that they take for themselves.
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
            // One that panicked has ended.
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

/// Tells what was made here from what another thread has to be woken for.
pub(crate) fn here() -> ThreadId {
    std::thread::current().id()
}

/// For what the system tells a runtime, and for who wakes it.
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
