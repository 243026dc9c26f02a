//! Connections to upstreams, and which agent may use which.
//!
//! A connection belongs to one agent for as long as it lives. A request takes an idle connection of its agent to this host that
//! lives on this thread, the most recently used first, and gives the connection back as soon as its answer was read. The first
//! request of a tunnel takes an idle connection of any thread. So a fresh tunnel saves a handshake, a busy one wakes no other
//! thread, and a thousand idle tunnels keep a few connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keyward_wire::rule::Authority;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::dial::{AgentTls, Dialer, Offer};
use crate::guard::answer::{Expect, Guard};
use crate::limits::Share;
use crate::pulse::Pulse;
use crate::refuse::Code;
use crate::request_body::RequestBody;
use crate::threads::here;

/// The idle connections of one agent.
pub(crate) struct Pool {
    pub(crate) tls: AgentTls,
    share: Arc<Share>,
    shelves: Mutex<HashMap<(Authority, bool), Arc<Shelf>>>,
}

/// The idle connections to one host and port.
#[derive(Default)]
struct Shelf(Mutex<Vec<Idle>>);

struct Idle {
    sender: Sender,
    /// The thread that the connection lives on.
    thread: ThreadId,
    since: Instant,
}

/// The upstreams of one tunnel: all at one host and port.
pub(crate) struct Upstreams {
    to: Authority,
    secure: bool,
    dialer: Arc<Dialer>,
    pool: Arc<Pool>,
    shelf: Arc<Shelf>,
    /// Whether the upstream was seen to speak HTTP/1.1: then several connections may be made side by side.
    is_http1: AtomicBool,
    /// Whether a request of this tunnel was sent.
    is_used: AtomicBool,
    /// Held while the first connection is made: an HTTP/2 connection is the only one that is needed.
    first: tokio::sync::Mutex<()>,
}

enum Sender {
    Http1(Http1),
    /// A connection whose streams several requests share: it stays in the pool.
    Http2(http2::SendRequest<RequestBody>),
}

struct Http1 {
    sender: http1::SendRequest<RequestBody>,
    expect: Expect,
    thread: ThreadId,
}

/// Gives a connection back to its agent's pool, once an answer was read to its end. If this is dropped earlier, the connection
/// ends.
pub(crate) struct Lease(Option<(Arc<Shelf>, Http1)>);

impl Lease {
    /// Gives the connection back: the answer ended as it should.
    pub(crate) fn give_back(&mut self) {
        if let Some((shelf, http1)) = self.0.take() {
            let thread = http1.thread;
            shelf.leave(Sender::Http1(http1), thread);
        }
    }
}

impl Shelf {
    /// Takes a connection of this thread or, if `any` allows it and there is none, of another one.
    fn take(&self, any: bool) -> Option<Sender> {
        let (mut idle, here) = (self.idle(), here());
        loop {
            let own = idle.iter().rposition(|idle| idle.thread == here);
            let at = own.or_else(|| idle.len().checked_sub(1).filter(|_| any))?;
            match &mut idle.get_mut(at)?.sender {
                Sender::Http2(http2) if !http2.is_closed() => {
                    let http2 = http2.clone();
                    idle.get_mut(at)?.since = Instant::now();
                    return Some(Sender::Http2(http2));
                }
                Sender::Http1(http1) if !http1.sender.is_closed() => return Some(idle.remove(at).sender),
                Sender::Http1(_) | Sender::Http2(_) => drop(idle.remove(at)),
            }
        }
    }

    fn leave(&self, sender: Sender, thread: ThreadId) {
        self.idle().push(Idle { sender, thread, since: Instant::now() });
    }

