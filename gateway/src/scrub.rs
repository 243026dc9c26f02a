//! The scrubber, applied to heads and bodies of answers.

use bytes::{Buf as _, Bytes, BytesMut};
use http::Version;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
};

use crate::redact::coding::{Coding, Decoder, Unreadable};
use crate::redact::{Scrubber, Stream};

/// Keeps values out of headers or trailers. A header whose name has one is left out. Whether there was one.
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

/// Looks through one body: reads it, if it is coded, and covers what is in it.
pub(crate) struct Body {
    decoder: Option<Decoder>,
    /// What came and was not read yet. Its reader gives a bounded piece at a time.
    coded: Bytes,
    ended: bool,
    stream: Stream,
    messages: Option<Messages>,
    in_head: bool,
}

/// What keeps values out of an answer with this head, which is covered here.
///
/// # Errors
/// [`Unreadable`]: the body is in a form that cannot be looked through.
pub(crate) fn body(scrubber: &Scrubber, head: &mut HeaderMap, version: Version) -> Result<Body, Unreadable> {
    let in_head = headers(scrubber, head);
    let coding = Coding::of(head.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes))?;
    head.remove(CONTENT_ENCODING);
    // No part of it is asked for later, since it would not be given.
    head.remove(ACCEPT_RANGES);
    let messages = is_grpc(head, version).then(Messages::default);
    if messages.is_none() && codes_messages(head) {
        return Err(Unreadable::Coding);
    }
    let decoder = (coding != Coding::Identity).then(|| Decoder::new(coding));
    if decoder.is_some() {
        head.remove(CONTENT_LENGTH);
        // A strong tag is for the coded bytes.
        if let Some(weak) = head.get(ETAG).and_then(weakened) {
            head.insert(ETAG, weak);
        }
    }
    Ok(Body { decoder, coded: Bytes::new(), ended: false, stream: Stream::new(), messages, in_head })
}

/// What is said of how a body is written does not matter: none of it is read.
pub(crate) fn unsay_coding(head: &mut HeaderMap) {
    head.remove(CONTENT_ENCODING);
    for name in MESSAGE_CODINGS {
        head.remove(name);
    }
}

/// Whether messages within a body are coded, each for itself. Of gRPC's, each says so as well, and is looked at.
fn codes_messages(head: &HeaderMap) -> bool {
    let codings = MESSAGE_CODINGS.iter().flat_map(|name| head.get_all(*name));
    !codings.map(HeaderValue::as_bytes).all(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
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

    /// Whether all that came, and its end if it was told of one, is looked through and given.
    pub(crate) fn is_spent(&self) -> bool {
        self.coded.is_empty() && !self.ended
    }

    /// Whether a value was in the head or in what came of the body.
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

/// Where gRPC's messages end: each has its length before it.
#[derive(Default)]
struct Messages {
    /// What there is of the next one's head: whether it is compressed, and its length in four bytes.
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    left: usize,
}

impl Messages {
    /// How many of these bytes come after the last message that ends in them. None: none does.
    fn after_the_last(&mut self, mut bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
        let mut after = None;
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                let [compressed, length @ ..] = self.head.as_slice() else { continue };
                if *compressed != 0 {
                    // It was not agreed on, and would have to be read to be looked through.
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

/// gRPC goes over HTTP/2 only, so that most servers that show a request cannot be made to answer in it: messages end where
/// the text says so.
fn is_grpc(headers: &HeaderMap, version: Version) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    version == Version::HTTP_2 && (kind == "application/grpc" || kind.starts_with("application/grpc+"))
}

fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.to_str().ok().filter(|tag| tag.starts_with('"'))?;
    HeaderValue::try_from(format!("W/{tag}")).ok()
}

/// Where answers of gRPC, gRPC-Web and Connect say how their messages are coded.
const MESSAGE_CODINGS: [&str; 2] = ["grpc-encoding", "connect-content-encoding"];
/// Bytes before each of gRPC's messages.
const HEAD: usize = 5;
