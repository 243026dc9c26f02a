//! Connections whose requests the gateway sees: TLS in the host's name, then HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1::{self as h1, UpgradeableConnection};
use hyper::server::conn::http2 as h2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use keyward_wire::rule::Host;
use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

use crate::drive::{Alive, Why, drive, drive_until_quiet, wakes};
use crate::forward;
use crate::guard::gate::Gate;
use crate::guard::head::HEAD_LINES;
use crate::guard::request::Guard;
use crate::pulse::{Pulse, PulseStream};
use crate::refuse::Code;
use crate::tunnel::Tunnel;

/// Speaks TLS as the host, and serves the requests inside.
pub(crate) async fn tls<S>(tunnel: Arc<Tunnel>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Pulse::default();
    let stream = PulseStream::new(stream, pulse.clone(), ());
    // On the heap for as long as the handshake takes; so is what is served. The task itself stays small: there are thousands.
    let handshake = Box::pin(timeout(HANDSHAKE_TIME, async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
        if !is_for(&start.client_hello(), &tunnel.to.host) {
            tunnel.say("refuse", Code::Misdirected);
            // The client is told by an alert.
            let _ = start.into_stream(refusing()).await;
            return None;
        }
        let now = (tunnel.gateway.clock)();
        let config = tunnel.gateway.ca.server_config(&tunnel.to.host, now).ok()?;
        start.into_stream(config).await.ok()
    }));
    let Ok(Some(stream)) = handshake.await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Box::pin(http2(tunnel, stream, &pulse)).await;
    } else {
        Box::pin(http1(tunnel, stream, &pulse)).await;
    }
}

/// Serves, rests, and serves again: idle tunnels are many, and a parser has 16 KiB for what it reads and writes.
async fn http1<S>(tunnel: Arc<Tunnel>, mut stream: S, pulse: &Pulse)
where
    S: AsyncBufRead + AsyncWrite + Unpin + Send + 'static,
{
    let alive = Alive { activity: &tunnel.activity, pulse, idle_time: IDLE_TIME };
    loop {
        // On the heap for as long as it takes, as the handshake is.
        let Some(resting) = Box::pin(requests(&tunnel, stream, &alive)).await else { return };
        stream = resting;
        if !wakes(&tunnel.gateway, &alive, &mut stream, pin!(tunnel.ended())).await {
            return;
        }
    }
}

/// Serves until nothing was asked for in a while. `None` if the connection is over.
async fn requests<S>(tunnel: &Arc<Tunnel>, stream: S, alive: &Alive<'_>) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (guard, gate) = Guard::new(stream);
    let (served, resting) = (Arc::clone(tunnel), gate.clone());
    let service = service_fn(move |request| {
        let (tunnel, gate, busy) = (Arc::clone(&served), gate.clone(), served.activity.begin());
        // On the heap: hyper keeps room for the future as long as the connection lasts, and an idle connection does without.
        Box::pin(async move { Ok::<_, Infallible>(forward::answer(&tunnel, request, &gate, busy).await) })
    });
    let mut connection = http1_settings().serve_connection(TokioIo::new(guard), service).with_upgrades();
    let why = drive_until_quiet(
        &tunnel.gateway,
        alive,
        Pin::new(&mut connection),
        UpgradeableConnection::graceful_shutdown,
        || resting.rests(),
        pin!(tunnel.ended()),
    )
    .await;
    match (why, connection.into_parts()) {
        (Why::Quiet, Some(parts)) if parts.read_buf.is_empty() => parts.io.into_inner().into_inner(),
        _ => None,
    }
}

async fn http2<S>(tunnel: Arc<Tunnel>, stream: S, pulse: &Pulse)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let served = Arc::clone(&tunnel);
    let service = service_fn(move |request| {
        let (tunnel, busy) = (Arc::clone(&served), served.activity.begin());
        // Each stream is a task, which is moved before it runs.
        Box::pin(async move {
            let gate = Gate::default();
            Ok::<_, Infallible>(forward::answer(&tunnel, request, &gate, busy).await)
        })
    });
    let connection = h2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(64 * 1024)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 4)
        .max_send_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    serve_until_end(&tunnel, pulse, pin!(connection), h2::Connection::graceful_shutdown).await;
}

/// Serves until the client or the gateway ends the connection, or nothing happened for long, or `ended` says that it must end.
async fn serve_until_end<C: Future>(
    tunnel: &Tunnel,
    pulse: &Pulse,
    connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
) {
    let ended = pin!(tunnel.ended());
    let alive = Alive { activity: &tunnel.activity, pulse, idle_time: IDLE_TIME };
    drive(&tunnel.gateway, &alive, connection, shut_down, ended).await;
}

/// Settings of HTTP/1.1 towards agents, except what the guard in front of hyper limits itself.
pub(crate) fn http1_settings() -> h1::Builder {
    let mut settings = h1::Builder::new();
    // The guard in front has its own, stricter limits and clock.
    settings.timer(TokioTimer::new()).max_buf_size(128 * 1024).max_headers(HEAD_LINES);
    settings.header_read_timeout(None);
    settings
}

/// Whether a ClientHello is for this host. A ClientHello without a name counts as one: the request's own host is compared as
/// well.
pub(crate) fn is_for(hello: &ClientHello<'_>, host: &Host) -> bool {
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
const MOST_STREAMS: u32 = 128;
const WINDOW: u32 = 256 * 1024;
