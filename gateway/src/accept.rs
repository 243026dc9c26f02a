//! Connections from agents: which agent is it, and which of the three ways does a request take?

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1::UpgradeableConnection;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyward_wire::api::agents::Decision;
use keyward_wire::rule::Authority;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::activity::Activity;
use crate::agent::{ConnectionPermit, Session};
use crate::answer::Answer;
use crate::auth;
use crate::blind;
use crate::config::Egress;
use crate::drive::{Alive, drive};
use crate::forward::{self, same_host};
use crate::guard::gate::Gate;
use crate::guard::request::Guard;
use crate::listing;
use crate::log::Event;
use crate::policy::{self, Known};
use crate::pulse::{Pulse, PulseStream};
use crate::refuse::{Code, Refusal};
use crate::serve::{self, http1_settings};
use crate::shared::Shared;
use crate::strangers::Stranger;
use crate::threads::Seat;
use crate::tunnel::{Base, Tunnel, Way};

/// A connection whose client is not known until a request shows a credential.
struct Connection {
    gateway: Arc<Shared>,
    activity: Activity,
    gate: Gate,
    /// The tunnel that the last plain HTTP request took.
    last: Mutex<Option<Arc<Tunnel>>>,
    stranger: Stranger,
    /// The session of the agent whose connection this is, and the connection's place among the agent's.
    place: Mutex<Option<(Arc<Session>, Arc<ConnectionPermit>)>>,
}

/// Serves a connection until it ends.
pub(crate) async fn serve<S>(gateway: Arc<Shared>, stream: S, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Pulse::default();
    let (guard, gate) = Guard::new(PulseStream::new(stream, pulse.clone(), seat));
    let (stranger, place) = (gateway.strangers.enter(), Mutex::default());
    let activity = Activity::new();
    let last = Mutex::default();
    let connection =
        Connection { gateway: Arc::clone(&gateway), activity: activity.clone(), gate, last, stranger, place };
    let connection = Arc::new(connection);
    let own = Arc::clone(&connection);
    let service = service_fn(move |request| {
        let connection = Arc::clone(&own);
        // On the heap: hyper keeps room for the future as long as the connection lasts, and an idle connection does without.
        Box::pin(async move { Ok::<_, Infallible>(connection.answer(request).await) })
    });
    let served = http1_settings().serve_connection(TokioIo::new(guard), service).with_upgrades();
    let ended = connection.ended();
    let alive = Alive { activity: &activity, pulse: &pulse, idle_time: IDLE_TIME };
    drive(&gateway, &alive, pin!(served), UpgradeableConnection::graceful_shutdown, pin!(ended)).await;
}

/// What the log says of a request before anything was decided.
struct Asked {
    method: Method,
    uri: Uri,
    since: Instant,
}

impl Connection {
    /// Waits until the plain HTTP that this connection serves must end. Tunnels look after themselves.
    async fn ended(&self) {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tokio::select! {
            () = self.gateway.until(|| last().is_some_and(|tunnel| tunnel.must_end())) => {}
            () = self.stranger.shown_out() => return,
        }
        if let Some(tunnel) = last() {
            tunnel.say("cut", Code::AccessRestricted);
        }
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        let asked =
            Asked { method: request.method().clone(), uri: request.uri().clone(), since: Instant::now() };
        let as_server = request.method() != Method::CONNECT && request.uri().authority().is_none();
        let busy = self.activity.begin();
        let answered = if let Err(refusal) = forward::shape(&request) {
            Err((None, refusal))
        } else if request.method() == Method::CONNECT {
            self.connect(request).await
        } else if request.uri().scheme().is_some() {
            self.absolute(request).await
        } else {
            self.server(request).await
        };
        drop(busy);
        match answered {
            Ok(answer) => answer,
            Err((session, mut refusal)) => {
                if let Some(session) = &session {
                    self.gateway.add_links(&mut refusal, session, None);
                }
                let is_connect = asked.method == Method::CONNECT;
                let mut answer = refusal.answer(as_server).map(Answer::own);
                self.record(&asked, session.as_deref(), refusal.code, answer.status().as_u16());
                if is_connect {
                    // The bytes that follow were meant for the refused tunnel.
                    let close = http::HeaderValue::from_static("close");
                    answer.headers_mut().insert(http::header::CONNECTION, close);
                }
                answer
            }
        }
    }

    fn record(&self, asked: &Asked, session: Option<&Session>, code: Code, status: u16) {
        // Requests that anybody can send must not fill the disk with log lines: without room for the log, agents would be
        // refused.
        let more = match session {
            Some(_) => 0,
            None => match self.gateway.strangers.refused(Instant::now()) {
                Some(more) => more,
                None => return,
            },
        };
        if let Some(session) = session {
            self.gateway.source.count(&session.agent, None, Decision::Refuse);
        }
        let latency = asked.since.elapsed().as_millis();
        let _ = self.gateway.log.record(&Event {
            agent: session.map(|session| &*session.agent.name).unwrap_or_default(),
            method: asked.method.as_str(),
            host: &named_host(&asked.uri),
            path: &session.map(|_| auth::without_credential(asked.uri.path())).unwrap_or_default(),
            decision: "refuse",
            code: code.word(),
            status,
            latency_ms: u64::try_from(latency).unwrap_or(u64::MAX),
            more,
            ..Event::default()
        });
    }

