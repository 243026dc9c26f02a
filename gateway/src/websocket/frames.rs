//! WebSocket's frames (RFC 6455) from an upstream to an agent, with every message looked through. Pure.
//!
//! What covers a value is as long as the value, so frames keep their headers. A message is let go when it has ended, however its
//! frames came. All messages are looked through as one text, since an agent can put two of them together: a value that is spread
//! over several messages is covered whole if they come at once, and otherwise except for the part that was let go already.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::redact::{Scrubber, Stream};

/// Scrubs the frames that come.
#[derive(Default)]
pub(crate) struct Frames {
    /// Bytes that came and are not a whole header yet, or not a whole control frame.
    raw: BytesMut,
    /// Of the data frame whose payload is coming: how many bytes are still to come, and whether the frame ends its message.
    payload: Option<(u64, bool)>,
    /// The payloads of all messages, scrubbed as one stream.
    stream: Stream,
    /// How many bytes of messages came after the last message that ended. `None` if none ended.
    after: Option<usize>,
    /// Whether a message was begun and not ended.
    in_message: bool,
    /// Pieces that wait for the message's bytes before them.
    waiting: VecDeque<Piece>,
    /// Bytes of messages that may go and were not taken yet.
    free: BytesMut,
    out: BytesMut,
}

enum Piece {
    /// A header or a whole control frame, which goes on as it is.
    Whole(Bytes),
    /// So many bytes of messages.
    Message(u64),
}

/// What the first bytes of a frame say.
struct Header {
    length: usize,
    opcode: u8,
    ends: bool,
    payload: u64,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes the bytes that came, and gives those that may go now. `None` if they are not what was agreed on, and the connection
    /// must end.
    pub(crate) fn push(&mut self, scrubber: &Scrubber, came: &[u8]) -> Option<Bytes> {
        self.raw.extend_from_slice(came);
        self.after = None;
        while self.step(scrubber)? {}
        if let Some(after) = self.after {
            self.free.extend_from_slice(&self.stream.release(scrubber, after));
        }
        Some(self.give())
    }

    /// Notes that the connection ended, and gives all bytes that are left.
    pub(crate) fn finish(&mut self, scrubber: &Scrubber) -> Bytes {
        self.free.extend_from_slice(&self.stream.finish(scrubber));
        self.give()
    }

    /// Whether a value was in a message.
    pub(crate) fn covered(&self) -> bool {
        self.stream.hits() > 0
    }

    /// Reads one header, or the bytes of a payload so far. False if more bytes are needed.
    fn step(&mut self, scrubber: &Scrubber) -> Option<bool> {
        if let Some((left, ends)) = self.payload {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(self.raw.len());
            if now == 0 && left > 0 {
                return Some(false);
            }
            self.free.extend_from_slice(&self.stream.push(scrubber, self.raw.split_to(now).freeze()));
            self.after = self.after.map(|after| after + now);
            self.wait(Piece::Message(now as u64))?;
            let left = left - now as u64;
            self.payload = (left > 0).then_some((left, ends));
            if left == 0 && ends {
                self.after = Some(0);
                self.in_message = false;
            }
            return Some(true);
        }
        let header = match header(&self.raw) {
            Read::Whole(header) => header,
            Read::More => return Some(false),
            Read::Odd => return None,
        };
        if header.opcode >= 8 {
            // Control frames are short and whole, and may come in the middle of a message.
            let payload =
                usize::try_from(header.payload).ok().filter(|payload| *payload <= 125 && header.ends)?;
            let whole = header.length + payload;
            if self.raw.len() < whole {
                return Some(false);
            }
            let mut frame = self.raw.split_to(whole);
            let covered = scrubber.text(frame.get(header.length..)?);
            if let Some((text, _)) = covered {
                frame.get_mut(header.length..)?.copy_from_slice(text.get(..payload)?);
            }
            // A copy: the frame itself would keep the whole buffer that it came in.
            self.wait(Piece::Whole(Bytes::copy_from_slice(&frame)))?;
            return Some(true);
        }
        // A message begins with a frame of its kind, and its other frames have kind 0.
        let begins = matches!(header.opcode, 1 | 2);
        if begins == self.in_message || header.opcode > 2 {
            return None;
        }
        self.in_message = true;
        let whole = Bytes::copy_from_slice(&self.raw.split_to(header.length));
        self.wait(Piece::Whole(whole))?;
        self.payload = Some((header.payload, header.ends));
        Some(true)
    }

    /// Queues a piece that may go only after the bytes before it. `None` if too much is queued: an agent can have an honest
    /// upstream answer any number of pings while a message is under way that never ends.
    fn wait(&mut self, piece: Piece) -> Option<()> {
        match (self.waiting.back_mut(), piece) {
            (Some(Piece::Message(before)), Piece::Message(more)) => *before += more,
            (_, piece) => self.waiting.push_back(piece),
        }
        (self.waiting.len() <= MOST_WAITING).then_some(())
    }

    /// The bytes that may go, in their order.
    fn give(&mut self) -> Bytes {
        while let Some(piece) = self.waiting.front_mut() {
            match piece {
                Piece::Whole(bytes) => self.out.extend_from_slice(bytes),
                Piece::Message(left) => {
                    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(self.free.len());
                    self.out.extend_from_slice(self.free.get(..now).unwrap_or_default());
                    self.free.advance(now);
                    *left -= now as u64;
                    if *left > 0 {
                        break;
                    }
                }
            }
            self.waiting.pop_front();
        }
        self.out.split().freeze()
    }
}

