//! What forwarding costs at the least with the parts that keyward's gateway is made of: a bare proxy of hyper and rustls, for
//! comparison.
//!
//! ```text
//! keyward-bench-forward CA_CERTIFICATE CERTIFICATE KEY HEADER VALUE     serves, and prints its address when it is ready
//! ```
//! It looks into every `CONNECT` with the one certificate that it has, and puts one header into every request. A tunnel's first
//! request takes an upstream connection that an ended tunnel left behind; from then on it is the tunnel's own. It asks nobody
//! who he is, judges nothing, writes no log, and looks through no answer.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| runtime.block_on(run()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(std::io::stderr(), "keyward-bench-forward: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [ca, certificate, key, name, value] = words.as_slice() else {
        bail!("usage: see the top of bench/src/bin/forward.rs");
    };
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let to = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let from = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certificate)?],
            PrivateKeyDer::from_pem_file(key)?,
        )?;
    let forward = Arc::new(Forward {
        header: (name.parse()?, value.parse()?),
        from: TlsAcceptor::from(Arc::new(from)),
        to: TlsConnector::from(Arc::new(to)),
        left: Mutex::default(),
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let forward = Arc::clone(&forward);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let granted = forward.connect(request);
                async move { Ok::<_, Infallible>(granted) }
            });
            // A client that goes away ends its connection only.
            _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

struct Forward {
    header: (HeaderName, HeaderValue),
    from: TlsAcceptor,
    to: TlsConnector,
    /// Connections that ended tunnels left behind.
    left: Mutex<Vec<SendRequest<Incoming>>>,
}

type Body = Either<Incoming, String>;

impl Forward {
    fn connect(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let port = request.uri().port_u16().filter(|_| request.method() == Method::CONNECT);
        let Some(port) = port else { return refused(StatusCode::METHOD_NOT_ALLOWED) };
        let forward = Arc::clone(self);
        tokio::spawn(async move { forward.tunnel(request, port).await });
        Response::new(Either::Right(String::new()))
    }

    async fn tunnel(self: Arc<Self>, request: Request<Incoming>, port: u16) -> Result<()> {
        let stream = self.from.accept(TokioIo::new(hyper::upgrade::on(request).await?)).await?;
        let upstream = Arc::new(tokio::sync::Mutex::new(self.lock().pop()));
        let (own, forward) = (Arc::clone(&upstream), Arc::clone(&self));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (forward, upstream) = (Arc::clone(&forward), Arc::clone(&own));
            async move {
                let (name, value) = &forward.header;
                request.headers_mut().insert(name, value.clone());
                let mut upstream = upstream.lock().await;
                let answer = forward.send(&mut upstream, request, port).await;
                Ok::<_, Infallible>(answer.unwrap_or_else(|_| refused(StatusCode::BAD_GATEWAY)))
            }
        });
        let ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        if let Some(upstream) = upstream.lock().await.take() {
            self.lock().push(upstream);
        }
        Ok(ended?)
    }

    async fn send(
        &self,
        upstream: &mut Option<SendRequest<Incoming>>,
        request: Request<Incoming>,
        port: u16,
    ) -> Result<Response<Body>> {
        let mut sender = match upstream.take() {
            Some(sender) => sender,
            None => self.dial(port).await?,
        };
        if sender.ready().await.is_err() {
            sender = self.dial(port).await?;
        }
        let answer = sender.send_request(request).await?;
        *upstream = Some(sender);
        Ok(answer.map(Either::Left))
    }

    async fn dial(&self, port: u16) -> Result<SendRequest<Incoming>> {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        stream.set_nodelay(true)?;
        let stream = self.to.connect(ServerName::try_from("localhost")?, stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Incoming>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Either::Right(String::new()));
    *answer.status_mut() = status;
    answer
}
