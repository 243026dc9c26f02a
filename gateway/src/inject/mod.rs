//! Writes a value into a request, where its rule says and nowhere else. Pure.
//!
//! What the agent wrote in that place is replaced: nothing, `keyward-managed`, a placeholder, or a credential of its own. The
//! value stands there exactly once. A placeholder that does not belong there makes the request refused, since somebody wants a
//! value to go where it must not; anywhere else a placeholder is text like any other. A value that cannot be written as it is
//! makes the request refused; it is not repaired.

mod json;
mod parameters;
mod path;
mod percent;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use data_encoding::{BASE64, Encoding, Specification};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use keyward_wire::KeyId;
use keyward_wire::rule::{FieldName, Injection, Rule, Template, Values};
use zeroize::Zeroizing;

use crate::headers::as_servers_read;
use crate::placeholder::{Mark, Placeholders};
use crate::source::{Grant, Value};

/// The head of a request on its way to an upstream, without the headers that end at the gateway.
pub struct Head<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// Path and query, as they will be sent.
    pub target: &'a mut Zeroizing<Vec<u8>>,
    /// The request's headers.
    pub headers: &'a mut HeaderMap,
}

/// What is to be done with the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The body passes as it comes.
    Keep,
    /// The body is collected, and [`inject_body`] writes into it.
    Rewrite,
}

/// Why a value is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// A placeholder of another key, namely this one, stands in the key's place.
    #[error("a placeholder of another key stands where this one belongs")]
    WrongDestination(KeyId),
    /// A placeholder of no key of this session stands in the key's place.
    #[error("a placeholder that is nobody's stands where the key belongs")]
    UnknownPlaceholder,
    /// The placeholder stands in the key's place more than once.
    #[error("the placeholder stands there twice")]
    Repeated,
    /// The value, or a field that the rule needs, cannot stand in that place: it has a line end, say, or is missing.
    #[error("the key's value cannot stand where its rule puts it")]
    BadValue,
    /// The body is not of the kind that the rule writes into.
    #[error("the body is not what the key's rule writes into")]
    Unreadable,
}

/// Whether the agent wrote this key's placeholder into the head, where the key's rule has a place for the value. A place in a
/// body is not looked at: the body has not come yet.
pub(crate) fn shows(grant: &Grant, mine: &Placeholders, target: &[u8], headers: &HeaderMap) -> bool {
    let into = &grant.rule.terms().into;
    let is_it = |text: &[u8]| mine.marks(text).contains(&Mark::Key(grant.key));
    let (path, query) = split_query(target);
    let in_target = into.iter().any(|one| match one {
        Injection::Query { name, .. } => {
            parameters::values(query.unwrap_or_default(), name).any(|value| is_it(&value))
        }
        Injection::Path(template) => template.split(path).is_some_and(|(_, slot, _)| is_it(slot)),
        _ => false,
    });
    in_target
        || headers.iter().any(|(name, value)| place(name, into).is_some() && is_it(&credential(name, value)))
}

/// Writes the value into the head.
///
/// # Errors
///
/// [`InjectError`]. Then the head may be half written, and must not be sent.
pub fn inject(rule: &Rule, value: &Value, mine: &Placeholders, head: Head<'_>) -> Result<Body, InjectError> {
    let Head { method, target, headers } = head;
    let into = &rule.terms().into;
    rule.check_values(&values(value)).map_err(|_| InjectError::BadValue)?;
    let slots = || Slots { mine, key: value.key(), seen: false };
    // The agent's placeholders are looked for before anything is written, so that nothing that the gateway wrote is taken for the
    // agent's.
    let (mut seen, mut credentials): (Vec<Place>, Vec<HeaderName>) = Default::default();
    for (name, agents) in &*headers {
        let Some(place) = place(name, into) else { continue };
        credentials.push(name.clone());
        if slots().header(name, agents)? {
            seen.push(place);
        }
    }
    check_places(&seen)?;
    for name in credentials {
        headers.remove(name);
    }
    let mut body = Body::Keep;
    for injection in into {
        match injection {
            Injection::Header { name, template } => {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InjectError::BadValue)?;
                headers.insert(name, header_value(render(template, value)?)?);
            }
            Injection::Basic { user, password } => {
                headers.insert(AUTHORIZATION, basic(&render(user, value)?, &render(password, value)?)?);
            }
            Injection::Query { name, template } => {
                let secret = render(template, value)?;
                let (path, query) = split_query(target);
                let query = parameters::replace(query.unwrap_or_default(), name, &secret, &mut slots())?;
                *target = joined(&[path, b"?", &query]);
            }
            Injection::Path(path) => {
                if let Some(written) = path::replace(target, rule, path, value, &mut slots())? {
                    *target = written;
                }
            }
            Injection::JsonField { .. } | Injection::FormField { .. } => {
                if !coded(headers) {
                    body = Body::Rewrite;
                } else if *method != Method::GET && *method != Method::HEAD {
                    return Err(InjectError::Unreadable);
                }
            }
        }
    }
    Ok(body)
}

