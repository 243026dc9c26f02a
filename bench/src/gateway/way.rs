//! A way to the upstream: directly, or through one of the proxies.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::common::http::{Head, answer, head_end};

/// A way to the upstream that is measured.
#[derive(Clone)]
pub(super) struct Way {
    /// The name of the way in the tables.
    pub(super) name: &'static str,
    /// The proxy. `None` if the way is direct.
    pub(super) proxy: Option<SocketAddr>,
    /// `Proxy-Authorization: …`, ended, if it asks for that.
    pub(super) credential: String,
    /// The proxy's process, whose CPU time and memory count.
    pub(super) process: Option<u32>,
    /// What the client sends itself, because nobody puts it in: a header line, ended.
    pub(super) header: String,
    /// Trusts the upstream, or the proxy.
    pub(super) tls: Arc<ClientConfig>,
}

/// A connection to the upstream, over which HTTP/1.1 is spoken.
pub(super) struct Line {
    pub(super) stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Way {
    /// A client that trusts the authority in this file, and begins every handshake anew.
    ///
    /// # Errors
    /// If there is none in it.
    pub(super) fn trusting(ca: &std::path::Path, protocol: &[u8]) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).with_context(|| format!("{}", ca.display()))?)?;
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// TLS with `localhost:port`, through the proxy if it is one.
    ///
    /// # Errors
    /// If that is refused.
    pub(super) async fn open(&self, port: u16) -> Result<Line> {
        let to = self.proxy.unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)));
        let mut stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        if self.proxy.is_some() {
            let credential = &self.credential;
            let connect =
                format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n{credential}\r\n");
            stream.write_all(connect.as_bytes()).await?;
            let mut head = Vec::with_capacity(1024);
            while head_end(&head).is_none() {
                ensure!(stream.read_buf(&mut head).await? > 0, "{}: closed after CONNECT", self.name);
            }
            let status = Head::parse(&head)?.status;
            ensure!(status == 200, "{}: CONNECT: {}", self.name, String::from_utf8_lossy(&head));
        }
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
        Ok(Line { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// The bytes of a `GET`.
    pub(super) fn get(&self, port: u16, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: */*\r\n{}\r\n", self.header)
            .into_bytes()
    }
}

impl Line {
    /// Sends a request and reads the answer, which is a 200: the upstream says 401 where the header did not arrive.
    ///
    /// # Errors
    /// If it is another, or none.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.answered().await
    }

    /// Reads the answer to a request that was sent.
    ///
    /// # Errors
    /// If it is not a 200.
    pub(super) async fn answered(&mut self) -> Result<()> {
        let status = answer(&mut self.stream, &mut self.buffer).await?;
        ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(&self.buffer));
        Ok(())
    }
}
