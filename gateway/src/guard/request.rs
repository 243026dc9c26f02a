//! A connection from an agent, of which hyper sees only requests in the plain form.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http::HeaderName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::chunk::{Chunks, Step};
use super::gate::Gate;
use super::head::{self, Follows, HEAD_BYTES, Shape};

/// Reads requests one at a time and hands on those in the plain form.
///
/// In the place of a head in another form, the parser is given a request that says so in [`REFUSED`], and nothing after it. So
/// the head is refused in its turn, after the answers to the requests before it, by the same code as every other request.
pub(crate) struct Guard<S> {
    inner: S,
    /// Bytes that arrived and were not looked at.
    raw: BytesMut,
    /// Bytes that were looked at, on their way to the parser.
    plain: BytesMut,
    state: State,
    searched: usize,
    /// Whether an empty line before the head was passed over.
    skipped: bool,
    deadline: Option<Pin<Box<Sleep>>>,
    gate: Gate,
    drained: usize,
}

enum State {
    Head,
    Length(u64),
    Chunks(Chunks),
    /// After a `CONNECT`: nothing is read until the tunnel is granted.
    Waiting,
    /// The connection carries another protocol than HTTP/1.1.
    Open,
    /// Something was refused. The bytes that follow are not looked at.
    Dead,
}

/// Header of the request that stands in the place of a refused head: `odd` or `large`. An agent that sends this header itself is
/// refused.
pub(crate) const REFUSED: HeaderName = HeaderName::from_static("x-keyward-refused");

impl<S> Guard<S> {
    pub(crate) fn new(inner: S) -> (Self, Gate) {
        let gate = Gate::default();
        let guard = Self {
            inner,
            raw: BytesMut::new(),
            plain: BytesMut::new(),
            state: State::Head,
            searched: 0,
            skipped: false,
            deadline: None,
            gate: gate.clone(),
            drained: 0,
        };
        (guard, gate)
    }

    /// Takes the connection back from a guard that [rests](Gate::rests). `None` if the guard does not rest.
    pub(crate) fn into_inner(self) -> Option<S> {
        self.gate.rests().then_some(self.inner)
    }

    /// Looks for a whole head in the bytes that arrived.
    fn head(&mut self) -> bool {
        // Some clients end a body with one more line than it has (RFC 9112, 2.2).
        if !self.skipped && self.raw.starts_with(b"\r\n") {
            self.raw.advance(2);
            self.skipped = true;
            self.searched = 0;
        }
        let end = head::end(&self.raw, self.searched);
        let judged = match end {
            Some(end) => head::request(self.raw.get(..end).unwrap_or_default()),
            None if self.raw.len() > HEAD_BYTES => Err(Shape::TooLarge),
            // Such a head does not get better, and may never end.
            None if head::has_bare_line_end(&self.raw, self.searched) => Err(Shape::Odd),
            None => {
                self.searched = self.raw.len();
                return false;
            }
        };
        self.searched = 0;
        self.skipped = false;
        self.deadline = None;
        match (judged, end) {
            (Ok(follows), Some(end)) => {
                self.plain = self.raw.split_to(end);
                self.state = match follows {
                    Follows::Length(0) => State::Head,
                    Follows::Length(length) => State::Length(length),
                    Follows::Chunks => State::Chunks(Chunks::default()),
                    Follows::Tunnel => State::Waiting,
                };
            }
            (Err(Shape::TooLarge), _) => self.refuse("large"),
            _ => self.refuse("odd"),
        }
        true
    }

