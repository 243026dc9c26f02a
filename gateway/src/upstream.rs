//! Connections to upstreams, and who may use which.
//!
//! A connection belongs to one agent for as long as it lives. Within an agent, the first request of a tunnel may take one that
//! an ended tunnel left behind, or one that rests; from then on it stays with the tunnel while that is busy. So no lock is shared
//! by busy tunnels, a fresh tunnel saves a handshake, and a thousand idle ones keep a few connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keyward_wire::rule::Authority;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::body::Outgoing;
use crate::dial::{AgentTls, Dialer, Offer};
use crate::guard::answer::{Expect, Guard};
use crate::limits::Share;
use crate::line::Pulse;
use crate::refuse::Code;

/// What one agent's tunnels that ended or rest left behind.
pub(crate) struct Pool {
    pub(crate) tls: AgentTls,
    share: Arc<Share>,
    idle: Mutex<HashMap<(Authority, bool), Vec<Idle>>>,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// The upstreams of one tunnel: all at one host and port.
pub(crate) struct Upstreams {
    to: Authority,
    secure: bool,
    dialer: Arc<Dialer>,
    pool: Arc<Pool>,
    state: Mutex<State>,
    /// Held while the first connection is made: if it speaks HTTP/2, it is the only one that is needed.
    first: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    free: Vec<Http1>,
    shared: Option<http2::SendRequest<Outgoing>>,
    used_pool: bool,
    /// The upstream was seen to speak HTTP/1.1: more connections may be made side by side.
    is_http1: bool,
}

enum Sender {
    Http1(Http1),
    Http2(http2::SendRequest<Outgoing>),
}

struct Http1 {
    sender: http1::SendRequest<Outgoing>,
    expect: Expect,
}

/// Gives an upstream back to its tunnel, once an answer was read to its end. Dropped before that, the connection ends.
pub(crate) struct Lease(Option<(Arc<Upstreams>, Http1)>);

impl Lease {
    /// The answer ended as it should.
    pub(crate) fn give_back(&mut self) {
        if let Some((upstreams, http1)) = self.0.take() {
            upstreams.state().free.push(http1);
        }
    }
}

impl Pool {
    pub(crate) fn new(dialer: &Dialer, share: Arc<Share>) -> Self {
        Self { tls: dialer.agent_tls(), share, idle: Mutex::default() }
    }

    fn take(&self, to: &Authority, secure: bool) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.get_mut(&(to.clone(), secure))?;
        while let Some(Idle { sender, since }) = list.pop() {
            if since.elapsed() >= IDLE_TIME {
                list.clear();
                break;
            }
            match sender {
                Sender::Http1(http1) if http1.sender.is_ready() => return Some(Sender::Http1(http1)),
                Sender::Http2(http2) if !http2.is_closed() => {
                    // Streams of several tunnels share it: it stays for the next one.
                    list.push(Idle { sender: Sender::Http2(http2.clone()), since });
                    return Some(Sender::Http2(http2));
                }
                Sender::Http1(_) | Sender::Http2(_) => {}
            }
        }
        None
    }

    fn leave(&self, to: &Authority, secure: bool, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.entry((to.clone(), secure)).or_default();
        if list.len() >= IDLE_EACH {
            list.remove(0);
        }
        list.push(Idle { sender, since: Instant::now() });
    }

