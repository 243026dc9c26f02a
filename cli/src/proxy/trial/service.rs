//! A service over TLS that notes who came, and answers everybody with something.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_gateway::Ca;
use keyward_wire::rule::Host;
use rustls::{ServerConnection, StreamOwned};
use zeroize::Zeroizing;

use crate::proxy::now;

/// The trial's service, which ends with the process.
pub(super) struct Service {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Zeroizing<String>>>>,
}

impl Service {
    pub(super) fn start(authority: &Ca, name: &str) -> anyhow::Result<Self> {
        let host = Host::parse(name).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let mut tls = (*authority.server_config(&host, now())?).clone();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tls = Arc::new(tls);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::default());
        let own = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (Ok(tls), seen) = (ServerConnection::new(Arc::clone(&tls)), Arc::clone(&own)) else {
                    return;
                };
                std::thread::spawn(move || serve(StreamOwned::new(tls, stream), &seen));
            }
        });
        Ok(Self { port, seen })
    }

    /// Whether a request below `path` came with this bearer.
    pub(super) fn has_seen(&self, path: &str, bearer: &str) -> bool {
        let line = Zeroizing::new(format!("\r\nauthorization: Bearer {bearer}\r\n"));
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().any(|head| {
            let below =
                head.split(' ').nth(1).and_then(|target| target.strip_prefix('/')?.strip_prefix(path));
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
                && head.contains(line.as_str())
        })
    }
}

fn serve(stream: StreamOwned<ServerConnection, TcpStream>, seen: &Mutex<Vec<Zeroizing<String>>>) {
    let _ = stream.sock.set_read_timeout(Some(PATIENCE));
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Zeroizing::new(String::new());
        while !head.ends_with("\r\n\r\n") {
            if head.len() > LONGEST || stream.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let (kind, body) = answer(&head);
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        let own = stream.get_mut();
        if own.write_all(head.as_bytes()).and_then(|()| own.write_all(body)).is_err() {
            return;
        }
    }
}

/// The answer that git expects of a server, or a plain one.
fn answer(head: &str) -> (&'static str, &'static [u8]) {
    if head.contains("/info/refs?service=git-upload-pack") {
        return ("application/x-git-upload-pack-advertisement", GIT);
    }
    ("application/json", b"{}\n")
}

/// A repository with one branch.
const GIT: &[u8] =
    b"001e# service=git-upload-pack\n0000003d1111111111111111111111111111111111111111 refs/heads/main\n0000";
const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST: usize = 64 * 1024;
