//! Messages, scrubbed as they pass: their borders stay where they are.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::{Hits, Stream};

/// Scrubs messages in their order, each as long as it was. A value that is spread over several is covered, too.
///
/// `T` is what belongs to a message beside its bytes: its kind, whether it is the last fragment.
pub struct Frames<T> {
    stream: Stream,
    /// What was taken and not yet given: with each, how many of its bytes there are.
    open: VecDeque<(T, usize)>,
    /// What was let go of the first of them, and of those after it.
    ready: BytesMut,
}

impl<T> Frames<T> {
    /// Of messages that pass at the stream's pace.
    pub fn new(stream: Stream) -> Self {
        Self { stream, open: VecDeque::new(), ready: BytesMut::new() }
    }

    /// Takes a message; gives those that may go now.
    pub fn push(&mut self, kind: T, bytes: Bytes) -> Vec<(T, Bytes)> {
        self.open.push_back((kind, bytes.len()));
        let ready = self.stream.push(bytes);
        self.give(&ready)
    }

    /// As [`Stream::tick`].
    pub fn tick(&mut self) -> Vec<(T, Bytes)> {
        let ready = self.stream.tick();
        self.give(&ready)
    }

    /// As [`Stream::waiting`].
    pub fn waiting(&self) -> bool {
        self.stream.waiting()
    }

    /// There will be no more: gives all that are left.
    pub fn finish(&mut self) -> Vec<(T, Bytes)> {
        let ready = self.stream.finish();
        self.give(&ready)
    }

    /// What was covered so far.
    pub fn hits(&self) -> &Hits {
        self.stream.hits()
    }

    fn give(&mut self, ready: &Bytes) -> Vec<(T, Bytes)> {
        self.ready.extend_from_slice(ready);
        let mut whole = Vec::new();
        while self.open.front().is_some_and(|(_, length)| *length <= self.ready.len()) {
            let Some((kind, length)) = self.open.pop_front() else { break };
            whole.push((kind, self.ready.split_to(length).freeze()));
        }
        whole
    }
}