    /// Closes what nobody came for.
    pub(crate) fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, list| {
            list.retain(|idle| idle.since.elapsed() < IDLE_TIME);
            !list.is_empty()
        });
    }

    /// Closes all that wait.
    pub(crate) fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Upstreams {
    pub(crate) fn new(to: Authority, secure: bool, dialer: Arc<Dialer>, pool: Arc<Pool>) -> Arc<Self> {
        let (state, first) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { to, secure, dialer, pool, state, first })
    }

    /// The tunnel has no use for them now: others of its agent may. Its next request takes one as the first did.
    pub(crate) fn rest(&self) {
        let State { free, .. } = std::mem::take(&mut *self.state());
        for http1 in free.into_iter().filter(|http1| !http1.sender.is_closed()) {
            self.pool.leave(&self.to, self.secure, Sender::Http1(http1));
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request. A connection that turns out to be closed before anything was sent is replaced by a new one, once.
    pub(crate) async fn send(
        self: &Arc<Self>,
        request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Lease), Code> {
        let (sender, fresh) = self.acquire().await?;
        match self.send_over(sender, request).await {
            Ok(answer) => Ok(answer),
            Err((_, Some(request))) if !fresh => {
                let sender = Box::pin(self.dial(Offer::Any)).await?;
                self.send_over(sender, *request).await.map_err(|(failed, _)| failed)
            }
            Err((failed, _)) => Err(failed),
        }
    }

    /// Sends a request over an HTTP/1.1 connection of its own, which the answer may turn into another protocol.
    pub(crate) async fn send_alone(
        self: &Arc<Self>,
        request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Lease), Code> {
        let sender = Box::pin(self.dial(Offer::Http1)).await?;
        self.send_over(sender, request).await.map_err(|(failed, _)| failed)
    }

    async fn send_over(
        self: &Arc<Self>,
        sender: Sender,
        request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Lease), (Code, Option<Box<Request<Outgoing>>>)> {
        let late = (Code::UpstreamTimeout, None);
        let pulse = request.body().pulse();
        let sent = match sender {
            Sender::Http1(mut http1) => {
                http1.expect.head();
                let sent = patient(&pulse, http1.sender.try_send_request(request)).await.ok_or(late)?;
                sent.map(|answer| (answer, Lease(Some((Arc::clone(self), http1)))))
            }
            Sender::Http2(mut http2) => {
                let sent = patient(&pulse, http2.try_send_request(with_scheme(request, &self.to)));
                sent.await.ok_or(late)?.map(|answer| (answer, Lease(None)))
            }
        };
        sent.map_err(|mut error| match error.take_message() {
            Some(request) => (Code::ConnectRefused, Some(Box::new(request))),
            None => (code_of(error.error()), None),
        })
    }

    /// A connection, and whether it is new.
    async fn acquire(&self) -> Result<(Sender, bool), Code> {
        if let Some(sender) = self.at_hand().await {
            return Ok((sender, false));
        }
        if self.state().is_http1 {
            return Ok((Box::pin(self.dial(Offer::Any)).await?, true));
        }
        let _first = self.first.lock().await;
        // Somebody else may have made it meanwhile.
        match self.at_hand().await {
            Some(sender) => Ok((sender, false)),
            None => Ok((Box::pin(self.dial(Offer::Any)).await?, true)),
        }
    }

    async fn at_hand(&self) -> Option<Sender> {
        loop {
            let mut http1 = {
                let mut state = self.state();
                if let Some(shared) = &state.shared {
                    if !shared.is_closed() {
                        return Some(Sender::Http2(shared.clone()));
                    }
                    state.shared = None;
                }
                match state.free.pop() {
                    Some(http1) => http1,
                    None if state.used_pool => return None,
                    None => {
                        state.used_pool = true;
                        match self.pool.take(&self.to, self.secure)? {
                            Sender::Http1(http1) => http1,
                            Sender::Http2(http2) => {
                                state.shared = Some(http2.clone());
                                return Some(Sender::Http2(http2));
                            }
                        }
                    }
                }
            };
            // It is, as soon as the end of the last answer is worked through, or it is closed.
            if http1.sender.ready().await.is_ok() {
                return Some(Sender::Http1(http1));
            }
        }
    }

    /// A new connection. Callers put this future on the heap: it is large, and most requests have no use for it.
    async fn dial(&self, offer: Offer) -> Result<Sender, Code> {
        if self.pool.share.dials.available_permits() == 0 {
            self.pool.clear();
        }
        if !self.secure {
            let stream = self.dialer.tcp(&self.to, &self.pool.share).await?;
            return self.http1(stream).await;
        }
        let stream = self.dialer.tls(&self.to, &self.pool.tls, &self.pool.share, offer).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return self.http1(stream).await;
        }
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 4)
            .max_header_list_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(30))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Code::UpstreamProtocol)?;
        tokio::spawn(connection);
        self.state().shared = Some(sender.clone());
        self.pool.leave(&self.to, true, Sender::Http2(sender.clone()));
        Ok(Sender::Http2(sender))
    }

    async fn http1<S>(&self, stream: S) -> Result<Sender, Code>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.state().is_http1 = true;
        let (guard, expect) = Guard::new(stream);
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(guard))
            .await
            .map_err(|_| Code::UpstreamProtocol)?;
        tokio::spawn(connection.with_upgrades());
        Ok(Sender::Http1(Http1 { sender, expect }))
    }
}

/// What a tunnel leaves behind may serve its agent's next one.
impl Drop for Upstreams {
    fn drop(&mut self) {
        self.rest();
    }
}

/// Waits for an answer, but not for long after the last of the request's body went: however long that takes, it is not the
/// upstream who is slow.
async fn patient<T>(pulse: &Pulse, answer: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        answer = answer => Some(answer),
        () = pulse.still(HEAD_TIME) => None,
    }
}

/// HTTP/2 says in the request what HTTP/1.1 says by the connection.
fn with_scheme(mut request: Request<Outgoing>, to: &Authority) -> Request<Outgoing> {
    let target = request.uri().path_and_query().cloned();
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(http::uri::Scheme::HTTPS);
    parts.authority = host_value(to).parse().ok();
    parts.path_and_query = target.or_else(|| Some(http::uri::PathAndQuery::from_static("/")));
    if let Ok(uri) = http::Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request.headers_mut().remove(http::header::HOST);
    *request.version_mut() = http::Version::HTTP_2;
    request
}

/// The host as `Host` has it: without the port that everybody expects.
pub(crate) fn host_value(to: &Authority) -> String {
    if to.port == 443 { to.host.to_string() } else { to.to_string() }
}

fn code_of(error: &hyper::Error) -> Code {
    if error.is_timeout() {
        Code::UpstreamTimeout
    } else if error.is_user() || error.is_body_write_aborted() {
        Code::Malformed
    } else {
        Code::UpstreamProtocol
    }
}

const IDLE_TIME: Duration = Duration::from_secs(30);
const IDLE_EACH: usize = 16;
/// Some models think for minutes before they say a word.
const HEAD_TIME: Duration = Duration::from_mins(15);
const WINDOW: u32 = 512 * 1024;
const BUFFER: usize = 128 * 1024;
