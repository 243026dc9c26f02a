//! The scrubber, applied to heads and bodies of answers.

use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
};

use crate::redact::coding::{Coding, Decoder, Unreadable};
use crate::redact::{Pace, Scrubber, Stream};

/// Keeps values out of headers or trailers. A header whose name has one is left out.
pub(crate) fn headers(scrubber: &Scrubber, headers: &mut HeaderMap) {
    if scrubber.is_empty() {
        return;
    }
    let named: Vec<HeaderName> =
        headers.keys().filter(|name| scrubber.in_name(name.as_str().as_bytes())).cloned().collect();
    for name in named {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        if let Some((text, _)) = scrubber.text(value.as_bytes()) {
            *value = HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
        }
    }
}

/// Looks through one body: reads it, if it is coded, and covers what is in it.
pub(crate) struct Body {
    decoder: Option<Decoder>,
    /// What came and was not read yet. Its reader gives a bounded piece at a time.
    coded: Bytes,
    ended: bool,
    stream: Stream,
}

/// What keeps values out of an answer with this head, which is covered here.
///
/// # Errors
/// [`Unreadable`]: the body is in a form that cannot be looked through.
pub(crate) fn body(scrubber: &Arc<Scrubber>, head: &mut HeaderMap) -> Result<Body, Unreadable> {
    headers(scrubber, head);
    let coding = Coding::of(head.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes))?;
    head.remove(CONTENT_ENCODING);
    // No part of it is asked for later, since it would not be given.
    head.remove(ACCEPT_RANGES);
    let decoder = (coding != Coding::Identity).then(|| Decoder::new(coding));
    if decoder.is_some() {
        head.remove(CONTENT_LENGTH);
        // A strong tag is for the coded bytes.
        if let Some(weak) = head.get(ETAG).and_then(weakened) {
            head.insert(ETAG, weak);
        }
    }
    let stream = Stream::new(Arc::clone(scrubber), pace(head));
    Ok(Body { decoder, coded: Bytes::new(), ended: false, stream })
}

impl Body {
    /// Takes what came. Nothing that came before may be left.
    pub(crate) fn push(&mut self, came: Bytes) {
        self.coded = came;
    }

    /// The body is over.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Gives what may go now. None: nothing is left to be looked at.
    ///
    /// # Errors
    /// [`Unreadable`]: the body is not what its head said, and the answer breaks off here.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Unreadable> {
        let Some(decoder) = &mut self.decoder else {
            if !self.coded.is_empty() {
                return Ok(Some(self.stream.push(std::mem::take(&mut self.coded))));
            }
            return Ok(std::mem::take(&mut self.ended).then(|| self.stream.finish()));
        };
        let mut rest: &[u8] = &self.coded;
        let read = decoder.read(&mut rest)?;
        let taken = self.coded.len() - rest.len();
        self.coded.advance(taken);
        if !read.is_empty() || taken > 0 {
            return Ok(Some(self.stream.push(read.into())));
        }
        if !std::mem::take(&mut self.ended) {
            return Ok(None);
        }
        let mut last = BytesMut::from(&*self.stream.push(decoder.finish()?.into()));
        last.extend_from_slice(&self.stream.finish());
        Ok(Some(last.freeze()))
    }

    /// Whether something waits for the clock.
    pub(crate) fn waiting(&self) -> bool {
        self.stream.waiting()
    }

    /// Lets go what waited for it.
    pub(crate) fn tick(&mut self) -> Bytes {
        self.stream.tick()
    }
}

/// When what is held back may go.
fn pace(headers: &HeaderMap) -> Pace {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/event-stream" | "application/x-ndjson" | "application/jsonl" | "application/stream+json" => {
            Pace::Lines
        }
        _ if headers.contains_key(CONTENT_LENGTH) => Pace::Whole,
        _ => Pace::Timed,
    }
}

fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.to_str().ok().filter(|tag| tag.starts_with('"'))?;
    HeaderValue::try_from(format!("W/{tag}")).ok()
}
