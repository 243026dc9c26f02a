//! Private parts of the gateway, opened for fuzzing (`fuzz/`) and for nothing else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

use crate::guard::{answer, request};
use crate::redact::Scrubber;
use crate::websocket::Frames;

/// What a parser is given of a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Handed {
    /// Every byte that the parser reads.
    pub bytes: Vec<u8>,
    /// Whether the parser is told in the end that something is not of the plain form.
    pub refused: bool,
}

/// What hyper is shown of an agent's connection on which `bytes` arrive, `size` at a time.
pub fn requests(bytes: &[u8], size: usize) -> Handed {
    let (mut guard, _) = request::Guard::new(Pieces { bytes, size });
    let mut handed = read(&mut guard);
    // A refusal reaches the parser as a request that the guard wrote.
    let sign = format!("{}: ", request::REFUSED);
    if guard.is_dead() && !handed.refused {
        let start = memchr::memmem::rfind(&handed.bytes, b"GET / HTTP/1.1\r\nhost: refused.invalid\r\n");
        let told = handed.bytes.split_off(start.unwrap_or(0));
        handed.refused = memchr::memmem::find(&told, sign.as_bytes()).is_some();
    }
    handed
}

/// What hyper is shown of an upstream's connection on which the head of an answer is expected.
pub fn answer(bytes: &[u8], size: usize) -> Handed {
    let (mut guard, expect) = answer::Guard::new(Pieces { bytes, size });
    expect.head();
    read(&mut guard)
}

/// What an agent is shown of a WebSocket on which `bytes` arrive. `None` if the connection ends before.
pub fn messages(scrubber: &Scrubber, bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut frames = Frames::new();
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        out.extend_from_slice(&frames.push(scrubber, piece)?);
    }
    out.extend_from_slice(&frames.finish(scrubber));
    Some(out)
}

fn read(guard: &mut (impl AsyncRead + Unpin)) -> Handed {
    let mut cx = Context::from_waker(Waker::noop());
    let mut handed = Handed { bytes: Vec::new(), refused: false };
    let mut buf = [0; 512];
    loop {
        let mut part = ReadBuf::new(&mut buf);
        match Pin::new(&mut *guard).poll_read(&mut cx, &mut part) {
            Poll::Ready(Ok(())) if part.filled().is_empty() => return handed,
            Poll::Ready(Ok(())) => handed.bytes.extend_from_slice(part.filled()),
            Poll::Ready(Err(_)) => {
                handed.refused = true;
                return handed;
            }
            // Nothing can arrive that would be worth waiting for.
            Poll::Pending => return handed,
        }
    }
}

/// A connection on which bytes arrive in pieces, and which then ends.
struct Pieces<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.size.min(self.bytes.len()).min(buf.remaining());
        let (now, rest) = self.bytes.split_at(count);
        buf.put_slice(now);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}
