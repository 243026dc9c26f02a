//! A body, scrubbed as it passes.

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use super::escape::WIDEST;
use super::find::Found;
use super::{Scrubber, cover};

/// Scrubs one body: bytes in, as many bytes out.
///
/// **What is delayed.** The last bytes that came are held back, up to twice [`Scrubber::reach`], until one of these:
/// - so many bytes came after them that no form can begin in them and end there;
/// - a line ends or, if a value has several lines, a blank line comes: no form contains one, so all forms before it are complete.
///   An event, a line of JSON and a pretty-printed piece of an array pass as they come;
/// - a message ends, where the protocol says so ([`release`](Self::release)): gRPC, WebSocket;
/// - the body ends.
///
/// So a body that has no lines and pauses shows its last few hundred bytes late. There is no clock: an agent can make a network
/// pause at a byte of its choice, in the middle of a value, and would be shown the part before the pause. Nor does it matter
/// whether a form seems to have begun: to wait only then would tell that one has begun.
///
/// The scrubber is named at each call, so that values which were opened meanwhile are covered as well, and so that a stream that
/// waits keeps no value in memory except what its own text may contain.
#[derive(Default)]
pub struct Stream {
    /// The last bytes as they came: those that are held back, and before them those that are needed to read them.
    kept: Zeroizing<Vec<u8>>,
    /// The offset in the body at which `kept` begins.
    base: u64,
    /// The offset up to which the body was given out.
    gone: u64,
    /// The offset up to which the body was searched by the scrubber of number `by`.
    searched: u64,
    by: u64,
    /// Forms that end after `gone`, or overlap one that does.
    found: Vec<Found>,
    hits: u64,
}

impl Stream {
    /// Begins a new body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the bytes that came, and gives those that may go now.
    pub fn push(&mut self, scrubber: &Scrubber, came: Bytes) -> Bytes {
        if scrubber.is_empty() && self.kept.is_empty() {
            self.base += came.len() as u64;
            (self.gone, self.searched) = (self.base, self.base);
            return came;
        }
        let before = self.kept.len();
        grow(&mut self.kept, &came);
        let line_end = scrubber.breaks.last(&self.kept, before).map(|at| self.base + at as u64);
        let reach = scrubber.reach() as u64;
        // Small pieces are collected: otherwise each would be searched together with all that is held back.
        if line_end.is_none() && self.end() - self.gone < 2 * reach {
            return Bytes::new();
        }
        self.search(scrubber, false);
        let to = self.end().saturating_sub(reach).max(line_end.unwrap_or(0));
        self.give(scrubber, to, line_end)
    }

    /// Notes that a message is over, after which `rest` bytes came: all bytes before those may go. If a form is spread over
    /// messages, the rest of it is covered.
    pub fn release(&mut self, scrubber: &Scrubber, rest: usize) -> Bytes {
        self.search(scrubber, false);
        self.give(scrubber, self.end().saturating_sub(rest as u64), None)
    }

    /// Notes that the body is over, and gives all bytes that are left.
    pub fn finish(&mut self, scrubber: &Scrubber) -> Bytes {
        self.search(scrubber, true);
        self.give(scrubber, self.end(), None)
    }

    /// How many forms of values were covered so far.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.len()
    }

    #[cfg(test)]
    pub(super) fn found_forms(&self) -> usize {
        self.found.len()
    }

    fn end(&self) -> u64 {
        self.base + self.kept.len() as u64
    }

    /// Searches the text at hand for forms.
    fn search(&mut self, scrubber: &Scrubber, last: bool) {
        if self.by != scrubber.number {
            // Another scrubber may know other values.
            (self.by, self.searched) = (scrubber.number, self.base);
        }
        let from = self.offset(self.searched).saturating_sub(scrubber.reach());
        scrubber.patterns.find(&self.kept, self.base, from, last, &mut self.found);
        self.found.sort_unstable();
        // The last bytes are searched again each time.
        self.found.dedup();
        self.searched = self.end();
    }

    /// Gives the bytes before `to`. No form crosses `line_end`.
    fn give(&mut self, scrubber: &Scrubber, to: u64, line_end: Option<u64>) -> Bytes {
        let to = to.max(self.gone);
        let reach = scrubber.reach();
        let going = self.offset(self.gone)..self.offset(to);
        let mut text = BytesMut::from(self.kept.get(going).unwrap_or_default());
        cover(&mut text, self.gone, &self.found);
        self.hits += self.found.iter().filter(|one| self.gone < one.end() && one.end() <= to).count() as u64;
        self.found.retain(|one| one.end() + reach as u64 > to);
        // At most `reach` bytes are held back. A form that begins before them reaches back as far again, and an escape a bit
        // more.
        let needed = self.kept.len().saturating_sub(2 * reach + WIDEST);
        let keep = line_end.map_or(0, |at| self.offset(at)).max(needed);
        self.kept.drain(..keep);
        self.base += keep as u64;
        self.gone = to;
        text.freeze()
    }

    fn offset(&self, at: u64) -> usize {
        usize::try_from(at.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.kept.len())
    }
}

/// Appends `came`. If the buffer is too small, a larger one is made and the old one wiped; growing in place would leave a copy.
fn grow(kept: &mut Zeroizing<Vec<u8>>, came: &[u8]) {
    let needed = kept.len() + came.len();
    if needed > kept.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        larger.extend_from_slice(kept);
        *kept = larger;
    }
    kept.extend_from_slice(came);
}