/// The outcome of reading a header.
enum Read {
    Whole(Header),
    /// The header is not all there.
    More,
    /// The frame is not one that an upstream may send here.
    Odd,
}

/// Reads a frame's header.
fn header(bytes: &[u8]) -> Read {
    let [first, second, rest @ ..] = bytes else { return Read::More };
    // Reserved bits belong to extensions, and none was agreed on. Only agents mask their frames.
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Read::Odd;
    }
    let (length, payload) = match second {
        126 => (4, rest.first_chunk().map(|bytes| u64::from(u16::from_be_bytes(*bytes)))),
        127 => (10, rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))),
        short => (2, Some(u64::from(*short))),
    };
    match payload {
        None => Read::More,
        Some(payload) if payload > i64::MAX.unsigned_abs() => Read::Odd,
        Some(payload) => {
            Read::Whole(Header { length, opcode: first & 0x0f, ends: first & 0x80 != 0, payload })
        }
    }
}

const MOST_WAITING: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Held;

    const SECRET: &[u8] = b"sk-0123456789abcdefghij";

    fn scrubber() -> Scrubber {
        Scrubber::new(&[Held::new(SECRET, None).unwrap()], 7)
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ ..126 => bytes.push(u8::try_from(short).unwrap()),
            long => {
                bytes.push(126);
                bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// What comes out if `bytes` come in parts of this size.
    fn through(bytes: &[u8], size: usize) -> Vec<u8> {
        let (mut frames, scrubber) = (Frames::new(), scrubber());
        let mut out = Vec::new();
        for part in bytes.chunks(size) {
            out.extend_from_slice(&frames.push(&scrubber, part).unwrap());
        }
        out.extend_from_slice(&frames.finish(&scrubber));
        out
    }

    #[test]
    fn r14_a_value_in_a_message_is_covered_however_it_was_cut() {
        let stars = vec![b'*'; SECRET.len()];
        let (start, end) = SECRET.split_at(9);
        let long = [&[b'x'; 300][..], SECRET, b"y"].concat();
        let plain = [
            frame(0x81, &[b"a ", SECRET].concat()),
            frame(0x01, start),
            frame(0x89, b"ping"),
            frame(0x80, end),
            frame(0x82, &long),
            frame(0x88, &[b"\x03\xe8", SECRET].concat()),
        ]
        .concat();
        for size in [1, 2, 5, 64, plain.len()] {
            let out = through(&plain, size);
            assert_eq!(out.len(), plain.len(), "in parts of {size}");
            assert!(
                !out.windows(8).any(|part| SECRET.windows(8).any(|own| own == part)),
                "in parts of {size}"
            );
            assert!(out.windows(stars.len()).any(|part| part == stars));
            assert!(out.windows(6).any(|part| part == b"\x89\x04ping"));
        }
    }

    #[test]
    fn r14_of_a_value_in_two_messages_nothing_comes_if_they_come_at_once_and_else_nothing_of_the_second() {
        let (start, end) = SECRET.split_at(9);
        let out = through(&[frame(0x81, start), frame(0x81, end)].concat(), 1000);
        assert!(out.iter().all(|byte| !SECRET[3..].contains(byte)), "{out:?}");
        let out = through(&[frame(0x81, start), frame(0x81, end)].concat(), 1);
        assert_eq!(out, [frame(0x81, start), frame(0x81, &vec![b'*'; end.len()])].concat());
    }

    #[test]
    fn a_message_goes_when_it_has_ended_and_no_part_of_it_before() {
        let (mut frames, scrubber) = (Frames::new(), scrubber());
        let (start, end) = SECRET.split_at(12);
        let whole = [frame(0x01, start), frame(0x80, end)].concat();
        let (last, first) = whole.split_last().unwrap();
        let told = frames.push(&scrubber, first).unwrap();
        assert!(!told.windows(4).any(|part| SECRET.windows(4).any(|own| own == part)), "{told:?}");
        let rest = frames.push(&scrubber, &[*last]).unwrap();
        assert_eq!(told.len() + rest.len(), whole.len());
        assert_eq!(rest.last(), Some(&b'*'));
    }

    #[test]
    fn r22_messages_without_a_value_pass_byte_for_byte() {
        let plain =
            [frame(0x81, b"hello"), frame(0x02, &[7; 200]), frame(0x80, b""), frame(0x8a, b"")].concat();
        assert_eq!(through(&plain, 3), plain);
        let (mut frames, scrubber) = (Frames::new(), scrubber());
        let whole = frame(0x81, b"hello");
        assert_eq!(frames.push(&scrubber, &whole).unwrap(), whole, "without a message after it");
    }

    #[test]
    fn what_was_not_agreed_on_ends_the_connection() {
        for bytes in [
            frame(0xc1, b"compressed"),
            vec![0x81, 0x80, 0, 0, 0, 0],
            frame(0x80, b"goes on with nothing"),
            [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
            frame(0x83, b"unknown kind"),
            frame(0x09, b"a ping in parts"),
            frame(0x89, &[0; 126]),
            vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(Frames::new().push(&scrubber(), &bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn p16_what_waits_for_a_message_that_never_ends_is_bounded() {
        for flood in [frame(0x8a, b"pong"), frame(0x00, b"")] {
            let (mut frames, scrubber) = (Frames::new(), scrubber());
            assert!(frames.push(&scrubber, &frame(0x01, b"begun and")).is_some());
            let ended = (0..100_000).any(|_| frames.push(&scrubber, &flood).is_none());
            assert!(ended && frames.waiting.len() <= MOST_WAITING + 1, "{flood:?}");
        }
    }
}