/// Writes the value into a body that was collected; `kind` is its `Content-Type`. An empty body stays empty.
///
/// # Errors
///
/// [`InjectError`], if the value was not written.
pub fn inject_body(
    rule: &Rule,
    value: &Value,
    mine: &Placeholders,
    kind: Option<&[u8]>,
    body: Vec<u8>,
) -> Result<Zeroizing<Vec<u8>>, InjectError> {
    let mut body = Zeroizing::new(body);
    if body.is_empty() {
        return Ok(body);
    }
    rule.check_values(&values(value)).map_err(|_| InjectError::BadValue)?;
    let kind = kind.map(essence).unwrap_or_default();
    let slots = || Slots { mine, key: value.key(), seen: false };
    for injection in &rule.terms().into {
        match injection {
            Injection::JsonField { pointer, template } => {
                if kind != b"application/json" && !kind.ends_with(b"+json") {
                    return Err(InjectError::Unreadable);
                }
                body = json::replace(&body, pointer, &render(template, value)?, &mut slots())?;
            }
            Injection::FormField { name, template } => {
                if kind != b"application/x-www-form-urlencoded" {
                    return Err(InjectError::Unreadable);
                }
                body = parameters::replace(&body, name, &render(template, value)?, &mut slots())?;
            }
            Injection::Header { .. }
            | Injection::Basic { .. }
            | Injection::Query { .. }
            | Injection::Path(_) => {}
        }
    }
    Ok(body)
}

/// The value and its fields, as rules ask for them.
fn values<'a>(value: &'a Value) -> Values<'a, impl Fn(&FieldName) -> Option<&'a [u8]>> {
    Values { value: value.bytes(), field: |name: &FieldName| value.field(name.as_str()).map(str::as_bytes) }
}

fn render(template: &Template, value: &Value) -> Result<Zeroizing<Vec<u8>>, InjectError> {
    template.render(&values(value)).map_err(|_| InjectError::BadValue)
}

/// The parts, one after the other, in one allocation: growing would leave copies behind.
fn joined(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        whole.extend_from_slice(part);
    }
    whole
}

/// Bytes that are wiped when the last holder lets go.
pub(crate) fn wiped(bytes: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(Wiped(bytes))
}

/// A header in which the agent may have put a placeholder.
#[derive(PartialEq, Eq)]
enum Place {
    /// A header that the rule writes: each may have the placeholder once.
    OfRule(String),
    /// Another header by which a request proves who sends it. A program that cannot be configured may use it instead of the
    /// rule's.
    Other,
}

/// The place that a header is, by its name as servers may read it.
fn place(name: &HeaderName, into: &[Injection]) -> Option<Place> {
    let own = plain(name.as_str());
    let of_rule = into.iter().any(|injection| match injection {
        Injection::Header { name, .. } => plain(name) == own,
        Injection::Basic { .. } => own == AUTHORIZATION.as_str(),
        _ => false,
    });
    if of_rule {
        return Some(Place::OfRule(own.into_owned()));
    }
    CREDENTIALS.contains(&&*own).then_some(Place::Other)
}

/// A header's name as servers may read it, and without what some of them cut off.
fn plain(name: &str) -> Cow<'_, str> {
    match as_servers_read(name) {
        Cow::Borrowed(name) => Cow::Borrowed(name.trim_matches('-')),
        Cow::Owned(name) => Cow::Owned(name.trim_matches('-').to_owned()),
    }
}

