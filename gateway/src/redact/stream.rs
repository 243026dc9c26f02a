//! A body, scrubbed as it passes.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use super::escape::WIDEST;
use super::find::Found;
use super::{Hits, Scrubber, cover};

/// When the last [`Scrubber::reach`] bytes are let go. None of these looks at how the bytes compare with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At the end of the body, because its length is known and so its end will come.
    Whole,
    /// All up to a line's end at once, the rest at the end of the body: for event streams and lines of JSON, whose readers
    /// take whole lines only.
    ///
    /// No form has a line end in it (a scrubber whose values have one falls back to [`Pace::Timed`]), so nothing is let go
    /// that could still become one, and no event waits.
    Lines,
    /// Each byte between one and two [`Stream::PERIOD`]s after it came, if nothing comes after it: for messages and
    /// everything else that may pause.
    ///
    /// A form whose parts come further apart than that is told in part: what is let go cannot be taken back, its rest is
    /// covered. To wait only where a form has begun would say that it has begun.
    Timed,
}

/// Scrubs one body: bytes in, as many bytes out, later by at most [`Scrubber::reach`].
pub struct Stream {
    scrubber: Arc<Scrubber>,
    pace: Pace,
    /// What came last, as it came: what is held back, and before that what is needed to read it.
    kept: Zeroizing<Vec<u8>>,
    /// Where in the body `kept` begins.
    base: u64,
    /// Up to where the body was let go.
    gone: u64,
    /// Up to where it had come one period ago.
    aged: u64,
    /// Forms that end after what is gone, or overlap one that does.
    found: Vec<Found>,
    hits: Hits,
}

impl Stream {
    /// How often [`tick`](Self::tick) is called while something is [`waiting`](Self::waiting).
    pub const PERIOD: Duration = Duration::from_millis(30);

    /// A new body.
    pub fn new(scrubber: Arc<Scrubber>, pace: Pace) -> Self {
        let pace = if pace == Pace::Lines && !scrubber.lines { Pace::Timed } else { pace };
        Self {
            scrubber,
            pace,
            kept: Zeroizing::new(Vec::new()),
            base: 0,
            gone: 0,
            aged: 0,
            found: Vec::new(),
            hits: Hits::default(),
        }
    }

    /// Takes what came; gives what may go now.
    pub fn push(&mut self, came: Bytes) -> Bytes {
        if self.scrubber.is_empty() {
            return came;
        }
        let text = self.take(&came, false);
        let end = self.base + text.len() as u64;
        let mut to = end.saturating_sub(self.scrubber.reach() as u64);
        if self.pace == Pace::Lines
            && let Some(line_end) = memchr::memrchr2(b'\n', b'\r', &came)
        {
            to = to.max(end - (came.len() - line_end - 1) as u64);
        }
        self.give(text, to)
    }

    /// Lets go what has waited for its time. To be called each [`Self::PERIOD`] while something is waiting for the clock.
    pub fn tick(&mut self) -> Bytes {
        let end = self.base + self.kept.len() as u64;
        let to = std::mem::replace(&mut self.aged, end);
        if self.pace != Pace::Timed || to <= self.gone {
            return Bytes::new();
        }
        let text = BytesMut::from(self.kept.as_slice());
        self.give(text, to)
    }

    /// Whether something waits for the clock.
    pub fn waiting(&self) -> bool {
        self.pace == Pace::Timed && self.gone < self.base + self.kept.len() as u64
    }

    /// The body is over: gives all that is left.
    pub fn finish(&mut self) -> Bytes {
        let text = self.take(&[], true);
        let end = self.base + text.len() as u64;
        self.give(text, end)
    }

    /// What was covered so far.
    pub fn hits(&self) -> &Hits {
        &self.hits
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.len()
    }

    #[cfg(test)]
    pub(super) fn found_forms(&self) -> usize {
        self.found.len()
    }

    /// All that is at hand, with what came; finds what is in it.
    fn take(&mut self, came: &[u8], last: bool) -> BytesMut {
        let mut text = BytesMut::with_capacity(self.kept.len() + came.len());
        text.extend_from_slice(&self.kept);
        text.extend_from_slice(came);
        let from = self.kept.len().saturating_sub(self.scrubber.reach());
        self.scrubber.patterns.find(&text, self.base, from, last, &mut self.found);
        self.found.sort_unstable();
        // The last bytes are looked through again each time.
        self.found.dedup();
        text
    }

    /// Lets go what is before `to`.
    fn give(&mut self, mut text: BytesMut, to: u64) -> Bytes {
        let to = to.max(self.gone);
        let reach = self.scrubber.reach();
        // Held back are `reach` bytes at most. A form that begins in what is gone reaches as far back, and an escape a bit more.
        let keep = text.len().saturating_sub(2 * reach + WIDEST);
        self.kept = Zeroizing::new(text.get(keep..).unwrap_or_default().to_vec());
        cover(&mut text, self.base, &self.found);
        for one in self.found.iter().filter(|one| self.gone < one.end() && one.end() <= to) {
            self.hits.add(one.value);
        }
        self.found.retain(|one| one.end() + reach as u64 > to);
        let offset = |at: u64| usize::try_from(at - self.base).unwrap_or(usize::MAX).min(text.len());
        let range = offset(self.gone)..offset(to);
        self.base += keep as u64;
        self.gone = to;
        text.freeze().slice(range)
    }
}
