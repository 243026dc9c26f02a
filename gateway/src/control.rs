//! What a gateway tells those who run it: whether it is well, and the certificate that programs must trust.
//!
//! It has a listener of its own, since agents reach the proxy's. No answer is secret and nothing can be changed here, so whoever
//! reaches the listener may ask, except web pages, which reach a loopback address through the browser of somebody who sits there.
//! A page is recognised by what browsers add: `Origin`, `Sec-Fetch-Site`, and in `Host` the name by which the page reached the
//! listener, which after a DNS rebinding is still the page's. No answer allows another site to read it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::client;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use keyward_wire::rule::{Authority, Host};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::refuse::{Code, Refusal};
use crate::shared::Shared;
use crate::strangers::Strangers;

/// What is served at one control listener.
#[derive(Clone)]
pub(crate) struct Control {
    gateway: Arc<Shared>,
    /// Names by which the listener is reached, beside addresses and `localhost`.
    names: Arc<[Host]>,
    callers: Arc<Strangers>,
}

impl Control {
    pub(crate) fn new(gateway: Arc<Shared>, names: Arc<[Host]>) -> Self {
        Self { gateway, names, callers: Arc::new(Strangers::new(MOST)) }
    }

    /// Serves one connection, which is one question.
    pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let caller = self.callers.enter();
        let service = service_fn(|request| {
            let answer = self.answer(&request);
            async { Ok::<_, Infallible>(answer) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(TIME)
            .max_buf_size(BUFFER)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            _ = timeout(TIME, served) => {}
            () = caller.shown_out() => {}
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let is_proxied = request.uri().authority().is_some();
        if is_proxied || !may_ask(request.headers(), &self.names) {
            return refused(Code::ForeignOrigin);
        }
        let path = request.uri().path();
        if path != HEALTH && path != CA {
            return refused(Code::NotFound);
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            let mut answer = refused(Code::MethodNotAllowed);
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let (status, kind, text) = if path == HEALTH {
            self.health()
        } else {
            (StatusCode::OK, "application/x-pem-file", self.gateway.ca.certificate_pem())
        };
        let mut answer = Response::new(Full::from(text));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        for_nobody_else(headers);
        answer
    }

    /// Whether a request of an agent would be served now. The answer says nothing else.
    fn health(&self) -> (StatusCode, &'static str, String) {
        let wrong = if !self.gateway.source.is_current() {
            Some(Code::GrantsStale)
        } else if !self.gateway.log.is_well() {
            Some(Code::LogFailed)
        } else {
            None
        };
        let status = if wrong.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let word = wrong.map_or("ok", Code::word);
        (status, "application/json", format!("{{\"status\":\"{word}\"}}"))
    }
}

fn refused(code: Code) -> Response<Full<Bytes>> {
    let mut answer = Refusal::from(code).answer(true).map(Full::new);
    for_nobody_else(answer.headers_mut());
    answer
}

/// Tells browsers that no page of another site may use the answer, in whatever way.
fn for_nobody_else(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}

/// Whether the request does not come from a page of another site. A name in `Host` may belong to anybody, who may have it resolve
/// to this machine; an address in `Host` is one that the browser was told to go to.
fn may_ask(headers: &HeaderMap, names: &[Host]) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|host| Authority::parse(host, 80).ok());
    let is_own = host.is_some_and(|Authority { host, .. }| match &host {
        Host::V4(_) | Host::V6(_) => true,
        Host::Name(name) => name == "localhost" || names.contains(&host),
    });
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    is_own && !headers.contains_key(ORIGIN) && matches!(site, None | Some(b"none" | b"same-origin"))
}

/// Asks a control listener for a path. Returns the status and the body of its answer.
///
/// # Errors
/// If the listener does not answer in HTTP within some seconds.
pub async fn ask<S>(stream: S, host: &str, path: &str) -> io::Result<(u16, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let odd = |_| io::Error::from(io::ErrorKind::InvalidData);
    let asked = async {
        let (mut sender, connection) =
            client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(odd)?;
        let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new());
        let request = request.map_err(|_| io::ErrorKind::InvalidInput)?;
        let answered = async {
            let (head, body) = sender.send_request(request).await.map_err(odd)?.into_parts();
            let body = Limited::new(body, BUFFER).collect().await;
            Ok((head.status.as_u16(), body.map_err(|_| io::ErrorKind::InvalidData)?.to_bytes()))
        };
        tokio::pin!(answered, connection);
        tokio::select! {
            biased;
            answer = &mut answered => answer,
            // The connection may have ended with the answer's last byte.
            _ = &mut connection => answered.await,
        }
    };
    timeout(TIME, asked).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// The path that tells whether the gateway is well.
pub const HEALTH: &str = "/health";
/// The path of the gateway's certificate.
pub const CA: &str = "/ca.pem";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const TIME: Duration = Duration::from_secs(5);
const BUFFER: usize = 16 * 1024;
/// The most connections at once. If one more comes, the oldest is closed.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(lines: &[(&'static str, &'static str)]) -> bool {
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            });
        may_ask(&headers, &[Host::parse("gateway").unwrap()])
    }

    #[test]
    fn s7_an_address_localhost_and_names_that_were_given_are_its_own_and_no_other_name_is() {
        for host in ["127.0.0.1:8422", "127.0.0.1", "[::1]:8422", "10.0.0.7:9000", "localhost", "LOCALHOST:1"]
        {
            assert!(asks(&[("host", host)]), "{host}");
        }
        assert!(asks(&[("host", "gateway:8422")]));
        for host in
            ["evil.test", "127.0.0.1.nip.io:8422", "gateway.evil.test", "localhost.evil.test", "", "a b"]
        {
            assert!(!asks(&[("host", host)]), "{host}");
        }
        assert!(!asks(&[]) && !asks(&[("host", "localhost"), ("host", "evil.test")]));
    }

    #[test]
    fn s7_no_page_of_another_site_asks() {
        let local = ("host", "127.0.0.1:8422");
        for origin in ["https://evil.test", "null", "http://127.0.0.1:8422", "http://localhost:3000"] {
            assert!(!asks(&[local, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "", "x"] {
            assert!(!asks(&[local, ("sec-fetch-site", site)]), "{site}");
        }
        // Typed into the address bar, or followed from there.
        for site in ["none", "same-origin"] {
            assert!(asks(&[local, ("sec-fetch-site", site)]), "{site}");
        }
    }
}
