//! Connections: accepted, secured, limited, drained.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::connections::Connections;
use crate::http::{self, Peer, Server, origin};
use crate::metrics::Metrics;
use crate::{clock, retention, watch};

/// Serves the metrics at `/metrics`, and nothing else, for as long as the program runs.
pub fn serve_metrics(listener: TcpListener, app: &App) {
    tokio::spawn(crate::metrics::serve(listener, app.metrics().clone()));
}

/// Serves until `shutdown` is done, then lets running requests end for 10 seconds, then closes the database.
///
/// # Errors
/// None while it is running: if a connection fails, only that connection ends.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
    let router = http::router(&Server { app: app.clone(), loopback });
    let (graceful, room) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let connections = Connections::default();
    let sweeping = tokio::spawn(retention::keep_sweeping(app.clone()));
    let looking = tokio::spawn(watch::keep_looking(app.store().clone(), app.watch().clone()));
    let comparing = tokio::spawn(clock::keep_comparing(app.store().clone()));
    tokio::pin!(shutdown);
    loop {
        // Waits for room first: clients that cannot be served wait in the kernel's queue.
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit.expect("the semaphore is never closed"),
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        // A trusted proxy speaks for many clients, so the limit of one address does not apply to it.
        let proxy = origin::is_trusted(peer.ip(), app.trusted_proxies());
        let place = if proxy { None } else { connections.enter(peer.ip()) };
        if place.is_none() && !proxy {
            tracing::debug!("an address has too many connections");
            continue;
        }
        let (router, tls, watcher) = (router.clone(), app.tls().map(TlsAcceptor::from), graceful.watcher());
        let metrics = app.metrics().clone();
        tokio::spawn(async move {
            connection(stream, peer, tls, (router, metrics), watcher).await;
            drop((permit, place));
        });
    }
    drop(listener);
    sweeping.abort();
    looking.abort();
    comparing.abort();
    app.watch().close();
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests had not ended after {} s", DRAIN.as_secs());
    }
    if tokio::time::timeout(DRAIN, app.store().close()).await.is_err() {
        tracing::warn!("the database was still busy");
    }
    Ok(())
}

/// Waits a moment if file descriptors or the like are short: trying again at once would only spin.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        tracing::warn!(kind = %error.kind(), "a connection could not be accepted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    (router, metrics): (axum::Router, Metrics),
    watcher: Watcher,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(kind = %error.kind(), "TCP_NODELAY");
    }
    if let Err(error) = limit_waiting(&stream) {
        tracing::debug!(kind = %error.kind(), "TCP_USER_TIMEOUT");
    }
    let _connected = metrics.connected();
    let Some(tls) = tls else { return requests(stream, peer, router, metrics, watcher).await };
    if let Ok(Ok(stream)) = tokio::time::timeout(HEADER_TIME, tls.accept(stream)).await {
        requests(stream, peer, router, metrics, watcher).await;
    } else {
        tracing::debug!("a TLS handshake failed");
    }
}

/// Has the system end the connection if the other side takes nothing of what it is sent for [`TAKE_TIME`] (RFC 5482): hyper
/// waits for it without a limit.
#[cfg(target_os = "linux")]
fn limit_waiting(stream: &TcpStream) -> io::Result<()> {
    let time = u32::try_from(TAKE_TIME.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(stream, time)?)
}

#[cfg(not(target_os = "linux"))]
fn limit_waiting(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: axum::Router,
    metrics: Metrics,
    watcher: Watcher,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let (router, metrics) = (router.clone(), metrics.clone());
        async move { Ok::<_, Infallible>(http::answer(router, &metrics, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_header_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(timeout = error.is_timeout(), parse = error.is_parse(), "a connection ended early");
    }
}

/// Time within which a request's head, or a TLS handshake, must have arrived.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// Time within which the other side must take something of what it is sent.
#[cfg(target_os = "linux")]
const TAKE_TIME: Duration = Duration::from_secs(20);

/// Largest head of a request, in bytes.
const HEADER_BYTES: usize = 32 * 1024;

/// The most header lines of a request.
const HEADERS: usize = 64;

/// The most connections at once.
const CONNECTIONS: usize = 4096;

/// How long running requests may take after a shutdown began.
const DRAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::testing::TestServer;

    #[tokio::test]
    async fn one_address_cannot_hold_every_connection() {
        assert!(!answers_after_256(|_| {}).await);
        let trusted = ["127.0.0.0/8".parse().unwrap()];
        assert!(answers_after_256(|config| config.trusted_proxies = trusted.into()).await);
    }

    #[tokio::test]
    async fn who_takes_nothing_of_the_answers_is_let_go() {
        let server = TestServer::start().await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, server.app.clone(), std::future::pending()));
        let mut client = TcpStream::connect(address).await.unwrap();
        // More than the system keeps for a client that reads nothing.
        let asked = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
        client.write_all(&asked).await.unwrap();
        let reset = async {
            while client.take_error().unwrap().is_none() && client.write(b"G").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(TAKE_TIME * 3, reset).await.expect("it is let go");
        serving.abort();
    }

    /// Whether one more is answered while 256 idle ones of the same address are open; they end within [`HEADER_TIME`].
    async fn answers_after_256(change: impl FnOnce(&mut crate::config::Config)) -> bool {
        let server = TestServer::start_with(change).await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, server.app.clone(), std::future::pending()));
        let mut idle = Vec::new();
        for _ in 0..256 {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        let mut answer = Vec::new();
        let mut last = TcpStream::connect(address).await.unwrap();
        // Either may fail: the other end is closed already.
        let _ = last.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let _ = last.read_to_end(&mut answer).await;
        serving.abort();
        answer.starts_with(b"HTTP/1.1 200")
    }
}