    /// Answers `CONNECT host:port`.
    async fn connect(self: &Arc<Self>, request: Request<Incoming>) -> Answered {
        let session = self.agent(auth::of_proxy(request.headers())).await?;
        let refuse = |code: Code| (Some(Arc::clone(&session)), Refusal::from(code));
        let named = request.uri().authority().map(http::uri::Authority::as_str).unwrap_or_default();
        // A target of `CONNECT` always names its port.
        if request.uri().port().is_none() {
            return Err(refuse(Code::Malformed));
        }
        let to = Authority::parse(named, 443).map_err(|_| refuse(Code::Malformed))?;
        if let Some(host) = request.headers().get(HOST) {
            let host = host.to_str().map_err(|_| refuse(Code::Malformed))?;
            same_host(host, &to).map_err(refuse)?;
        }
        let grants = self.gateway.source.grants(&session.agent);
        match policy::known(&grants, &to) {
            Known::Here => {
                let activity = Activity::new();
                let place = self.place(&session).map_err(refuse)?;
                let tunnel = Tunnel::new(&self.gateway, &session, to, Way::Tls, None, activity, place);
                let gate = self.gate.clone();
                self.gateway.spawn(async move {
                    let Ok(stream) = hyper::upgrade::on(request).await else { return };
                    gate.open();
                    serve::tls(tunnel, TokioIo::new(stream)).await;
                });
            }
            Known::Elsewhere => return Err(refuse(Code::BlockedByPolicy)),
            Known::No if self.gateway.egress == Egress::Deny => {
                return Err((Some(Arc::clone(&session)), self.gateway.not_connected(&to)));
            }
            Known::No => {
                let activity = Activity::new();
                let place = self.place(&session).map_err(refuse)?;
                let tunnel = Tunnel::new(&self.gateway, &session, to, Way::Tls, None, activity, place);
                let upstream = self.gateway.dialer.tcp(&tunnel.to, &session.share).await.map_err(refuse)?;
                // Connecting took a while: the agent may have been revoked meanwhile.
                if !tunnel.stands() {
                    return Err(refuse(Code::AccessRestricted));
                }
                let gate = self.gate.clone();
                self.gateway.spawn(async move {
                    let Ok(stream) = hyper::upgrade::on(request).await else { return };
                    gate.open();
                    blind::relay(&tunnel, TokioIo::new(stream), upstream).await;
                });
            }
        }
        Ok(Response::new(Answer::own(Bytes::new())))
    }

    /// Answers `GET http://host/…`.
    async fn absolute(self: &Arc<Self>, request: Request<Incoming>) -> Answered {
        let session = self.agent(auth::of_proxy(request.headers())).await?;
        let refuse = |code: Code| (Some(Arc::clone(&session)), Refusal::from(code));
        let (port, secure) = match request.uri().scheme_str() {
            Some("http") => (80, false),
            Some("https") => (443, true),
            _ => return Err(refuse(Code::Malformed)),
        };
        let named = request.uri().authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let to = Authority::parse(named, port).map_err(|_| refuse(Code::Malformed))?;
        if let Some(host) = request.headers().get(HOST) {
            let host = host.to_str().map_err(|_| refuse(Code::Malformed))?;
            same_host(host, &to).map_err(refuse)?;
        }
        let grants = self.gateway.source.grants(&session.agent);
        let way = match (policy::known(&grants, &to), secure) {
            (Known::Here, true) => Way::Server,
            (Known::Elsewhere, true) => return Err(refuse(Code::BlockedByPolicy)),
            (Known::Here | Known::Elsewhere, false) => return Err(refuse(Code::CleartextRefused)),
            (Known::No, false) if self.gateway.egress == Egress::Allow => Way::Plain,
            (Known::No, _) => return Err((Some(Arc::clone(&session)), self.gateway.not_connected(&to))),
        };
        self.forward(&session, to, way, None, request).await
    }

    /// Answers `GET /-/KEY/…`: base-URL mode, in which the client speaks to the gateway as if it were the service.
    async fn server(self: &Arc<Self>, mut request: Request<Incoming>) -> Answered {
        let credential = auth::of_server(&mut request);
        if listing::is_asked(request.uri().path()) {
            return self.list(request, credential).await;
        }
        let Some((name, prefix)) = named_key(request.uri().path()) else {
            return Err((None, Code::NotFound.into()));
        };
        let session = self.agent(credential).await?;
        let refuse = |code: Code| (Some(Arc::clone(&session)), Refusal::from(code));
        let grants = self.gateway.source.grants(&session.agent);
        let grant = grants.iter().find(|grant| *grant.name == *name);
        let grant = grant.ok_or_else(|| refuse(Code::AppNotConnected))?;
        let to = grant.destination().ok_or_else(|| refuse(Code::BlockedByPolicy))?;
        let base = Base { prefix, key: grant.key };
        self.forward(&session, to, Way::Server, Some(base), request).await
    }