    /// Whether a head or a body was refused.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, State::Dead)
    }

    fn refuse(&mut self, why: &str) {
        let request = format!(
            "GET / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n{REFUSED}: {why}\r\n\r\n"
        );
        self.plain = BytesMut::from(request.as_bytes());
        self.raw = BytesMut::new();
        self.state = State::Dead;
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    /// Reads more bytes. False if the connection ended.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let count = ready!(poll_more(&mut self.inner, &mut self.raw, cx))?;
        Poll::Ready(Ok(count > 0))
    }

    /// Checks that a head that has begun ends in time.
    fn poll_in_time(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + HEAD_TIME)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.gate.waits(false);
        loop {
            if !this.plain.is_empty() {
                give(&mut this.plain, buf);
                return Poll::Ready(Ok(()));
            }
            if !matches!(this.state, State::Open | State::Dead) && this.gate.is_open() {
                this.state = State::Open;
            }
            match &mut this.state {
                State::Open if this.raw.is_empty() => {
                    this.raw = BytesMut::new();
                    return Pin::new(&mut this.inner).poll_read(cx, buf);
                }
                State::Open => this.plain = std::mem::take(&mut this.raw),
                // Nobody waits here: the code that opens the gate reads on, and a refused client is answered and closed.
                State::Waiting | State::Dead => return Poll::Pending,
                State::Head => {
                    if !this.raw.is_empty() && this.head() {
                        continue;
                    }
                    match this.poll_fill(cx) {
                        Poll::Ready(filled) => {
                            if !filled? {
                                return Poll::Ready(Ok(()));
                            }
                        }
                        Poll::Pending if this.raw.is_empty() => {
                            // An idle connection gives up its buffer. No head has begun, even if an empty line was passed over.
                            (this.raw, this.deadline) = (BytesMut::new(), None);
                            this.gate.waits(!this.skipped);
                            return Poll::Pending;
                        }
                        Poll::Pending => return this.poll_in_time(cx),
                    }
                }
                State::Length(left) if this.raw.is_empty() => {
                    let most = usize::try_from(*left).unwrap_or(READ).min(READ).min(buf.remaining());
                    let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
                    ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
                    let count = part.filled().len();
                    buf.advance(count);
                    *left -= count as u64;
                    if *left == 0 {
                        this.state = State::Head;
                    }
                    return Poll::Ready(Ok(()));
                }
                State::Length(left) => {
                    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(this.raw.len());
                    this.plain = this.raw.split_to(now);
                    *left -= now as u64;
                    if *left == 0 {
                        this.state = State::Head;
                    }
                }
                State::Chunks(chunks) => match chunks.step(&this.raw) {
                    Step::More(0) => {
                        if !ready!(this.poll_fill(cx))? {
                            return Poll::Ready(Ok(()));
                        }
                    }
                    Step::More(count) => this.plain = this.raw.split_to(count),
                    Step::End(count) => {
                        this.plain = this.raw.split_to(count);
                        this.state = State::Head;
                    }
                    Step::Odd => {
                        this.raw = BytesMut::new();
                        this.state = State::Dead;
                        return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                    }
                },
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.gate.unsent(true);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.gate.unsent(true);
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.gate.unsent(false);
        Poll::Ready(Ok(()))
    }

    /// After a refusal, takes what is still arriving for a moment: closing at once would send a reset, which can destroy the
    /// refusal before the client reads it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.gate.waits(false);
        ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        if !matches!(this.state, State::Dead) {
            return Poll::Ready(Ok(()));
        }
        let deadline =
            this.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + LINGER)));
        while this.drained < LINGER_BYTES && deadline.as_mut().poll(cx).is_pending() {
            let mut scratch = [0; 4096];
            let mut part = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part)) {
                Ok(()) if !part.filled().is_empty() => this.drained += part.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads the bytes that are there, but not many: a connection that waits for bytes holds no buffer for them.
pub(super) fn poll_more<S: AsyncRead + Unpin>(
    inner: &mut S,
    raw: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut part = ReadBuf::uninit(&mut space);
    ready!(Pin::new(inner).poll_read(cx, &mut part))?;
    raw.extend_from_slice(part.filled());
    Poll::Ready(Ok(part.filled().len()))
}

pub(super) fn give(from: &mut BytesMut, buf: &mut ReadBuf<'_>) {
    let count = from.len().min(buf.remaining());
    buf.put_slice(from.get(..count).unwrap_or_default());
    from.advance(count);
    if from.is_empty() {
        // The bytes share the memory that the head was read into, which need not outlive them.
        *from = BytesMut::new();
    }
}

const READ: usize = 64 * 1024;
const HEAD_TIME: Duration = Duration::from_secs(30);
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What the parser sees of `sent`, however the bytes were split.
    async fn seen(sent: &[u8]) -> Vec<u8> {
        let mut all = None;
        for size in [1, 7, sent.len()] {
            let (mut client, server) = tokio::io::duplex(1 << 20);
            let (mut guard, _) = Guard::new(server);
            let mut got = Vec::new();
            for part in sent.chunks(size) {
                client.write_all(part).await.unwrap();
                let mut buf = [0; 4096];
                while let Poll::Ready(Ok(count)) = std::future::poll_fn(|cx| {
                    let mut buf = ReadBuf::new(&mut buf);
                    Poll::Ready(Pin::new(&mut guard).poll_read(cx, &mut buf).map_ok(|()| {
                        got.extend_from_slice(buf.filled());
                        buf.filled().len()
                    }))
                })
                .await
                    && count > 0
                {}
            }
            assert_eq!(*all.get_or_insert_with(|| got.clone()), got, "in parts of {size}");
        }
        all.unwrap()
    }

    #[tokio::test]
    async fn plain_requests_pass_byte_for_byte() {
        let sent = b"POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc\
            GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n\
            POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
            GET /d HTTP/1.1\r\nHost: a.test\r\n\r\n";
        assert_eq!(seen(sent).await, sent);
    }

    #[tokio::test]
    async fn one_empty_line_between_requests_is_forgiven_and_two_are_not() {
        let get = "GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n";
        assert_eq!(seen(format!("{get}\r\n{get}").as_bytes()).await, get.repeat(2).as_bytes());
        let two = seen(format!("{get}\r\n\r\n{get}").as_bytes()).await;
        assert!(String::from_utf8(two).unwrap().contains("x-keyward-refused: odd"));
    }

    #[tokio::test]
    async fn p10_what_follows_a_refused_head_is_not_looked_at() {
        let sent =
            b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\nGET /b HTTP/1.1\r\nHost: a.test\r\nHost: x.test\r\n\r\n\
            GET /c HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let text = String::from_utf8(seen(sent).await).unwrap();
        assert!(text.starts_with("GET /a HTTP/1.1\r\n"));
        assert!(
            text.ends_with("x-keyward-refused: odd\r\n\r\n") && !text.contains("/b") && !text.contains("/c")
        );
    }

    #[tokio::test]
    async fn p16_a_head_without_an_end_is_refused_when_it_is_too_long() {
        let sent = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(HEAD_BYTES));
        let text = String::from_utf8(seen(sent.as_bytes()).await).unwrap();
        assert!(text.contains("x-keyward-refused: large"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_line_in_two_pieces_starts_no_clock() {
        let (mut client, server) = tokio::io::duplex(4096);
        let (mut guard, _) = Guard::new(server);
        let reading = tokio::spawn(async move {
            let mut buf = [0; 4096];
            guard.read(&mut buf).await.map(|count| buf[..count].to_vec())
        });
        let head = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let (start, end) = head.split_at(9);
        for (piece, wait) in [("\r", 1), ("\n", 60), (start, 1), (end, 0)] {
            client.write_all(piece.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
        assert_eq!(reading.await.unwrap().unwrap(), head.as_bytes());
    }

    #[tokio::test]
    async fn a_guard_rests_between_requests_when_all_is_out_and_at_no_other_time() {
        let get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n";
        let chunked = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (sent, rests) in [
            (String::new(), true),
            ("\r".to_owned(), false),
            ("\r\n".to_owned(), false),
            ("GET / HTT".to_owned(), false),
            (get.to_owned(), true),
            (format!("{get}\r\n"), false),
            (format!("{post}ab"), false),
            (format!("{post}abc"), true),
            (format!("{chunked}3\r\nabc\r\n0\r\n"), false),
            (format!("{chunked}3\r\nabc\r\n0\r\n\r\n"), true),
            ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n".to_owned(), false),
            ("GET / HTTP/1.1\r\nHost : a.test\r\n\r\n".to_owned(), false),
        ] {
            let (mut client, server) = tokio::io::duplex(16);
            let (mut guard, gate) = Guard::new(server);
            assert!(!gate.rests(), "nobody has read");
            let reading = async {
                let mut buf = [0; 4096];
                while guard.read(&mut buf).await.is_ok_and(|count| count > 0) {}
            };
            let mut reading = Box::pin(reading);
            tokio::select! {
                () = &mut reading => {}
                () = async {
                    client.write_all(sent.as_bytes()).await.unwrap();
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                } => {}
            }
            drop(reading);
            assert_eq!(gate.rests(), rests, "{sent:?}");
            // More than there is room for: it is not out before the client has read it.
            let written = async {
                guard.write_all(&[b'x'; 20]).await.unwrap();
                guard.flush().await.unwrap();
            };
            let mut written = Box::pin(written);
            let unsent = tokio::select! {
                () = &mut written => unreachable!("there is no room"),
                () = tokio::task::yield_now() => gate.rests(),
            };
            assert!(!unsent, "{sent:?}");
            let mut read = [0; 20];
            let ((), count) = tokio::join!(written, client.read_exact(&mut read));
            assert_eq!(count.unwrap(), 20);
            assert_eq!(gate.rests(), rests, "{sent:?}");
            // Who is about to close it does not give it up half closed.
            let closing =
                std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut guard).poll_shutdown(cx).is_ready()));
            closing.await;
            assert!(!gate.rests() && guard.into_inner().is_none(), "{sent:?}");
        }
    }

    #[tokio::test]
    async fn after_connect_nothing_is_read_before_the_gate_is_open() {
        let connect = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
        let (mut client, server) = tokio::io::duplex(4096);
        let (mut guard, gate) = Guard::new(server);
        client.write_all(&[connect.as_slice(), b"\x16\x03\x01"].concat()).await.unwrap();
        let mut buf = vec![0; 4096];
        let count = guard.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..count], connect);
        let waiting = std::future::poll_fn(|cx| {
            Poll::Ready(Pin::new(&mut guard).poll_read(cx, &mut ReadBuf::new(&mut buf)).is_pending())
        });
        assert!(waiting.await);
        gate.open();
        let count = guard.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..count], b"\x16\x03\x01");
    }
}
