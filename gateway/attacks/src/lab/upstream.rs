//! Upstreams that do what a test says, byte by byte, and write down every byte they were sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{HandshakeKind, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::lab::quiet::Quiet;
use crate::lab::record;

/// An authority that vouches for upstreams.
pub(crate) struct Lab(CertifiedIssuer<'static, KeyPair>);

impl Lab {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// TLS of a server with these names.
    pub(crate) fn server(&self, names: &[&str], alpn: &[&[u8]]) -> Arc<ServerConfig> {
        self.server_with(names, alpn, |_| ())
    }

    pub(crate) fn server_with(
        &self,
        names: &[&str],
        alpn: &[&[u8]],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) type Script = Arc<dyn Fn(Talk) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Makes a script of a closure.
pub(crate) fn script<F, T>(run: F) -> Script
where
    F: Fn(Talk) -> T + Send + Sync + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |talk| Box::pin(run(talk)))
}

/// The bytes that came over one connection.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    bytes: Vec<u8>,
    /// Whether the connection's TLS began with a ticket of an earlier one.
    pub(crate) resumed: bool,
}

impl Connection {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// One server on a port of its own.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    seen: Arc<Seen>,
}

struct Seen {
    bytes: watch::Sender<Vec<u8>>,
    each: Mutex<Vec<Connection>>,
    connections: watch::Sender<usize>,
    go: tokio::sync::Semaphore,
}

impl Seen {
    fn begin(&self, connection: Connection) -> usize {
        let mut each = self.each.lock().unwrap();
        each.push(connection);
        each.len() - 1
    }

    fn came(&self, number: usize, came: &[u8]) {
        self.each.lock().unwrap()[number].bytes.extend_from_slice(came);
        self.bytes.send_modify(|bytes| bytes.extend_from_slice(came));
    }
}

impl Upstream {
    /// Listens on loopback. Without `tls` it speaks plain HTTP.
    pub(crate) async fn start(tls: Option<Arc<ServerConfig>>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen {
            bytes: watch::Sender::default(),
            each: Mutex::default(),
            connections: watch::Sender::new(0),
            go: tokio::sync::Semaphore::new(0),
        });
        let own = Arc::clone(&seen);
        record::upstream(port, move || own.bytes.borrow().clone());
        let own = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                own.connections.send_modify(|count| *count += 1);
                let (tls, script, seen) = (tls.clone(), Arc::clone(&script), Arc::clone(&own));
                Quiet::spawn(async move {
                    let mut connection = Connection::default();
                    let io: Box<dyn Io> = match tls {
                        None => Box::new(stream),
                        Some(tls) => match TlsAcceptor::from(tls).accept(stream).await {
                            Ok(stream) => {
                                let kind = stream.get_ref().1.handshake_kind();
                                connection.resumed = kind == Some(HandshakeKind::Resumed);
                                Box::new(stream)
                            }
                            Err(_) => return,
                        },
                    };
                    let number = seen.begin(connection);
                    script(Talk { io, seen, number, ahead: Vec::new() }).await;
                });
            }
        });
        Self { port, seen }
    }

    /// Every byte that came, over all connections.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.seen.bytes.borrow().clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The bytes that came, by connection, in the order in which the connections were made.
    pub(crate) fn each(&self) -> Vec<Connection> {
        self.seen.each.lock().unwrap().clone()
    }

    /// Lets a script go on that waits for it.
    pub(crate) fn go_on(&self) {
        self.seen.go.add_permits(1);
    }

    /// Waits until these bytes came.
    pub(crate) async fn came(&self, end: &[u8]) {
        let mut bytes = self.seen.bytes.subscribe();
        bytes.wait_for(|bytes| bytes.windows(end.len()).any(|part| part == end)).await.unwrap();
    }

    /// Waits until so many connections were made.
    pub(crate) async fn connected(&self, count: usize) {
        self.seen.connections.subscribe().wait_for(|made| *made >= count).await.unwrap();
    }

    pub(crate) fn connections(&self) -> usize {
        *self.seen.connections.borrow()
    }
}

