//! Headers that end at the gateway, in both directions. Pure.

use std::borrow::Cow;

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRAILER};

/// Removes from a request the headers that are between the agent and the gateway, and those that claim where the request comes
/// from or where it is going.
///
/// Headers that `Connection` names are removed too, before anything is injected, so that no agent can have the injected header
/// removed.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    let trailers = wants_trailers(headers);
    named_by_connection(headers, |_| true);
    // Such a header ends at the gateway, or says what is not the agent's to say.
    remove(headers, |name| match as_servers_read(name) {
        Cow::Owned(read) => {
            ends_here(&read) || SETTLED.contains(&&*read) || read.starts_with("sec-websocket-")
        }
        Cow::Borrowed(name) => ends_here(name),
    });
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// A header's name as some servers may read it that turn headers into variables: to them `X-A`, `x_a`, `x.a` and `x+a` are one
/// name. Owned if the name is written in another way than with `-`.
pub(crate) fn as_servers_read(name: &str) -> Cow<'_, str> {
    let is_sign = |sign: char| !sign.is_ascii_alphanumeric();
    if name.contains(|sign: char| is_sign(sign) && sign != '-') {
        name.replace(is_sign, "-").into()
    } else {
        name.into()
    }
}

fn ends_here(name: &str) -> bool {
    is_hop_by_hop(name)
        // The trailers of a request end here.
        || name == "trailer"
        || ROUTING.contains(&name)
        || ["x-keyward-", "x-onecli-", "x-forwarded-", "proxy-"].iter().any(|own| name.starts_with(own))
}

/// Removes from an answer the headers that are between the upstream and the gateway, and those that would lead an agent around
/// the gateway.
///
/// Headers that say how a body is coded stay even if `Connection` names them: without `Content-Encoding` or `Grpc-Encoding`, a
/// coded body would pass as if it could be read. Without `Trailer`, no trailer would be sent on over HTTP/1.1.
pub(crate) fn clean_answer(headers: &mut HeaderMap) {
    named_by_connection(headers, |name| {
        let says_how = name.as_str().starts_with("content-") || name.as_str().ends_with("-encoding");
        !says_how && name != TRAILER
    });
    remove(headers, |name| {
        is_hop_by_hop(name)
            || name == "alt-svc"
            || ["x-keyward-", "x-onecli-", "proxy-"].iter().any(|own| name.starts_with(own))
    });
}

/// Whether a header line of `Connection` contains the word.
pub(crate) fn connection_has(headers: &HeaderMap, word: &str) -> bool {
    words(headers, &CONNECTION).any(|own| own.eq_ignore_ascii_case(word))
}

fn named_by_connection(headers: &mut HeaderMap, may_be_named: fn(&HeaderName) -> bool) {
    let named = words(headers, &CONNECTION).filter_map(|word| word.parse().ok());
    let named: Vec<HeaderName> = named.filter(may_be_named).collect();
    for name in named {
        // The host of a request is the gateway's to set.
        headers.remove(name);
    }
}

/// Whether a header is between two neighbours only. So are `Proxy-…` headers, which the callers name.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(name, "connection" | "te" | "transfer-encoding" | "upgrade" | "keep-alive")
}

