//! The scrubber, applied to heads and bodies of answers.

use bytes::{Buf as _, Bytes, BytesMut};
use http::Version;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
};
use tokio::sync::OwnedSemaphorePermit;

use crate::redact::coding::{Coding, Decoder, Unreadable};
use crate::redact::{Scrubber, Stream};

/// Keeps values out of headers or trailers. A header whose name contains a value is left out. Returns whether there was a value.
pub(crate) fn headers(scrubber: &Scrubber, headers: &mut HeaderMap) -> bool {
    if scrubber.is_empty() {
        return false;
    }
    let named: Vec<HeaderName> =
        headers.keys().filter(|name| scrubber.in_name(name.as_str().as_bytes())).cloned().collect();
    let mut covered = !named.is_empty();
    for name in named {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        if let Some((text, _)) = scrubber.text(value.as_bytes()) {
            covered = true;
            *value = HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
        }
    }
    covered
}

/// Scrubs one body: decodes it, if it is coded, and covers the values in it.
pub(crate) struct Body {
    decoder: Option<Decoder>,
    /// Bytes that arrived and are not decoded yet. The decoder gives a bounded piece at a time.
    coded: Bytes,
    ended: bool,
    stream: Stream,
    messages: Option<Messages>,
    in_head: bool,
    /// The place of the decoder's window among those that there may be.
    window: Option<[OwnedSemaphorePermit; 2]>,
}

/// The scrubber for the body of an answer with this head; the head itself is scrubbed here.
///
/// # Errors
/// [`Unreadable`] if the body is in a form that cannot be looked through.
pub(crate) fn body(scrubber: &Scrubber, head: &mut HeaderMap, version: Version) -> Result<Body, Unreadable> {
    let in_head = headers(scrubber, head);
    let coding = Coding::of(head.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes))?;
    head.remove(CONTENT_ENCODING);
    // No client is invited to ask for a range: it would get none.
    head.remove(ACCEPT_RANGES);
    let messages = is_grpc(head, version).then(Messages::default);
    if messages.is_none() && codes_messages(head) {
        return Err(Unreadable::Coding);
    }
    let decoder = (coding != Coding::Identity).then(|| Decoder::new(coding));
    if decoder.is_some() {
        head.remove(CONTENT_LENGTH);
        // A strong ETag is one of the coded bytes, which the agent does not get.
        if let Some(weak) = head.get(ETAG).and_then(weakened) {
            head.insert(ETAG, weak);
        }
    }
    Ok(Body {
        decoder,
        coded: Bytes::new(),
        ended: false,
        stream: Stream::new(),
        messages,
        in_head,
        window: None,
    })
}

/// Removes what the head says of the body's coding: none of the body is read.
pub(crate) fn unsay_coding(head: &mut HeaderMap) {
    head.remove(CONTENT_ENCODING);
    for name in MESSAGE_CODINGS {
        head.remove(name);
    }
}

