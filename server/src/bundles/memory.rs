//! The cache: the bundles that were asked for last, up to a number of bytes.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::{Answer, Key};

/// The cached bundles. They are sealed, and forgotten when the server stops.
pub(super) struct Memory {
    most: usize,
    kept: Mutex<Kept>,
}

struct Kept {
    answers: LruCache<Key, Arc<Answer>>,
    bytes: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self::of(BYTES)
    }
}

impl Memory {
    /// A cache that holds at most `most` bytes.
    pub(super) fn of(most: usize) -> Self {
        Self { most, kept: Mutex::new(Kept { answers: LruCache::unbounded(), bytes: 0 }) }
    }

    pub(super) fn recall(&self, key: &Key) -> Option<Arc<Answer>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.answers.get(key).map(Arc::clone)
    }

    pub(super) fn keep(&self, key: Key, answer: Answer) {
        // A single large bundle must not drive out everybody else's.
        if answer.weight() > self.most / SHARE {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += answer.weight();
        let former = kept.answers.put(key, Arc::new(answer));
        kept.bytes -= former.map_or(0, |former| former.weight());
        while kept.bytes > self.most {
            let Some((_, oldest)) = kept.answers.pop_lru() else { break };
            kept.bytes -= oldest.weight();
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

/// Bytes of all cached bundles together: some 700 bundles of 50 keys.
const BYTES: usize = 32 * 1024 * 1024;

/// One bundle may take this part of the cache at most: a fourth.
const SHARE: usize = 4;
