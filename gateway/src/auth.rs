//! Which agent is it? The credential of a request, and what guessing costs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, ORIGIN, PROXY_AUTHORIZATION};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Uri};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::placeholder::MANAGED;

/// The credential that a request to a proxy carries. `None` if it carries none, or more than one.
pub(crate) fn of_proxy(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let mut values = headers.get_all(PROXY_AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { within(value) }
}

/// The credential of a request in base-URL mode, in which the client takes the gateway for the service: where the program puts
/// the service's key, in a header or, if the service has its keys there, in the target. `None` if there is no credential, more
/// than one in the target (somebody else may have written one of them), or one in a target that a web page had its browser ask
/// for.
///
/// The credential is not sent on: it is taken out of the request, and where that would leave a gap, the word that means “inject
/// here” takes its place.
pub(crate) fn of_server<B>(request: &mut Request<B>) -> Option<Zeroizing<String>> {
    let is_of_a_page = [ORIGIN, SEC_FETCH_SITE].iter().any(|name| request.headers().contains_key(name));
    let headers = request.headers_mut();
    let mut found = of_proxy(headers);
    for name in SLOTS {
        let here = headers.get(&name).and_then(|value| within(value).or_else(|| plain(value)));
        if let Some(credential) = here.filter(|credential| credential.starts_with(PREFIX)) {
            headers.remove(name);
            found.get_or_insert(credential);
        }
    }
    for value in headers.values_mut() {
        if let Ok(Cow::Owned(without)) = value.to_str().map(without_credential) {
            *value = HeaderValue::try_from(without).ok()?;
        }
    }
    let target = request.uri().path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    if let Cow::Owned(without) = without_credential(target) {
        let mut here: Vec<Zeroizing<String>> = Vec::new();
        let mut rest = target;
        while let Some((_, credential, after)) = credential_in(rest) {
            here.push(Zeroizing::new(credential.to_owned()));
            rest = after;
        }
        here.dedup();
        let without = PathAndQuery::try_from(without).ok()?;
        *request.uri_mut() = Uri::from(without);
        if found.is_none() && here.len() == 1 && !is_of_a_page {
            found = here.pop();
        }
    }
    found
}

/// A text with a worthless word in the place of each credential in it.
pub(crate) fn without_credential(text: &str) -> Cow<'_, str> {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, _, after)) = credential_in(rest) {
        plain.push_str(before);
        plain.push_str(HERE);
        rest = after;
    }
    if rest.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(plain + rest) }
}

/// The first credential in a text, the text before it, and the text after it. A credential is `kwp1_`, and 26, 52 and 6 letters
/// of base32 with `_` between them (CRYPTO.md §2.8).
fn credential_in(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices(PREFIX).find_map(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let (credential, after) = rest.split_at_checked(LENGTH)?;
        let mut parts = credential.split('_').skip(1);
        let is_part = |length: usize| {
            move |part: &str| {
                part.len() == length && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
            }
        };
        let is_one = PARTS.iter().all(|length| parts.next().is_some_and(is_part(*length)));
        is_one.then_some((before, credential, after))
    })
}

/// The credential in `Basic base64(any:credential)`, `Basic base64(credential:)` or `Bearer credential`.
fn within(value: &HeaderValue) -> Option<Zeroizing<String>> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(rest.trim_ascii().as_bytes()).ok()?);
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Zeroizing::new(if password.is_empty() { user } else { password }.to_owned()))
}

fn plain(value: &HeaderValue) -> Option<Zeroizing<String>> {
    value.to_str().ok().map(|text| Zeroizing::new(text.to_owned()))
}

/// The prefix of every proxy credential.
pub const PREFIX: &str = "kwp1_";

/// Lengths of the parts after the prefix.
const PARTS: [usize; 3] = [26, 52, 6];
const LENGTH: usize = PREFIX.len() + 26 + 1 + 52 + 1 + 6;

/// The header by which browsers say that a web page sends the request.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The word that means “inject here”, in a key's place.
const HERE: &str = MANAGED[0];

const SLOTS: [HeaderName; 4] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Delays the answers to a credential that was refused before. Counted by credential and not by address: many agents may be
/// behind one address, and nobody guesses 256 random bits, so this keeps off noise, not luck.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<[u8; 32], u32>>);

impl Throttle {
    /// Counts a refusal. Returns how long its answer waits.
    pub(crate) fn refused(&self, credential: &str) -> Duration {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = Sha256::digest(credential.as_bytes()).into();
        if counts.len() >= REMEMBERED && !counts.contains_key(&digest) {
            forget_half(&mut counts);
        }
        let count: &mut u32 = counts.entry(digest).or_default();
        *count = count.saturating_add(1);
        FIRST.saturating_mul(1 << (*count - 1).min(8)).min(LONGEST)
    }
}

/// Forgets those that were refused least often, half of all or more: a client that wants to be forgotten has to have as many
/// others refused as often.
fn forget_half(counts: &mut HashMap<[u8; 32], u32>) {
    let mut all: Vec<u32> = counts.values().copied().collect();
    let middle = all.len() / 2;
    let (_, median, _) = all.select_nth_unstable(middle);
    let median = *median;
    counts.retain(|_, count| *count > median);
}

