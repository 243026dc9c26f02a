//! Requests that wait for one another. No timer: what came while the last group was being recorded is the next group,
//! and one that comes alone does not wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_wire::OrgId;
use tokio::sync::oneshot;

use super::Read;
use super::record::{Recorded, record};
use crate::store::{Store, StoreError};

/// The queues that somebody stands in. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Group(Arc<Mutex<HashMap<Queue, Vec<Waiting>>>>);

/// Requests that can share a transaction: of one organisation, so that none waits for another's lock; of the whole store
/// where that has one writer only.
type Queue = Option<OrgId>;

struct Waiting {
    read: Read,
    told: oneshot::Sender<Told>,
}

type Told = Result<Option<Recorded>, StoreError>;

impl Group {
    /// Has `read` recorded in the next group.
    pub(super) async fn record(&self, store: &Store, read: Read) -> Told {
        let queue = (!store.has_one_writer()).then_some(read.answer.org);
        let (told, answer) = oneshot::channel();
        if self.stand_in(queue, Waiting { read, told }) {
            // A task of its own: no request that goes away takes others with it.
            tokio::spawn(self.clone().work(store.clone(), queue));
        }
        // Told nothing: the task is gone, and the request goes its own way.
        answer.await.unwrap_or(Ok(None))
    }

    /// True if nobody works for this queue yet.
    fn stand_in(&self, queue: Queue, waiting: Waiting) -> bool {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !queues.contains_key(&queue);
        queues.entry(queue).or_default().push(waiting);
        is_new
    }

    /// Who waits by now, at most [`MOST`] of them. Nobody: the queue is closed.
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
            // One that went away needs no entry.
            let group = group.into_iter().filter(|waiting| !waiting.told.is_closed()).collect();
            // Again a task: if it panics, its group is told nothing and the queue goes on.
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
        // Each would only wait as long again.
        Err(StoreError::Busy) => tell(told, std::iter::repeat_with(|| Err(StoreError::Busy))),
        Err(StoreError::Unreachable(why)) => {
            tell(told, std::iter::repeat_with(|| Err(StoreError::Unreachable(why.clone()))));
        }
        // It may be the fault of one of them: each goes its own way, and only that one fails.
        Err(_) => tell(told, std::iter::repeat_with(|| Ok(None))),
    }
}

fn tell(told: Vec<oneshot::Sender<Told>>, answers: impl Iterator<Item = Told>) {
    for (told, answer) in told.into_iter().zip(answers) {
        // Its request may have gone away meanwhile: the entry stays, and says what would have gone out.
        let _ = told.send(answer);
    }
}

/// Requests of a group, so that a write does not wait long for one.
const MOST: usize = 256;

/// Within which a group must have been recorded.
const TIME: Duration = Duration::from_secs(30);
