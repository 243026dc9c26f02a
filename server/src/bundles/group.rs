//! Group commit: requests that wait for one another. There is no timer: requests that arrive while one group is being recorded
//! are the next group, and a request that comes alone does not wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_wire::OrgId;
use tokio::sync::oneshot;

use super::Read;
use super::record::{Recorded, record};
use crate::store::{Store, StoreError};

/// The queues in which requests wait. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Group(Arc<Mutex<HashMap<Queue, Vec<Waiting>>>>);

/// A queue of requests that can share a transaction: those of one organisation, so that none waits for another's lock, or those
/// of the whole store if it has one writer only (`None`).
type Queue = Option<OrgId>;

struct Waiting {
    read: Read,
    told: oneshot::Sender<Told>,
}

type Told = Result<Option<Recorded>, StoreError>;

impl Group {
    /// Has `read` recorded with the next group.
    pub(super) async fn record(&self, store: &Store, read: Read) -> Told {
        let queue = (!store.has_one_writer()).then_some(read.answer.org);
        let (told, answer) = oneshot::channel();
        if self.stand_in(queue, Waiting { read, told }) {
            // A task of its own: a request that goes away does not take the others of its group with it.
            tokio::spawn(self.clone().work(store.clone(), queue));
        }
        // If nothing is told, the task has ended, and the request is answered in a transaction of its own.
        answer.await.unwrap_or(Ok(None))
    }

    /// Adds a request to the queue. True if no task works for this queue yet.
    fn stand_in(&self, queue: Queue, waiting: Waiting) -> bool {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !queues.contains_key(&queue);
        queues.entry(queue).or_default().push(waiting);
        is_new
    }

    /// The requests that wait by now, at most [`MOST`] of them. If there are none, the queue is closed.
    fn next(&self, queue: Queue) -> Vec<Waiting> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = queues.get_mut(&queue) else { return Vec::new() };
        let group: Vec<_> = waiting.drain(..waiting.len().min(MOST)).collect();
        if group.is_empty() {
            queues.remove(&queue);
        }
        group
    }

    async fn work(self, store: Store, queue: Queue) {
        loop {
            let group = self.next(queue);
            if group.is_empty() {
                return;
            }
            // A request that went away needs no entry.
            let group = group.into_iter().filter(|waiting| !waiting.told.is_closed()).collect();
            // A task again: if it panics, its group is told nothing, and the queue goes on.
            if tokio::spawn(together(store.clone(), group)).await.is_err() {
                tracing::error!("a group of requests was not recorded");
            }
        }
    }
}

async fn together(store: Store, group: Vec<Waiting>) {
    let (reads, told): (Vec<_>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.read, waiting.told)).unzip();
    let recorded = tokio::time::timeout(TIME, record(&store, &reads)).await;
    match recorded.unwrap_or(Err(StoreError::Busy)) {
        Ok(recorded) => tell(told, recorded.into_iter().map(Ok)),
        // Trying each request by itself would only take as long again.
        Err(StoreError::Busy) => tell(told, std::iter::repeat_with(|| Err(StoreError::Busy))),
        Err(StoreError::Unreachable(why)) => {
            tell(told, std::iter::repeat_with(|| Err(StoreError::Unreachable(why.clone()))));
        }
        // One request of the group may be the cause: each is answered in a transaction of its own, and only that one fails.
        Err(_) => tell(told, std::iter::repeat_with(|| Ok(None))),
    }
}

fn tell(told: Vec<oneshot::Sender<Told>>, answers: impl Iterator<Item = Told>) {
    for (told, answer) in told.into_iter().zip(answers) {
        // The request may have gone away meanwhile. The entry stays, and tells what would have been sent.
        let _ = told.send(answer);
    }
}

/// The most requests of a group, so that a write does not wait long for it.
const MOST: usize = 256;

/// Time within which a group must have been recorded.
const TIME: Duration = Duration::from_secs(30);
