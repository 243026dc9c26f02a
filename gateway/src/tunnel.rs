//! Connections whose requests the gateway sees, for one agent and one host.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keyward_wire::rule::{Authority, Host};
use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::LazyConfigAcceptor;

use crate::activity::Activity;
use crate::agent::{Place, Session};
use crate::forward;
use crate::guard::head::HEAD_LINES;
use crate::guard::request::Guard;
use crate::line::{Line, Pulse};
use crate::log::Event;
use crate::policy::{self, Known};
use crate::redact::Scrubber;
use crate::refuse::Code;
use crate::shared::{Shared, stopped};
use crate::source::made_of;
use crate::upstream::{Upstreams, host_value};

/// How requests get to the gateway, and on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Inside TLS, after a `CONNECT`.
    Tls,
    /// In the clear, to the gateway as if it were the service, and on over TLS.
    Server,
    /// In the clear, and on in the clear: no key.
    Plain,
}

/// One agent's way to one host.
pub(crate) struct Tunnel {
    pub(crate) gateway: Arc<Shared>,
    pub(crate) session: Arc<Session>,
    pub(crate) to: Authority,
    /// The same for the log.
    pub(crate) name: Box<str>,
    /// And for the upstream, as `Host` has it.
    pub(crate) host: Option<HeaderValue>,
    pub(crate) way: Way,
    /// What stands before the path in the targets of base-URL mode.
    pub(crate) target: Option<String>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) activity: Activity,
    _place: Arc<Place>,
}

impl Tunnel {
    pub(crate) fn new(
        gateway: &Arc<Shared>,
        session: &Arc<Session>,
        to: Authority,
        way: Way,
        target: Option<String>,
        activity: Activity,
        place: Arc<Place>,
    ) -> Arc<Self> {
        let (dialer, pool) = (Arc::clone(&gateway.dialer), Arc::clone(&session.pool));
        let upstreams = Upstreams::new(to.clone(), way != Way::Plain, dialer, pool);
        let (gateway, session) = (Arc::clone(gateway), Arc::clone(session));
        let host = match way {
            Way::Plain if to.port == 80 => to.host.to_string(),
            Way::Plain => to.to_string(),
            Way::Tls | Way::Server => host_value(&to),
        };
        let (name, host) = (to.to_string().into(), HeaderValue::try_from(host).ok());
        Arc::new(Self { gateway, session, to, name, host, way, target, upstreams, activity, _place: place })
    }

    /// What is to be kept out of what the agent is told now.
    pub(crate) fn scrubber(&self) -> Arc<Scrubber> {
        self.session.scrubber(&self.gateway.opened, &*self.gateway.source)
    }

    /// The same, if it was asked for before: `last` has which state of what is granted and open that was for. Nobody waits for a
    /// lock then, and nobody who waits for something else keeps a value here.
    pub(crate) fn scrubber_again(&self, last: &mut ((u64, u64), Weak<Scrubber>)) -> Arc<Scrubber> {
        let source = &*self.gateway.source;
        let opened = self.gateway.opened.revision();
        if let Some(scrubber) = last.1.upgrade().filter(|_| last.0 == (source.revision(), opened)) {
            return scrubber;
        }
        let (scrubber, revision) = made_of(source, |_| self.scrubber());
        if let Some(revision) = revision {
            *last = ((revision, opened), Arc::downgrade(&scrubber));
        }
        scrubber
    }

    /// Writes into the log that an answer had a value in it, which was covered: this host repeats what it is sent, and an agent
    /// that asks it for guesses would be told by the cover which is right.
    pub(crate) fn covered(&self) {
        let (agent, host) = (&self.session.agent.name, &self.name);
        let event = Event { agent, host, decision: "cover", code: "value_in_answer", ..Event::default() };
        // The request's own row is what nothing happens without.
        let _ = self.gateway.log.record(&event);
    }

    /// Whether what is open must end: the agent was revoked, or a key in use is not what it was.
    pub(crate) fn must_end(&self) -> bool {
        let source = &self.gateway.source;
        if !self.stands() {
            return true;
        }
        let grants = source.grants(&self.session.agent);
        let gone = self.way == Way::Tls && policy::known(&grants, &self.to) != Known::Here;
        gone || !self.activity.all(|used| grants.contains(used))
    }

    /// Whether its agent may act, by what is known and recent.
    pub(crate) fn stands(&self) -> bool {
        let source = &self.gateway.source;
        source.is_current() && source.stands(&self.session.agent)
    }

    /// Waits until it must.
    pub(crate) async fn ended(&self) {
        self.gateway.until(|| self.must_end()).await;
        self.say("cut", Code::AccessRestricted);
    }

    /// Writes into the log what no request is about.
    pub(crate) fn say(&self, decision: &str, code: Code) {
        let _ = self.record_tunnel(decision, code.word(), 0);
    }

    /// Writes into the log that a tunnel was opened into which nobody looks.
    pub(crate) fn opened(&self) -> std::io::Result<()> {
        self.record_tunnel("tunnel", "", 200).map(|_| ())
    }

    fn record_tunnel(&self, decision: &str, code: &str, status: u16) -> std::io::Result<u64> {
        let agent = &self.session.agent.name;
        self.gateway.log.record(&Event {
            agent,
            method: "CONNECT",
            host: &self.name,
            decision,
            code,
            status,
            ..Event::default()
        })
    }

    /// Waits until a tunnel that nobody looks into must end.
    pub(crate) async fn blind_ended(&self) {
        self.gateway.until(|| !self.stands()).await;
        self.say("cut", Code::AccessRestricted);
    }