    /// Answers `GET /-/`.
    async fn list(&self, request: Request<Incoming>, credential: Credential) -> Answered {
        let since = Instant::now();
        let session = self.agent(credential).await?;
        let refuse = |code: Code| (Some(Arc::clone(&session)), Refusal::from(code));
        let answer =
            listing::answer(&request, &self.gateway.source.grants(&session.agent)).map_err(refuse)?;
        let recorded = self.gateway.log.record(&Event {
            agent: &session.agent.name,
            method: request.method().as_str(),
            path: request.uri().path(),
            decision: "list",
            status: answer.status().as_u16(),
            latency_ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..Event::default()
        });
        recorded.map_err(|_| refuse(Code::LogFailed))?;
        Ok(answer)
    }

    async fn forward(
        self: &Arc<Self>,
        session: &Arc<Session>,
        to: Authority,
        way: Way,
        base: Option<Base>,
        request: Request<Incoming>,
    ) -> Answered {
        let place = self.place(session).map_err(|code| (Some(Arc::clone(session)), code.into()))?;
        let tunnel = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let same = |tunnel: &&Arc<Tunnel>| {
                tunnel.session.agent == session.agent
                    && tunnel.to == to
                    && tunnel.way == way
                    && tunnel.base == base
            };
            if let Some(tunnel) = last.as_ref().filter(same) {
                Arc::clone(tunnel)
            } else {
                let activity = self.activity.clone();
                let tunnel = Tunnel::new(&self.gateway, session, to, way, base, activity, place);
                *last = Some(Arc::clone(&tunnel));
                tunnel
            }
        };
        let busy = tunnel.activity.begin();
        Ok(forward::answer(&tunnel, request, &self.gate, busy).await)
    }

    /// This connection's place among the connections of its agent.
    fn place(&self, session: &Arc<Session>) -> Result<Arc<ConnectionPermit>, Code> {
        let mut own = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, place)) = own.as_ref().filter(|(of, _)| Arc::ptr_eq(of, session)) {
            return Ok(Arc::clone(place));
        }
        let place = session.place(&self.gateway.share).ok_or(Code::RateLimited)?;
        *own = Some((Arc::clone(session), Arc::clone(&place)));
        self.stranger.is_known();
        Ok(place)
    }

    /// The session of the agent whose credential this is. All other credentials get the same answer, and a repeated one gets it
    /// later each time.
    async fn agent(&self, credential: Credential) -> Result<Arc<Session>, Refused> {
        let Some(credential) = credential else { return Err((None, Code::ProxyAuthRequired.into())) };
        if let Some(agent) = self.gateway.source.agent(&credential) {
            let session = self.gateway.session(agent);
            if let Err(code) = self.place(&session) {
                return Err((Some(session), code.into()));
            }
            let current = self.gateway.source.is_current();
            return if current { Ok(session) } else { Err((Some(session), Code::GrantsStale.into())) };
        }
        tokio::time::sleep(self.gateway.throttle.refused(&credential)).await;
        Err((None, Code::ProxyAuthRequired.into()))
    }
}

/// The credential that a request shows. `None` if it shows none.
type Credential = Option<Zeroizing<String>>;
type Refused = (Option<Arc<Session>>, Refusal);
type Answered = Result<Response<Answer>, Refused>;

/// The host and port that a target names. Empty if the target has more than that: a name and password before the host are
/// nobody's to read.
fn named_host(uri: &Uri) -> String {
    let port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let authority = uri.authority().and_then(|named| Authority::parse(named.as_str(), port).ok());
    authority.map(|authority| authority.to_string()).unwrap_or_default()
}

/// The parts of `/-/KEY/…`: the key's name, and what stands before the path that is meant.
fn named_key(path: &str) -> Option<(String, String)> {
    let rest = path.strip_prefix("/-/")?;
    let name = rest.split('/').next().filter(|name| !name.is_empty())?;
    Some((decoded(name)?, format!("/-/{name}")))
}

/// A key's name, percent-decoded: names may have blanks and letters beyond ASCII.
fn decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.push(*data_encoding::HEXLOWER_PERMISSIVE.decode(digits).ok()?.first()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// How long a connection may go without a request.
const IDLE_TIME: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_key_is_one_segment_of_the_path() {
        let named = |path| named_key(path).map(|(name, prefix)| format!("{name}|{prefix}"));
        assert_eq!(named("/-/OPENAI_API_KEY/v1/models").unwrap(), "OPENAI_API_KEY|/-/OPENAI_API_KEY");
        assert_eq!(named("/-/my%20key%c3%A4").unwrap(), "my keyä|/-/my%20key%c3%A4");
        for path in ["/", "/-", "/-/", "/-//v1", "/x/-/A/", "/-/a%2/", "/-/%ff/", "/-/%zz/"] {
            assert_eq!(named(path), None, "{path}");
        }
    }
}
