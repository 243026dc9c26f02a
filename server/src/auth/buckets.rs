//! Leaking buckets: how refusals are counted and forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Leaking buckets, each stored as the moment at which it will be empty.
pub(super) struct Buckets<K> {
    empty_at: HashMap<K, Instant>,
    /// Time after which one refusal is forgotten.
    leak: Duration,
    /// The longest time to empty with which nobody has to wait: that of one refusal less than may come in a row.
    most: Duration,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Buckets for `refusals` in a row, and one more every `leak_secs` seconds.
    pub(super) fn new(refusals: u32, leak_secs: u64) -> Self {
        let leak = Duration::from_secs(leak_secs);
        Self { empty_at: HashMap::new(), leak, most: leak * (refusals - 1) }
    }

    /// How long `key` must wait. `None` if it need not.
    pub(super) fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let full = self.empty_at.get(key)?.checked_duration_since(now)?;
        full.checked_sub(self.most).filter(|wait| !wait.is_zero())
    }

    /// Counts one more refusal.
    pub(super) fn refused(&mut self, key: K, now: Instant) {
        if self.empty_at.len() >= BUCKETS {
            self.empty_at.retain(|_, empty| *empty > now);
        }
        if self.empty_at.len() >= BUCKETS {
            self.forget_half();
        }
        let empty = self.empty_at.entry(key).or_insert(now);
        // A bucket is never more than full: a burst of refusals costs others who share the bucket no hours.
        *empty = ((*empty).max(now) + self.leak).min(now + self.most + self.leak);
    }

    /// Forgets the emptier half of the buckets: whoever wants to be forgotten would have to fill as many others as far.
    fn forget_half(&mut self) {
        let mut ends: Vec<Instant> = self.empty_at.values().copied().collect();
        let middle = ends.len() / 2;
        let (_, median, _) = ends.select_nth_unstable(middle);
        let median = *median;
        self.empty_at.retain(|_, empty| *empty > median);
    }
}

/// The most buckets that are remembered, of each kind.
pub(super) const BUCKETS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_an_end() {
        let (mut buckets, start) = (Buckets::new(2, 1), Instant::now());
        for n in 0..=BUCKETS * 2 {
            buckets.refused(n, start);
        }
        assert!(buckets.empty_at.len() <= BUCKETS);
    }

    #[test]
    fn filling_the_memory_with_others_gives_nobody_a_new_start() {
        let (mut buckets, start) = (Buckets::new(20, 30), Instant::now());
        for _ in 0..20 {
            buckets.refused(usize::MAX, start);
        }
        for n in 0..BUCKETS * 3 {
            buckets.refused(n, start);
        }
        assert!(buckets.empty_at.len() <= BUCKETS);
        assert_eq!(buckets.wait(&usize::MAX, start), Some(Duration::from_secs(30)));
    }
}