    /// Speaks TLS as the host, and serves what comes.
    pub(crate) async fn serve_tls<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pulse = Pulse::default();
        let stream = Line::new(stream, pulse.clone(), ());
        // On the heap for as long as it takes, as is what is served: the task itself stays small, of which there are thousands.
        let handshake = Box::pin(timeout(HANDSHAKE_TIME, async {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
            if !names(&start.client_hello(), &self.to.host) {
                self.say("refuse", Code::Misdirected);
                // The client is told by an alert.
                let _ = start.into_stream(refusing()).await;
                return None;
            }
            let now = (self.gateway.clock)();
            let config = self.gateway.ca.server_config(&self.to.host, now).ok()?;
            start.into_stream(config).await.ok()
        }));
        let Ok(Some(stream)) = handshake.await else { return };
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Box::pin(self.serve_http2(stream, &pulse)).await;
        } else {
            Box::pin(self.serve_http1(stream, &pulse)).await;
        }
    }

    async fn serve_http1<S>(self: Arc<Self>, stream: S, pulse: &Pulse)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (guard, gate) = Guard::new(stream);
        let tunnel = Arc::clone(&self);
        let service = service_fn(move |request| {
            let (tunnel, gate) = (Arc::clone(&tunnel), gate.clone());
            // hyper has room for it as long as the connection lasts: an idle one does without.
            Box::pin(async move { Ok::<_, Infallible>(forward::answer(&tunnel, request, &gate).await) })
        });
        let connection = http1_settings().serve_connection(TokioIo::new(guard), service).with_upgrades();
        self.drive(pulse, pin!(connection), http1::UpgradeableConnection::graceful_shutdown).await;
    }

    async fn serve_http2<S>(self: Arc<Self>, stream: S, pulse: &Pulse)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tunnel = Arc::clone(&self);
        let service = service_fn(move |request| {
            let tunnel = Arc::clone(&tunnel);
            // Each stream is a task, which is moved about before it runs.
            Box::pin(async move {
                let gate = crate::guard::request::Gate::default();
                Ok::<_, Infallible>(forward::answer(&tunnel, request, &gate).await)
            })
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(64 * 1024)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 4)
            .max_send_buf_size(256 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        self.drive(pulse, pin!(connection), http2::Connection::graceful_shutdown).await;
    }

    /// Serves until the client or the gateway ends it, nothing happened for long, or it must end.
    async fn drive<C: Future>(
        &self,
        pulse: &Pulse,
        connection: Pin<&mut C>,
        shut_down: impl Fn(Pin<&mut C>),
    ) {
        let ended = pin!(self.ended());
        let alive = Alive { activity: &self.activity, pulse, idle_time: IDLE_TIME };
        drive(&self.gateway, &alive, connection, shut_down, ended).await;
    }
}

/// How it is seen that a connection is still used.
pub(crate) struct Alive<'a> {
    pub(crate) activity: &'a Activity,
    pub(crate) pulse: &'a Pulse,
    /// Without a request for so long, it is closed.
    pub(crate) idle_time: Duration,
}

/// Drives a connection; `ended` cuts it off. So does the peer's silence in the midst of something, and closing that takes long:
/// whoever does not read would keep its place for good.
pub(crate) async fn drive<C: Future>(
    gateway: &Shared,
    alive: &Alive<'_>,
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    mut ended: Pin<&mut impl Future<Output = ()>>,
) {
    let mut stop = gateway.stop.subscribe();
    let mut stopping: Option<Instant> = None;
    let mut look = interval((alive.idle_time / 4).min(LOOK));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = ended.as_mut() => return,
            () = alive.pulse.still(QUIET_TIME) => return,
            () = stopped(&mut stop), if stopping.is_none() => {
                stopping = Some(Instant::now());
                shut_down(connection.as_mut());
            }
            _ = look.tick() => match (alive.activity.idle(), stopping) {
                (Some(idle), None) if idle >= alive.idle_time => {
                    stopping = Some(Instant::now());
                    shut_down(connection.as_mut());
                }
                (Some(idle), Some(since)) if idle.min(since.elapsed()) >= CLOSE_TIME => return,
                _ => {}
            },
        }
    }
}

pub(crate) fn http1_settings() -> http1::Builder {
    let mut settings = http1::Builder::new();
    // The guard in front has its own, stricter limits and clock.
    settings.timer(TokioTimer::new()).max_buf_size(128 * 1024).max_headers(HEAD_LINES);
    settings.header_read_timeout(None);
    settings
}

/// Whether a ClientHello is for this host. One without a name is: what the request says is compared as well.
pub(crate) fn names(hello: &ClientHello<'_>, host: &Host) -> bool {
    hello.server_name().is_none_or(|name| Host::parse(name).is_ok_and(|named| named == *host))
}

/// A configuration with which every handshake fails.
fn refusing() -> Arc<ServerConfig> {
    #[derive(Debug)]
    struct Nobody;
    impl ResolvesServerCert for Nobody {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            None
        }
    }
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Nobody));
    Arc::new(config)
}

pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
const IDLE_TIME: Duration = Duration::from_mins(5);
/// Longer than an upstream may think.
const QUIET_TIME: Duration = Duration::from_mins(20);
/// Connections into which nobody looks, and WebSockets, have silences of their own kind.
pub(crate) const LONG_QUIET_TIME: Duration = Duration::from_hours(1);
const CLOSE_TIME: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(5);
const MOST_STREAMS: u32 = 256;
const WINDOW: u32 = 256 * 1024;
