//! How many requests of each agent were decided how, until the server has been told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyward_wire::api::agents::{Decision, RequestCount};
use keyward_wire::{AgentId, KeyId};

/// Counts of requests that the server does not know yet.
#[derive(Default)]
pub struct Counts(Mutex<Untold>);

type Untold = BTreeMap<(AgentId, Option<KeyId>, Decision), u64>;

impl Counts {
    /// Counts one request.
    pub fn add(&self, agent: AgentId, key: Option<KeyId>, decision: Decision) {
        self.add_all(&[RequestCount { agent, key, decision, count: 1 }]);
    }

    /// Counts requests again that the server could not be told of.
    pub fn add_all(&self, counts: &[RequestCount]) {
        let mut untold = self.untold();
        for &RequestCount { agent, key, decision, count } in counts {
            *untold.entry((agent, key, decision)).or_default() += count;
        }
    }

    /// Takes up to `most` counts out.
    pub fn take(&self, most: usize) -> Vec<RequestCount> {
        let mut untold = self.untold();
        let taken = std::iter::from_fn(|| untold.pop_first()).take(most);
        taken.map(|((agent, key, decision), count)| RequestCount { agent, key, decision, count }).collect()
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_and_could_not_be_told_is_counted_on() {
        let (counts, agent) = (Counts::default(), AgentId::from_bytes([1; 16]));
        let key = Some(KeyId::from_bytes([2; 16]));
        counts.add(agent, key, Decision::Inject);
        counts.add(agent, None, Decision::Refuse);
        counts.add(agent, key, Decision::Inject);
        let first = counts.take(1);
        assert_eq!(first, [RequestCount { agent, key: None, decision: Decision::Refuse, count: 1 }]);
        let rest = counts.take(9);
        assert_eq!(rest, [RequestCount { agent, key, decision: Decision::Inject, count: 2 }]);
        counts.add(agent, key, Decision::Inject);
        counts.add_all(&rest);
        assert_eq!(counts.take(9), [RequestCount { count: 3, ..rest[0] }]);
        assert!(counts.take(9).is_empty());
    }
}
