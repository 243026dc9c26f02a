//! Answers on their way to an agent, piece by piece: nothing is collected, and the upstream is read no faster than the agent takes
//! it.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::activity::Busy;
use crate::outgoing::Broken;
use crate::redact::Scrubber;
use crate::scrub;
use crate::tunnel::Tunnel;
use crate::upstream::Lease;

/// What is sent to an agent.
pub(crate) enum Answer {
    /// One of the gateway's own.
    Own(Option<Bytes>),
    /// An upstream's.
    Relayed(Box<Relayed>),
}

/// An upstream's answer, and what must happen when it has ended.
pub(crate) struct Relayed {
    body: Incoming,
    lease: Lease,
    scrub: scrub::Body,
    /// Has what is to be kept out, as it is at the time.
    tunnel: Arc<Tunnel>,
    last: ((u64, u64), Weak<Scrubber>),
    /// Dropped with the body: then the request is over.
    _busy: Busy,
    trailers: Option<HeaderMap>,
    /// The upstream's part is over.
    read: bool,
    /// A value was in them.
    in_trailers: bool,
    /// The line that was written before the request was sent.
    of: u64,
    /// The log says that a value was in it.
    told: bool,
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
            trailers: None,
            in_trailers: false,
            read,
            of,
            told: false,
        };
        relayed.tell();
        relayed
    }

    /// Nothing more comes from the upstream.
    fn end(&mut self) {
        self.read = true;
        self.lease.give_back();
        self.scrub.end();
    }

    /// Nothing more goes to the agent. Said with the last piece, and with the head of an answer without any: clients of gRPC take
    /// an end in a piece of its own for a fault.
    fn is_over(&self) -> bool {
        self.read && self.scrub.is_spent() && self.trailers.is_none()
    }

    /// Has the log say once that a value was in the answer.
    fn tell(&mut self) {
        if !self.told && (self.in_trailers || self.scrub.covered()) {
            self.told = true;
            self.tunnel.covered(self.of);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            let next = self.scrub.next(&self.tunnel.scrubber_again(&mut self.last));
            self.tell();
            match next {
                Err(_) => return Poll::Ready(Some(Err(Broken))),
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
                        // Whoever asks for more to hear that there is none may have to wait for that.
                        if self.body.is_end_stream() {
                            self.end();
                        }
                    }
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        if let Some(trailers) = &mut self.trailers {
                            self.in_trailers = scrub::headers(&self.tunnel.scrubber(), trailers);
                        }
                    }
                },
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(Broken))),
                Poll::Ready(None) => self.end(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Whoever sends a body of known length does not ask for its end.
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
            // As many bytes come out as went in; how many are left to come, only what was not held back knows.
            Self::Relayed(_) => SizeHint::default(),
        }
    }
}