/// Checks that the placeholder stands at most once in each place, and in no other header beside the rule's.
fn check_places(seen: &[Place]) -> Result<(), InjectError> {
    let twice = seen.iter().enumerate().any(|(at, place)| seen.iter().take(at).any(|one| one == place));
    let beside = seen.len() > 1 && seen.contains(&Place::Other);
    if twice || beside { Err(InjectError::Repeated) } else { Ok(()) }
}

/// Reads what the agent wrote in one of the key's places.
struct Slots<'a> {
    mine: &'a Placeholders,
    key: KeyId,
    /// Whether the key's placeholder was found there already.
    seen: bool,
}

impl Slots<'_> {
    /// Checks the text in a place: no placeholder, or this key's, once. True if it is this key's.
    fn text(&mut self, text: &[u8]) -> Result<bool, InjectError> {
        let marks = self.mine.marks(text);
        if marks.contains(&Mark::Unknown) {
            return Err(InjectError::UnknownPlaceholder);
        }
        for mark in &marks {
            match mark {
                Mark::Key(other) if *other != self.key => return Err(InjectError::WrongDestination(*other)),
                Mark::Key(_) | Mark::Unknown => {}
            }
        }
        if marks.len() > 1 || (self.seen && !marks.is_empty()) {
            return Err(InjectError::Repeated);
        }
        self.seen |= !marks.is_empty();
        Ok(!marks.is_empty())
    }

    fn header(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, InjectError> {
        self.text(&credential(name, value))
    }
}

/// A header's value or, of Basic, the decoded user and password.
fn credential<'v>(name: &HeaderName, value: &'v HeaderValue) -> Cow<'v, [u8]> {
    let text = value.as_bytes().trim_ascii();
    let scheme = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case(b"basic"));
    let encoded = scheme.and(text.get(5..)).filter(|_| *name == AUTHORIZATION).map(<[u8]>::trim_ascii);
    encoded.and_then(|encoded| lenient_base64().decode(encoded).ok()).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn header_value(secret: Zeroizing<Vec<u8>>) -> Result<HeaderValue, InjectError> {
    let blank = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    if secret.iter().any(u8::is_ascii_control) || blank(secret.first()) || blank(secret.last()) {
        return Err(InjectError::BadValue);
    }
    // Sensitive, so that HTTP/2 never puts the value into a compression table.
    let mut value = HeaderValue::from_maybe_shared(wiped(secret)).map_err(|_| InjectError::BadValue)?;
    value.set_sensitive(true);
    Ok(value)
}

struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Basic of a user and password (RFC 7617): no colon in the user, no control characters.
fn basic(user: &[u8], password: &[u8]) -> Result<HeaderValue, InjectError> {
    if user.contains(&b':') || user.iter().chain(password).any(u8::is_ascii_control) {
        return Err(InjectError::BadValue);
    }
    let pair = joined(&[user, b":", password]);
    let mut text = Zeroizing::new(vec![0; 6 + BASE64.encode_len(pair.len())]);
    let (scheme, encoded) = text.split_at_mut(6);
    scheme.copy_from_slice(b"Basic ");
    BASE64.encode_mut(&pair, encoded);
    header_value(text)
}

/// Base64 that is read with or without padding.
fn lenient_base64() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    specification.ignore.push('=');
    specification.check_trailing_bits = false;
    specification.encoding().expect("the alphabet is well-formed")
}

fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(at) => (target.get(..at).unwrap_or_default(), target.get(at + 1..)),
        None => (target, None),
    }
}

/// Whether a body is compressed: then nothing can be written into it.
fn coded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The media type without its parameters: `application/json`, of `Application/JSON; charset=utf-8`.
fn essence(kind: &[u8]) -> Vec<u8> {
    kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
}

/// Headers that carry credentials by custom. Beside an injected value they would be a second credential.
#[rustfmt::skip]
const CREDENTIALS: &[&str] = &[
    "api-key", "apikey", "authorization", "circle-token", "cookie", "dd-api-key", "dd-application-key", "job-token",
    "private-token", "x-access-token", "x-api-key", "x-api-token", "x-apikey", "x-auth", "x-auth-key", "x-auth-token",
    "x-authorization", "x-goog-api-key", "x-token",
];
