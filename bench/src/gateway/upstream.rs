//! The upstreams: nginx, and a small server of our own for what nginx cannot do. Both answer 401 to a request without the header
//! that the proxies are to inject.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::SECRET;
use crate::common::http::{Head, head_end};
use crate::common::lab::Lab;

/// nginx on two ports; dropping it ends it.
pub(super) struct Nginx {
    process: Child,
    /// Speaks HTTP/1.1.
    pub(super) http1: u16,
    /// Speaks HTTP/2.
    pub(super) http2: u16,
}

impl Nginx {
    /// Starts it with the lab's certificate.
    ///
    /// # Errors
    /// If it does not come up.
    pub(super) fn start(lab: &Lab) -> Result<Self> {
        let (http1, http2) = (free_port()?, free_port()?);
        let place = lab.path("nginx");
        std::fs::create_dir_all(&place)?;
        let configuration = lab.write("nginx.conf", configuration(lab, http1, http2))?;
        let process = Command::new("nginx")
            .arg("-p")
            .arg(&place)
            .args(["-e", "stderr", "-c"])
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(lab.path("nginx.log"))?)
            .spawn()
            .context("nginx did not start")?;
        let mut nginx = Self { process, http1, http2 };
        let start = Instant::now();
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, http2)).is_err() {
            let said = std::fs::read_to_string(lab.path("nginx.log"))?;
            ensure!(nginx.process.try_wait()?.is_none(), "nginx ended:\n{said}");
            ensure!(start.elapsed() < Duration::from_secs(10), "nginx did not get ready:\n{said}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only if it is asked.
        let id = self.process.id().to_string();
        _ = Command::new("kill").args(["-TERM", &id]).status();
        _ = self.process.wait();
    }
}

fn configuration(lab: &Lab, http1: u16, http2: u16) -> String {
    let mut text = String::new();
    let lab_at = |name: &str| lab.path(name).display().to_string();
    // Workers of root's are somebody else's by default, who cannot read the lab.
    if nix::unistd::geteuid().is_root() {
        text.push_str("user root;\n");
    }
    _ = write!(
        text,
        "daemon off;\nworker_processes 2;\npid nginx.pid;\nworker_rlimit_nofile 16384;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n\
         access_log off;\n\
         client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\nuwsgi_temp_path uwsgi;\n\
         scgi_temp_path scgi;\n\
         keepalive_timeout 1h;\nkeepalive_requests 1000000000;\nhttp2_max_concurrent_streams 256;\n\
         ssl_certificate {};\nssl_certificate_key {};\nssl_protocols TLSv1.3;\n",
        lab_at("server.pem"),
        lab_at("server.key"),
    );
    for (port, words) in [(http1, "ssl backlog=4096"), (http2, "ssl http2 backlog=4096")] {
        _ = write!(
            text,
            "server {{\nlisten 127.0.0.1:{port} {words};\nroot {};\n\
             if ($http_authorization != \"Bearer {SECRET}\") {{ return 401; }}\n\
             location = /small {{ default_type application/json; return 200 '{{\"id\":42,\"name\":\"small\",\"ok\":true}}'; }}\n\
             }}\n",
            lab_at("files"),
        );
    }
    text.push_str("}\n");
    text
}

/// A port that nobody has. Somebody may take it before it is used; then the bench fails.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Writes `files/large`: so many MiB of JSON, a line each 200 bytes, an escaped quote each 100.
///
/// # Errors
/// If it cannot be written.
pub(super) fn large_file(lab: &Lab, mib: usize) -> Result<()> {
    let place = lab.path("files");
    std::fs::create_dir_all(&place)?;
    let mut file = BufWriter::new(File::create(place.join("large"))?);
    let block = text(1 << 20);
    for _ in 0..mib {
        file.write_all(&block)?;
    }
    Ok(file.flush()?)
}

/// So many bytes of text.
pub(super) fn text(length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 256);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = move |length: usize| -> String {
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Six bits of it, as base64 has them.
            char::from(BASE64[usize::from(state.to_be_bytes()[0] & 63)])
        })
        .take(length)
        .collect()
    };
    while text.len() < length {
        let line = format!("{{\"id\":\"{}\",\"said\":\"{} \\\"{}\"}}\n", word(40), word(60), word(70));
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(length);
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The small server, in threads of this process. It lasts as long as the program.
#[derive(Clone, Copy)]
pub(super) struct Own {
    pub(super) port: u16,
}

impl Own {
    /// Starts it with the lab's certificate.
    ///
    /// # Errors
    /// If it cannot listen.
    pub(super) fn start(lab: &Lab) -> Result<Self> {
        let tls = config(&lab.path("server.pem"), &lab.path("server.key"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let SocketAddr::V4(at) = listener.local_addr()? else { anyhow::bail!("not an address of IPv4") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || runtime.block_on(serve(listener, &tls)));
        Ok(Self { port: at.port() })
    }
}

fn config(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certificate)?],
            PrivateKeyDer::from_pem_file(key)?,
        )?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listener: TcpListener, tls: &TlsAcceptor) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let tls = tls.clone();
        tokio::spawn(async move { converse(tls.accept(stream).await?).await });
    }
}

/// Answers requests until the client has no more.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        buffer.clear();
        let end = loop {
            if let Some(end) = head_end(&buffer) {
                break end;
            }
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the client is gone");
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let authorized = head.lines().any(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("authorization") && value.trim() == format!("Bearer {SECRET}")
            })
        });
        ensure!(authorized, "a request without the header");
        if head.starts_with("GET /events/") {
            let wanted =
                head.split(['/', ' ']).nth(3).and_then(|count| count.parse().ok()).context("how many")?;
            events(&mut stream, wanted).await?;
            continue;
        }
        let length = Head::parse(format!("HTTP/1.1 200 {head}").as_bytes())?.length.unwrap_or(0);
        let mut left = length.saturating_sub(buffer.len() - end);
        while left > 0 {
            buffer.clear();
            let read = stream.read_buf(&mut buffer).await?;
            ensure!(read > 0, "the body broke off");
            left = left.saturating_sub(read);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?;
        stream.flush().await?;
    }
}

/// Sends so many events, the first at once. Each says when it was sent, by [`now`].
async fn events(stream: &mut (impl AsyncWrite + Unpin), wanted: u32) -> Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..wanted {
        let event = format!("data: {{\"sent\":{:020}}}\n\n", now());
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
        stream.flush().await?;
        tokio::time::sleep(BETWEEN).await;
    }
    stream.write_all(b"0\r\n\r\n").await?;
    Ok(stream.flush().await?)
}

/// Nanoseconds since the start of this program, by a clock that client and server share.
pub(super) fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Events are so far apart.
const BETWEEN: Duration = Duration::from_millis(4);