const REMEMBERED: usize = 4096;
const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn asked(target: &str, list: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = target.parse().unwrap();
        *request.headers_mut() = headers(list);
        request
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text.as_bytes()))
    }

    #[test]
    fn s1_a_credential_comes_as_password_as_user_or_as_bearer() {
        for value in [
            basic("agent:kwp1_x"),
            basic("kwp1_x:"),
            basic(":kwp1_x"),
            "bearer kwp1_x".to_owned(),
            basic("a:kwp1_x").replace("Basic", "BASIC"),
        ] {
            let found = of_proxy(&headers(&[("proxy-authorization", &value)])).unwrap();
            assert_eq!(*found, "kwp1_x", "{value}");
        }
        for value in ["kwp1_x", "Basic ???", "Basic", "Digest kwp1_x", &basic("kwp1_x")] {
            assert!(of_proxy(&headers(&[("proxy-authorization", value)])).is_none(), "{value}");
        }
        let twice = headers(&[("proxy-authorization", "Bearer a"), ("proxy-authorization", "Bearer b")]);
        assert!(of_proxy(&twice).is_none());
    }

    #[test]
    fn a_server_takes_it_from_the_services_own_slot_and_out_of_there() {
        for (name, value) in [
            ("authorization", "Bearer kwp1_x".to_owned()),
            ("authorization", basic("user:kwp1_x")),
            ("x-api-key", "kwp1_x".to_owned()),
            ("api-key", "kwp1_x".to_owned()),
            ("x-goog-api-key", "kwp1_x".to_owned()),
        ] {
            let mut asked = asked("/-/A/v1", &[(name, &value)]);
            assert_eq!(*of_server(&mut asked).unwrap(), "kwp1_x", "{name}");
            assert!(asked.headers().is_empty() && asked.uri() == "/-/A/v1", "{name}");
        }
        let mut other = asked("/-/A/v1?key=sk-other", &[("authorization", "Bearer sk-other")]);
        assert!(of_server(&mut other).is_none());
        assert_eq!(other.headers().len(), 1, "what is no credential of ours stays");
        assert_eq!(other.uri(), "/-/A/v1?key=sk-other");
    }

    fn credential(letter: char) -> String {
        let part = |length| letter.to_string().repeat(length);
        format!("kwp1_{}_{}_{}", part(26), part(52), part(6))
    }

    #[test]
    fn s2_a_server_takes_it_from_the_target_and_leaves_nothing_of_it_there() {
        let own = credential('a');
        for (target, left) in [
            ("/-/A/v1?key=OWN&x=1", "/-/A/v1?key=keyward-managed&x=1"),
            ("/-/A/botOWN/getMe", "/-/A/botkeyward-managed/getMe"),
            ("/-/A/OWN/x?key=OWN", "/-/A/keyward-managed/x?key=keyward-managed"),
        ] {
            let mut asked = asked(&target.replace("OWN", &own), &[]);
            assert_eq!(*of_server(&mut asked).unwrap(), own, "{target}");
            assert_eq!(asked.uri(), left);
        }
        let target = format!("/-/A/v1?key={own}");
        let referer = format!("http://127.0.0.1:8421{target}");
        let mut both = asked(&target, &[("authorization", "Bearer kwp1_header"), ("referer", &referer)]);
        assert_eq!(*of_server(&mut both).unwrap(), "kwp1_header");
        assert!(both.headers().len() == 1 && both.uri() == "/-/A/v1?key=keyward-managed");
        assert_eq!(both.headers()["referer"], "http://127.0.0.1:8421/-/A/v1?key=keyward-managed");
    }

    #[test]
    fn s1_a_credential_in_a_target_counts_only_where_nobody_else_can_have_written_it() {
        let (own, other) = (credential('a'), credential('b'));
        let two = format!("/-/A/geocode/{other}?key={own}");
        assert!(of_server(&mut asked(&two, &[])).is_none(), "whose is it?");
        let one = format!("/-/A/v1?key={own}");
        for header in [("origin", "https://page.test"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
        {
            assert!(of_server(&mut asked(&one, &[header])).is_none(), "{header:?}");
        }
        for text in [
            "how+kwp1_+works",
            "kwp1_x",
            own.strip_suffix('a').unwrap(),
            &own.to_uppercase(),
            &own.replace("kwp1_", "kwp1%5F"),
        ] {
            let target = format!("/-/A/v1?q={text}");
            let mut asked = asked(&target, &[]);
            assert!(of_server(&mut asked).is_none(), "{text}");
            assert_eq!(asked.uri(), target.as_str(), "it is text like any other");
        }
    }

    #[test]
    fn s1_the_same_wrong_credential_waits_longer_each_time_and_others_do_not() {
        let throttle = Throttle::default();
        let first = throttle.refused("kwp1_a");
        assert!((0..20).map(|_| throttle.refused("kwp1_a")).is_sorted());
        assert_eq!(throttle.refused("kwp1_a"), LONGEST);
        assert_eq!(throttle.refused("kwp1_b"), first);
    }

    #[test]
    fn s1_filling_the_memory_with_others_gives_no_credential_a_new_start() {
        let throttle = Throttle::default();
        let waits: Vec<Duration> = (0..6).map(|_| throttle.refused("kwp1_a")).collect();
        for n in 0..REMEMBERED * 3 {
            throttle.refused(&format!("kwp1_{n}"));
        }
        assert!(throttle.refused("kwp1_a") > waits[5]);
        assert!(throttle.0.lock().unwrap().len() <= REMEMBERED);
    }
}
