//! An agent that sends what a test says, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;

use data_encoding::BASE64;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::lab::record;
use crate::lab::upstream::{Io, WrittenDown};

/// A connection, from the agent's side.
pub(crate) struct Agent {
    io: Box<dyn Io>,
    ahead: Vec<u8>,
    /// All bytes that came. `None` if they are too many to be kept.
    heard: Option<record::Bytes>,
}

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The word of a refusal.
    pub(crate) fn error(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) fn basic(credential: &str) -> String {
    format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(format!("agent:{credential}").as_bytes()))
}

/// TLS settings of a client that trusts `root`.
pub(crate) fn trusting(root: &CertificateDer<'static>, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

impl Agent {
    pub(crate) async fn dial(gateway: SocketAddr) -> Self {
        let stream = TcpStream::connect(gateway).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::of(stream)
    }

    pub(crate) fn of(io: impl Io + 'static) -> Self {
        Self { io: Box::new(io), ahead: Vec::new(), heard: Some(record::ear("an agent")) }
    }

    /// Stops keeping what the agent hears: it is too much, and is searched by whoever reads it.
    pub(crate) fn forgets(&mut self) {
        self.heard = None;
    }

    /// The connection, for a library that speaks over it. What it hears is kept.
    pub(crate) fn into_io(self) -> impl Io {
        let heard = record::ear("an agent");
        WrittenDown::new(self.io, move |bytes| heard.lock().unwrap().extend_from_slice(bytes))
    }

    /// Asks for a tunnel.
    pub(crate) async fn connect(&mut self, to: &str, credential: &str) -> Answer {
        self.say(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{}\r\n", basic(credential))).await;
        self.answer_to("CONNECT").await.unwrap()
    }

    /// Speaks TLS from now on.
    pub(crate) async fn tls(self, name: &str, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TlsConnector::from(config).connect(name, self.io).await?;
        Ok(Self { io: Box::new(stream), ahead: Vec::new(), heard: self.heard })
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.io.write_all(bytes.as_ref()).await;
        let _ = self.io.flush().await;
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.say(request).await;
        self.answer().await.expect("there is an answer")
    }

    pub(crate) async fn get(&mut self, host: &str, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await
    }

    /// The placeholder of the key that an upstream which echoes puts into an answer: a bearer token, as the agent is shown it.
    pub(crate) async fn placeholder(&mut self, host: &str, path: &str) -> String {
        let text = self.get(host, path).await.text();
        let shown = text.split("Bearer ").nth(1).unwrap_or_else(|| panic!("{text}"));
        shown.lines().next().unwrap().to_owned()
    }

    /// The number of bytes that came, at least `least`, when nothing more comes. No other case runs meanwhile, so what is under
    /// way arrives.
    pub(crate) async fn all_there_is(&mut self, least: usize) -> usize {
        let mut quiet = 0;
        while self.ahead.len() < least || quiet < 200 {
            tokio::select! {
                biased;
                more = self.more() => {
                    assert!(more, "the connection ended");
                    quiet = 0;
                }
                () = tokio::task::yield_now() => quiet += 1,
            }
        }
        self.ahead.len()
    }

    /// The next answer. `None` if the connection ended before the answer was whole.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let answer = self.read_answer(method).await?;
        if self.heard.is_some() {
            record::heard_body(answer.header("content-encoding"), &answer.body);
        }
        Some(answer)
    }

    async fn read_answer(&mut self, method: &str) -> Option<Answer> {
        let head = loop {
            let head = String::from_utf8(self.until(b"\r\n\r\n").await?).unwrap();
            if !head.starts_with("HTTP/1.1 100 ") {
                break head;
            }
        };
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Answer { status, head, body: Vec::new() };
        if method == "HEAD"
            || status == 204
            || status == 304
            || status == 101
            || (method == "CONNECT" && status == 200)
        {
            return Some(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            loop {
                let line = String::from_utf8(self.until(b"\r\n").await?).unwrap();
                let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
                if size == 0 {
                    loop {
                        let line = self.until(b"\r\n").await?;
                        if line == b"\r\n" {
                            return Some(answer);
                        }
                        answer.head.push_str(&String::from_utf8(line).unwrap());
                    }
                }
                answer.body.extend(self.take(size).await?);
                self.take(2).await?;
            }
        }
        match answer.header("content-length") {
            Some(length) => {
                let length = length.parse().unwrap();
                answer.body = self.take(length).await?;
            }
            None => answer.body = self.rest().await,
        }
        Some(answer)
    }

    pub(crate) async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            if !self.more().await {
                return None;
            }
        }
        let rest = self.ahead.split_off(count);
        Some(std::mem::replace(&mut self.ahead, rest))
    }

    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|part| part == end) {
                return self.take(at + end.len()).await;
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// All bytes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.ahead)
    }

    async fn more(&mut self) -> bool {
        let mut buf = vec![0; 16 * 1024];
        let count = self.io.read(&mut buf).await.unwrap_or(0);
        self.ahead.extend_from_slice(&buf[..count]);
        if let Some(heard) = &self.heard {
            heard.lock().unwrap().extend_from_slice(&buf[..count]);
        }
        count > 0
    }
}