/// Whether the request asks for trailers: gRPC needs the header `TE: trailers`, and HTTP/2 allows no other value.
fn wants_trailers(headers: &HeaderMap) -> bool {
    words(headers, &TE).any(|word| word.eq_ignore_ascii_case("trailers"))
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Removes the headers for which `goes` is true. Each name is looked at once: most requests have few headers, and none of these.
fn remove(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let named: Vec<HeaderName> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

/// Headers that some servers take for the method, host or path, instead of those that were judged.
const ROUTING: &[&str] = &[
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-original-host",
    "x-rewrite-url",
    "x-envoy-original-path",
    "x-host",
    "x-host-override",
    "x-forwarded",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
    "true-client-ip",
    "max-forwards",
    "alt-used",
    // Headers that say where a request comes from, or that the gateway answers itself.
    "forwarded",
    "via",
    "expect",
];

/// Headers that the gateway reads, sets or removes under these names. Any other spelling is removed, so that it does not say the
/// same a second time.
const SETTLED: &[&str] = &[
    "host",
    "content-length",
    "content-encoding",
    "http2-settings",
    // Asks for an answer in a coding that could not be looked through.
    "accept-encoding",
    "grpc-accept-encoding",
    "connect-accept-encoding",
    "range",
    "if-range",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn p11_s2_what_is_between_agent_and_gateway_ends_there() {
        let mut request = headers(&[
            ("connection", "authorization, x-api-key, , host"),
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("proxy-authorization", "Basic x"),
            ("proxy-connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("te", "gzip, trailers"),
            ("accept", "*/*"),
        ]);
        clean_request(&mut request);
        assert_eq!(names(&request), ["accept", "te"]);
        assert_eq!(request[TE], "trailers");
    }

    #[test]
    fn d7_p14_what_would_lead_a_server_elsewhere_is_not_passed_on() {
        let mut request = headers(&[
            ("x-forwarded-host", "x.test"),
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "host=x.test"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-http-method-override", "DELETE"),
            ("x-real-ip", "127.0.0.1"),
            ("via", "x"),
            ("x-keyward-account", "a"),
            ("x-onecli-x", "a"),
            ("x_http_method_override", "DELETE"),
            ("x-http_method-override", "DELETE"),
            ("x_forwarded_host", "x.test"),
            ("transfer_encoding", "chunked"),
            ("content_length", "0"),
            ("x.http.method.override", "DELETE"),
            ("x+forwarded+host", "x.test"),
            ("x~original|url", "/admin"),
            ("x.keyward.account", "a"),
            ("content.encoding", "gzip"),
            ("content-type", "text/plain"),
            ("user-agent", "x"),
            ("x_request_id", "1"),
            ("x.request.id", "1"),
        ]);
        clean_request(&mut request);
        assert_eq!(names(&request), ["content-type", "user-agent", "x.request.id", "x_request_id"]);
    }

    #[test]
    fn r4_r13_r14_no_other_spelling_asks_for_what_cannot_be_looked_through() {
        let mut request = headers(&[
            ("accept_encoding", "zstd"),
            ("accept.encoding", "zstd"),
            ("grpc_accept_encoding", "gzip"),
            ("grpc-accept_encoding", "gzip"),
            ("connect_accept_encoding", "gzip"),
            ("range_", "bytes=0-1"),
            ("if_range", "x"),
            ("sec_websocket_extensions", "permessage-deflate"),
            ("sec.websocket.extensions", "permessage-deflate"),
            ("http2_settings", "x"),
            // Under their own names, they are settled later.
            ("accept-encoding", "gzip"),
            ("sec-websocket-key", "x"),
            ("accept_language", "en"),
        ]);
        clean_request(&mut request);
        assert_eq!(names(&request), ["accept-encoding", "accept_language", "range_", "sec-websocket-key"]);
    }

    #[test]
    fn d19_an_answer_does_not_send_the_agent_around_the_gateway() {
        let mut answer = headers(&[
            ("alt-svc", "h3=\":443\""),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("proxy-authenticate", "Basic"),
            ("x-keyward-refused", "odd"),
            ("etag", "1"),
        ]);
        clean_answer(&mut answer);
        assert_eq!(names(&answer), ["etag"]);
    }

    #[test]
    fn r4_no_answer_hides_how_its_body_is_written() {
        let mut answer = headers(&[
            ("connection", "Content-Encoding, content-type, content-length, Grpc-Encoding, x-hop"),
            ("content-encoding", "gzip"),
            ("grpc-encoding", "gzip"),
            ("content-type", "application/json"),
            ("content-length", "1"),
            ("x-hop", "1"),
        ]);
        clean_answer(&mut answer);
        assert_eq!(names(&answer), ["content-encoding", "content-length", "content-type", "grpc-encoding"]);
    }
}
