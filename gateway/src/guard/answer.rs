//! A connection to an upstream, of which hyper sees only heads of answers in the plain form.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head::{self, HEAD_BYTES};
use super::request::{give, poll_more};

/// Checks the head of each answer. Bodies pass as they come: hyper judges their frames, and bytes that come after an answer's end
/// end the connection.
pub(crate) struct Guard<S> {
    inner: S,
    raw: BytesMut,
    plain: BytesMut,
    searched: usize,
    in_head: bool,
    /// How many informational heads (1xx) came before this answer's own.
    before: usize,
    expect: Expect,
}

/// Tells the guard, before each request, that the next bytes are the head of an answer.
#[derive(Clone, Default)]
pub(crate) struct Expect(Arc<AtomicBool>);

impl Expect {
    /// Notes that a request is about to be sent, and that nothing of the answer before it is still to come.
    pub(crate) fn head(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl<S> Guard<S> {
    pub(crate) fn new(inner: S) -> (Self, Expect) {
        let expect = Expect::default();
        let guard = Self {
            inner,
            raw: BytesMut::new(),
            plain: BytesMut::new(),
            searched: 0,
            in_head: false,
            before: 0,
            expect: expect.clone(),
        };
        (guard, expect)
    }

    /// Hands on heads of the plain form. False if more bytes are needed.
    fn heads(&mut self) -> io::Result<bool> {
        let Some(end) = head::end(&self.raw, self.searched) else {
            if self.raw.len() > HEAD_BYTES || head::has_bare_line_end(&self.raw, self.searched) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.searched = self.raw.len();
            return Ok(false);
        };
        let status = head::answer(self.raw.get(..end).unwrap_or_default())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        self.searched = 0;
        self.plain = self.raw.split_to(end);
        if status < 200 && status != 101 {
            self.before += 1;
            if self.before > MOST_BEFORE {
                return Err(io::ErrorKind::InvalidData.into());
            }
        } else {
            (self.in_head, self.before) = (false, 0);
            self.plain.unsplit(std::mem::take(&mut self.raw));
        }
        Ok(true)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.plain.is_empty() {
                give(&mut this.plain, buf);
                return Poll::Ready(Ok(()));
            }
            if this.expect.0.swap(false, Ordering::AcqRel) {
                this.in_head = true;
            }
            if !this.in_head {
                return Pin::new(&mut this.inner).poll_read(cx, buf);
            }
            if !this.raw.is_empty() && this.heads()? {
                continue;
            }
            if ready!(poll_more(&mut this.inner, &mut this.raw, cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The most `100 Continue` and `103 Early Hints` before an answer. More would keep a request waiting for good.
const MOST_BEFORE: usize = 16;