/// Whether messages within the body are coded one by one. A message of gRPC says itself whether it is coded, and is checked.
fn codes_messages(head: &HeaderMap) -> bool {
    let codings = MESSAGE_CODINGS.iter().flat_map(|name| head.get_all(*name));
    !codings.map(HeaderValue::as_bytes).all(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

impl Body {
    /// Whether the body has to be decoded.
    pub(crate) fn is_coded(&self) -> bool {
        self.decoder.is_some()
    }

    /// Whether the decoder keeps megabytes of what it gave.
    pub(crate) fn has_a_window(&self) -> bool {
        self.decoder.as_ref().is_some_and(Decoder::has_a_window)
    }

    /// Keeps the window's place for as long as the body lives.
    pub(crate) fn keep_window(&mut self, place: [OwnedSemaphorePermit; 2]) {
        self.window = Some(place);
    }

    /// Takes bytes that arrived. All bytes of earlier calls must be spent.
    pub(crate) fn push(&mut self, came: Bytes) {
        self.coded = came;
    }

    /// Notes that the body is over.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The bytes that may go now. `None` if nothing is left to be looked through.
    ///
    /// # Errors
    /// [`Unreadable`] if the body is not what its head said; the answer breaks off here.
    pub(crate) fn next(&mut self, scrubber: &Scrubber) -> Result<Option<Bytes>, Unreadable> {
        let Some(decoder) = &mut self.decoder else {
            let (came, ended) = (std::mem::take(&mut self.coded), std::mem::take(&mut self.ended));
            let out = if came.is_empty() { Bytes::new() } else { self.pass(scrubber, came)? };
            let rest = if ended { self.stream.finish(scrubber) } else { Bytes::new() };
            return Ok(match (out.is_empty(), rest.is_empty()) {
                (true, true) => None,
                (false, true) => Some(out),
                (true, false) => Some(rest),
                (false, false) => Some([out, rest].concat().into()),
            });
        };
        let mut rest: &[u8] = &self.coded;
        let read = decoder.read(&mut rest)?;
        let taken = self.coded.len() - rest.len();
        self.coded.advance(taken);
        if !read.is_empty() || taken > 0 {
            return self.pass(scrubber, read.into()).map(Some);
        }
        if !std::mem::take(&mut self.ended) {
            return Ok(None);
        }
        let read = decoder.finish()?;
        let mut last = BytesMut::from(&*self.pass(scrubber, read.into())?);
        last.extend_from_slice(&self.stream.finish(scrubber));
        Ok(Some(last.freeze()))
    }

    /// Whether all bytes that arrived, and the body's end if it was noted, are looked through and given.
    pub(crate) fn is_spent(&self) -> bool {
        self.coded.is_empty() && !self.ended
    }

    /// Whether a value was in the head or in the body so far.
    pub(crate) fn covered(&self) -> bool {
        self.in_head || self.stream.hits() > 0
    }

    fn pass(&mut self, scrubber: &Scrubber, read: Bytes) -> Result<Bytes, Unreadable> {
        let Some(messages) = &mut self.messages else { return Ok(self.stream.push(scrubber, read)) };
        let rest = messages.after_the_last(&read)?;
        let out = self.stream.push(scrubber, read);
        let Some(rest) = rest else { return Ok(out) };
        Ok([out, self.stream.release(scrubber, rest)].concat().into())
    }
}

/// Finds where gRPC's messages end: each is preceded by its length.
#[derive(Default)]
struct Messages {
    /// The bytes so far of the next message's head: whether it is compressed, and its length in four bytes.
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    left: usize,
}

impl Messages {
    /// How many of these bytes come after the last message that ends in them. `None` if no message ends in them.
    fn after_the_last(&mut self, mut bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
        let mut after = None;
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                let [compressed, length @ ..] = self.head.as_slice() else { continue };
                if *compressed != 0 {
                    // Compression was not agreed on, and a compressed message would have to be decoded to be looked through.
                    return Err(Unreadable::Coding);
                }
                let Ok(length) = length.try_into().map(u32::from_be_bytes) else { continue };
                self.left = usize::try_from(length).unwrap_or(usize::MAX);
                self.head.clear();
            }
            let now = self.left.min(bytes.len());
            self.left -= now;
            bytes = bytes.get(now..).unwrap_or_default();
            if self.left == 0 {
                after = Some(bytes.len());
            }
        }
        Ok(after)
    }
}

/// Whether the answer is gRPC's. gRPC goes over HTTP/2 only, so that most servers that show a request cannot be made to answer in
/// it: then messages end where the text says so.
fn is_grpc(headers: &HeaderMap, version: Version) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    version == Version::HTTP_2 && (kind == "application/grpc" || kind.starts_with("application/grpc+"))
}

fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.to_str().ok().filter(|tag| tag.starts_with('"'))?;
    HeaderValue::try_from(format!("W/{tag}")).ok()
}

/// The headers by which answers of gRPC, gRPC-Web and Connect say how their messages are coded.
const MESSAGE_CODINGS: [&str; 2] = ["grpc-encoding", "connect-content-encoding"];
/// Length in bytes of the head before each message of gRPC.
const HEAD: usize = 5;
