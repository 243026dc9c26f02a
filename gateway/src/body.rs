//! Bodies on their way through, piece by piece: nothing is collected, and nobody is read faster than the other side takes it.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::activity::Busy;
use crate::line::Pulse;
use crate::redact::Scrubber;
use crate::scrub;
use crate::skipped::Skipped;
use crate::tunnel::Tunnel;
use crate::upstream::Lease;

/// What is sent to an upstream.
pub(crate) enum Outgoing {
    /// Nothing.
    Empty,
    /// A body that was written into.
    Whole(Option<Bytes>),
    /// The agent's body as it comes, when something of it last came, and who looks for placeholders in it. Its trailers end here.
    Stream(Incoming, Pulse, Option<Box<Skipped>>),
}

impl Outgoing {
    /// Beats while it is sent.
    pub(crate) fn pulse(&self) -> Pulse {
        match self {
            Self::Empty | Self::Whole(_) => Pulse::default(),
            Self::Stream(_, pulse, _) => pulse.clone(),
        }
    }

    /// Has it looked through while it is sent.
    pub(crate) fn watch(&mut self, mut skipped: Skipped) {
        match self {
            Self::Whole(Some(body)) => {
                skipped.goes_on(body);
            }
            Self::Stream(_, _, watched) => *watched = Some(Box::new(skipped)),
            Self::Empty | Self::Whole(None) => {}
        }
    }
}

/// A body that broke off.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct Broken;

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Stream(body, pulse, watched) => loop {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                pulse.beat();
                match frame {
                    None => return Poll::Ready(None),
                    Some(Err(_)) => return Poll::Ready(Some(Err(Broken))),
                    Some(Ok(frame)) if frame.is_data() => {
                        if let (Some(skipped), Some(came)) = (&mut *watched, frame.data_ref())
                            && !skipped.goes_on(came)
                        {
                            *watched = None;
                        }
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    Some(Ok(_)) => {}
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(body) => body.is_none(),
            Self::Stream(body, _, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Self::Stream(body, _, _) => body.size_hint(),
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
    ) -> Self {
        let last = ((0, 0), Weak::new());
        let mut relayed =
            Self { body, lease, scrub, tunnel, last, _busy: busy, trailers: None, read: false, told: false };
        relayed.tell();
        relayed
    }

    /// Has the log say once that a value was in the answer.
    fn tell(&mut self) {
        if !self.told && self.scrub.covered() {
            self.told = true;
            self.tunnel.covered();
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
                    Ok(data) => self.scrub.push(data),
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        if let Some(trailers) = &mut self.trailers {
                            scrub::headers(&self.tunnel.scrubber(), trailers);
                        }
                    }
                },
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(Broken))),
                Poll::Ready(None) => {
                    self.read = true;
                    self.lease.give_back();
                    self.scrub.end();
                }
                Poll::Pending => return Poll::Pending,
            }
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
            Self::Relayed(_) => false,
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