/// One connection, from the server's side.
pub(crate) struct Talk {
    pub(crate) io: Box<dyn Io>,
    seen: Arc<Seen>,
    number: usize,
    ahead: Vec<u8>,
}

impl Talk {
    /// The head of the next request. `None` if there is none.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|end| end == b"\r\n\r\n") {
                let rest = self.ahead.split_off(end + 4);
                let head = std::mem::replace(&mut self.ahead, rest);
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next so many bytes of a body.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count && self.more().await {}
        let rest = self.ahead.split_off(count.min(self.ahead.len()));
        std::mem::replace(&mut self.ahead, rest)
    }

    /// Takes so many bytes of a body that is not written down. How many there were.
    #[cfg(feature = "alone")]
    pub(crate) async fn take_unseen(&mut self, count: usize) -> usize {
        let rest = self.ahead.split_off(count.min(self.ahead.len()));
        let mut taken = std::mem::replace(&mut self.ahead, rest).len();
        let mut buf = vec![0; 64 * 1024];
        while taken < count {
            let most = buf.len().min(count - taken);
            match self.io.read(&mut buf[..most]).await {
                Ok(0) | Err(_) => break,
                Ok(read) => taken += read,
            }
        }
        taken
    }

    /// All bytes up to and with these.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|part| part == end) {
                return self.take(at + end.len()).await;
            }
            if !self.more().await {
                return std::mem::take(&mut self.ahead);
            }
        }
    }

    async fn more(&mut self) -> bool {
        let mut buf = vec![0; 16 * 1024];
        let count = self.io.read(&mut buf).await.unwrap_or(0);
        self.seen.came(self.number, &buf[..count]);
        self.ahead.extend_from_slice(&buf[..count]);
        count > 0
    }

    /// Waits until the test says so.
    pub(crate) async fn go_on(&mut self) {
        self.seen.go.acquire().await.unwrap().forget();
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.io.write_all(bytes.as_ref()).await;
        let _ = self.io.flush().await;
    }

    /// The connection, with every byte that comes written down.
    pub(crate) fn written_down(self) -> impl Io {
        let (seen, number) = (self.seen, self.number);
        WrittenDown::new(self.io, move |came| seen.came(number, came))
    }

    /// A plain answer.
    pub(crate) async fn answer(&mut self, status: &str, headers: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        self.say(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len())).await;
        self.say(body).await;
    }
}

/// A connection of which every byte that comes is written down.
pub(crate) struct WrittenDown<F> {
    io: Box<dyn Io>,
    write: F,
}

impl<F: FnMut(&[u8]) + Send + Unpin> WrittenDown<F> {
    pub(crate) fn new(io: Box<dyn Io>, write: F) -> Self {
        Self { io, write }
    }
}

impl<F: FnMut(&[u8]) + Unpin> AsyncRead for WrittenDown<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        (self.write)(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<F: Unpin> AsyncWrite for WrittenDown<F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Answers each request with its own head.
pub(crate) fn echo() -> Script {
    script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = head.clone().into_bytes();
            if head.to_lowercase().contains("transfer-encoding: chunked") {
                body.extend(talk.until(b"0\r\n\r\n").await);
            } else {
                body.extend(talk.take(length.unwrap_or(0)).await);
            }
            talk.answer("200 OK", "Content-Type: text/plain\r\n", body).await;
        }
    })
}

/// Says one event, and nothing more.
pub(crate) fn silent() -> Script {
    script(|mut talk| async move {
        talk.head().await;
        talk.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n").await;
        talk.head().await;
    })
}

/// A pause that is longer than any time limit after which a scrubber might let go of held bytes.
pub(crate) const PAUSE: Duration = Duration::from_millis(150);

/// Answers each request with the same bytes.
pub(crate) fn fixed(answer: impl Into<Vec<u8>>) -> Script {
    let answer = Arc::new(answer.into());
    script(move |mut talk| {
        let answer = Arc::clone(&answer);
        async move {
            while talk.head().await.is_some() {
                talk.say(&*answer).await;
            }
        }
    })
}
