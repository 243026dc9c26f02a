//! Bodies on their way to an upstream, piece by piece. No body is collected, and the agent is read no faster than the upstream
//! takes the bytes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::pulse::Pulse;

/// The body of a request that is sent to an upstream.
pub(crate) enum RequestBody {
    /// Nothing.
    Empty,
    /// A body into which a rule wrote something.
    Whole(Option<Bytes>),
    /// The agent's body as it arrives, the pulse of its pieces, and who looks for placeholders in it. Its trailers end here.
    Stream(Incoming, Pulse, Option<Box<dyn Watcher>>),
}

impl RequestBody {
    /// A pulse that beats while the body is sent.
    pub(crate) fn pulse(&self) -> Pulse {
        match self {
            Self::Empty | Self::Whole(_) => Pulse::default(),
            Self::Stream(_, pulse, _) => pulse.clone(),
        }
    }

    /// Has `watcher` look through the body while it is sent.
    pub(crate) fn watch(&mut self, mut watcher: impl Watcher + 'static) {
        match self {
            Self::Whole(Some(body)) => {
                watcher.goes_on(body);
            }
            Self::Stream(_, _, watched) => *watched = Some(Box::new(watcher)),
            Self::Empty | Self::Whole(None) => {}
        }
    }
}

/// Looks at a body while it is sent.
pub(crate) trait Watcher: Send {
    /// Looks at one piece of the body. False if no more needs to be seen.
    fn goes_on(&mut self, piece: &[u8]) -> bool;
}

/// A body that broke off.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct Broken;

impl Body for RequestBody {
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
                        if let (Some(watcher), Some(came)) = (&mut *watched, frame.data_ref())
                            && !watcher.goes_on(came)
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