    /// Closes connections that nobody took: all but a few after a moment, and those few later.
    fn sweep(&self) {
        let mut idle = self.idle();
        let surplus = idle.len().saturating_sub(IDLE_EACH);
        let mut at = 0;
        idle.retain(|idle| {
            at += 1;
            idle.since.elapsed() < if at <= surplus { SURPLUS_TIME } else { IDLE_TIME }
        });
        idle.shrink_to(IDLE_EACH);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    pub(crate) fn new(dialer: &Dialer, share: Arc<Share>) -> Self {
        Self { tls: dialer.agent_tls(), share, shelves: Mutex::default() }
    }

    fn shelf(&self, to: &Authority, secure: bool) -> Arc<Shelf> {
        Arc::clone(self.shelves().entry((to.clone(), secure)).or_default())
    }

    /// Closes connections that nobody took.
    pub(crate) fn sweep(&self) {
        self.shelves().retain(|_, shelf| {
            shelf.sweep();
            Arc::strong_count(shelf) > 1 || !shelf.idle().is_empty()
        });
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        self.shelves().values().for_each(|shelf| shelf.idle().clear());
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<(Authority, bool), Arc<Shelf>>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstreams {
    pub(crate) fn new(to: Authority, secure: bool, dialer: Arc<Dialer>, pool: Arc<Pool>) -> Arc<Self> {
        let shelf = pool.shelf(&to, secure);
        let (is_http1, is_used) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self {
            to,
            secure,
            dialer,
            pool,
            shelf,
            is_http1,
            is_used,
            first: tokio::sync::Mutex::default(),
        })
    }

    /// Sends a request. A connection that turns out to be closed before anything was sent is replaced by a new one, once.
    pub(crate) async fn send(
        self: &Arc<Self>,
        request: Request<RequestBody>,
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

    /// Sends a request over an HTTP/1.1 connection of its own, which the answer may turn into another protocol (WebSocket).
    pub(crate) async fn send_alone(
        self: &Arc<Self>,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), Code> {
        let sender = Box::pin(self.dial(Offer::Http1)).await?;
        self.send_over(sender, request).await.map_err(|(failed, _)| failed)
    }

    async fn send_over(
        self: &Arc<Self>,
        sender: Sender,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), (Code, Option<Box<Request<RequestBody>>>)> {
        let late = (Code::UpstreamTimeout, None);
        let pulse = request.body().pulse();
        let sent = match sender {
            Sender::Http1(mut http1) => {
                http1.expect.head();
                let sent = patient(&pulse, http1.sender.try_send_request(request)).await.ok_or(late)?;
                sent.map(|answer| (answer, Lease(Some((Arc::clone(&self.shelf), http1)))))
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
        if self.is_http1.load(Ordering::Relaxed) {
            return Ok((Box::pin(self.dial(Offer::Any)).await?, true));
        }
        let _first = self.first.lock().await;
        // Another request may have made a connection meanwhile.
        match self.at_hand().await {
            Some(sender) => Ok((sender, false)),
            None => Ok((Box::pin(self.dial(Offer::Any)).await?, true)),
        }
    }

    async fn at_hand(&self) -> Option<Sender> {
        let is_first = !self.is_used.swap(true, Ordering::Relaxed);
        loop {
            match self.shelf.take(is_first)? {
                // The connection is ready as soon as the end of its last answer is processed, or it is closed. An upstream that
                // answered before it had the whole request may go on reading for as long as the agent sends: nobody waits for
                // that.
                Sender::Http1(mut http1) => {
                    if timeout(SETTLED, http1.sender.ready()).await.is_ok_and(|ready| ready.is_ok()) {
                        return Some(Sender::Http1(http1));
                    }
                }
                http2 @ Sender::Http2(_) => return Some(http2),
            }
        }
    }

    /// Makes a new connection. Callers put this future on the heap: it is large, and most requests do not need it.
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
        self.shelf.leave(Sender::Http2(sender.clone()), here());
        Ok(Sender::Http2(sender))
    }

    async fn http1<S>(&self, stream: S) -> Result<Sender, Code>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.is_http1.store(true, Ordering::Relaxed);
        let (guard, expect) = Guard::new(stream);
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(guard))
            .await
            .map_err(|_| Code::UpstreamProtocol)?;
        tokio::spawn(connection.with_upgrades());
        Ok(Sender::Http1(Http1 { sender, expect, thread: here() }))
    }
}

/// Waits for an answer. The time limit starts when the last bytes of the request's body were sent: as long as the body is on its
/// way, it is not the upstream that is slow.
async fn patient<T>(pulse: &Pulse, answer: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        answer = answer => Some(answer),
        () = pulse.still(HEAD_TIME) => None,
    }
}

/// Adds scheme and authority to a request: HTTP/2 states in each request what HTTP/1.1 states by its connection.
fn with_scheme(mut request: Request<RequestBody>, to: &Authority) -> Request<RequestBody> {
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

/// The host as the header `Host` states it: without the port if it is the default one.
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

/// How long a connection's task may take to process the end of an answer that was read already.
const SETTLED: Duration = Duration::from_millis(100);
const IDLE_TIME: Duration = Duration::from_secs(30);
/// How long idle connections beyond [`IDLE_EACH`] are kept.
const SURPLUS_TIME: Duration = Duration::from_secs(2);
const IDLE_EACH: usize = 16;
/// How long an upstream may take for the head of its answer: some models think for minutes before they say a word.
const HEAD_TIME: Duration = Duration::from_mins(15);
const WINDOW: u32 = 512 * 1024;
const BUFFER: usize = 128 * 1024;
