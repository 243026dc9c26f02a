//! Answers on their way to an agent, piece by piece. No body is collected, and the upstream is read no faster than the agent
//! takes the bytes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{sleep, timeout};

use crate::activity::Busy;
use crate::redact::Scrubber;
use crate::refuse::Code;
use crate::request_body::Broken;
use crate::scrub;
use crate::tunnel::{LOOK_AGAIN, Tunnel};
use crate::upstream::Lease;

/// The body of an answer that is sent to an agent.
pub(crate) enum Answer {
    /// The body of one of the gateway's own answers.
    Own(Option<Bytes>),
    /// The body of an upstream's answer.
    Relayed(Box<Relayed>),
}

/// The body of an upstream's answer, and what must happen when it has ended.
pub(crate) struct Relayed {
    body: Incoming,
    lease: Lease,
    scrub: scrub::Body,
    /// The tunnel, which knows the values that are to be kept out at the time.
    tunnel: Arc<Tunnel>,
    last: ((u64, u64), Weak<Scrubber>),
    /// Marks the request as under way until the body is dropped.
    _busy: Busy,
    /// The piece that was waited for before the head was sent.
    first: Option<Result<Frame<Bytes>, Broken>>,
    head: Head,
    trailers: Option<HeaderMap>,
    /// Whether the upstream's part is over.
    read: bool,
    /// Whether a value was in the trailers.
    in_trailers: bool,
    /// Number of the log line that was written before the request was sent.
    of: u64,
    /// Whether the log says that a value was in the answer.
    told: bool,
}

/// The head of an answer whose body is coded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    /// It waits for the first piece of the body.
    Held,
    /// It may be on its way to the agent.
    Sent,
    /// The body is not coded as it says.
    Useless,
}

impl Relayed {
    pub(crate) fn new(
        body: Incoming,
        lease: Lease,
        scrub: scrub::Body,
        tunnel: Arc<Tunnel>,
        busy: Busy,
        of: u64,
    ) -> Self {
        let last = ((0, 0), Weak::new());
        let read = body.is_end_stream();
        let mut relayed = Self {
            body,
            lease,
            scrub,
            tunnel,
            last,
            _busy: busy,
            first: None,
            head: Head::Held,
            trailers: None,
            in_trailers: false,
            read,
            of,
            told: false,
        };
        relayed.tell();
        relayed
    }

    /// Waits for the first piece of a coded body, for a moment: if the body is not what its head says, the head is not sent, either.
    ///
    /// # Errors
    /// [`Code::ScrubUnreadable`].
    pub(crate) async fn begin(&mut self) -> Result<(), Code> {
        if self.scrub.is_coded() && !self.is_over() {
            self.first = timeout(FIRST_TIME, poll_fn(|cx| self.poll_frame(cx))).await.unwrap_or_default();
            if self.head == Head::Useless {
                return Err(Code::ScrubUnreadable);
            }
        }
        self.head = Head::Sent;
        Ok(())
    }

    /// Notes that nothing more comes from the upstream.
    fn end(&mut self) {
        self.read = true;
        self.lease.give_back();
        self.scrub.end();
    }

    /// Whether nothing more goes to the agent. This is said with the last piece, and with the head of an answer without a body:
    /// clients of gRPC take an end in a piece of its own for an error.
    fn is_over(&self) -> bool {
        self.read && self.scrub.is_spent() && self.trailers.is_none() && self.first.is_none()
    }

    /// Has the log say once that a value was in the answer.
    fn tell(&mut self) {
        if !self.told && (self.in_trailers || self.scrub.covered()) {
            self.told = true;
            self.tunnel.covered(self.of);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        loop {
            let Some(scrubber) = self.tunnel.scrubber_again(&mut self.last) else {
                // What carries the answer is about to be cut. Until then nothing goes on; if grants count again before that, it does.
                let waker = cx.waker().clone();
                tokio::spawn(async move {
                    sleep(LOOK_AGAIN).await;
                    waker.wake();
                });
                return Poll::Pending;
            };
            let next = self.scrub.next(&scrubber);
            self.tell();
            match next {
                Err(_) => {
                    match self.head {
                        Head::Sent => self.tunnel.unreadable(self.of),
                        Head::Held | Head::Useless => self.head = Head::Useless,
                    }
                    return Poll::Ready(Some(Err(Broken)));
                }
                Ok(Some(out)) if !out.is_empty() => return Poll::Ready(Some(Ok(Frame::data(out)))),
                Ok(Some(_)) => continue,
                Ok(None) => {}
            }
            if self.read {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        self.scrub.push(data);
                        // Asking the body for its next frame may mean waiting, even if only the end comes.
                        if self.body.is_end_stream() {
                            self.end();
                        }
                    }
                    Err(frame) => {
                        let mut trailers = frame.into_trailers().unwrap_or_default();
                        let Some(scrubber) = self.tunnel.scrubber() else {
                            return Poll::Ready(Some(Err(Broken)));
                        };
                        self.in_trailers = scrub::headers(&scrubber, &mut trailers);
                        self.trailers = Some(trailers);
                    }
                },
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(Broken))),
                Poll::Ready(None) => self.end(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// How long the head of an answer with a coded body waits for its first piece. A stream may have none for long.
const FIRST_TIME: Duration = Duration::from_millis(100);

/// A client of a body of known length may never ask for its end, so the end is handled here as well.
impl Drop for Relayed {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.lease.give_back();
        }
    }
}

impl Answer {
    pub(crate) fn own(body: Bytes) -> Self {
        Self::Own(Some(body))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Own(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Relayed(relayed) => relayed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_none(),
            Self::Relayed(relayed) => relayed.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            // As many bytes come out as went in, but how many are still to come is not known here: some are held back.
            Self::Relayed(_) => SizeHint::default(),
        }
    }
}
