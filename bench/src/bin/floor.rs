//! The minimal client, as whole processes: what the machine can do at best, for comparison.
//!
//! ```text
//! keyward-bench-floor hello                                      starts and ends
//! keyward-bench-floor get HOST:PORT CA_FILE TARGET [AUTH_FILE]   one TLS handshake, one GET, its body read
//! keyward-bench-floor stretch                                    one password stretched as a sign-in does
//! ```
//! Threads, an async runtime, an HTTP library, a command line parser, a configuration: none of them.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use keyward_crypto::{Password, derive_password, new_id};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["hello"] => Ok(()),
        ["get", address, ca, target] => get(address, ca, target, None),
        ["get", address, ca, target, authorization] => get(address, ca, target, Some(authorization)),
        ["stretch"] => stretch(),
        _ => Err(anyhow::anyhow!("usage: see the top of bench/src/bin/floor.rs")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(std::io::stderr(), "keyward-bench-floor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn get(address: &str, ca: &str, target: &str, authorization: Option<&str>) -> Result<()> {
    let address: SocketAddr = address.parse().context("HOST:PORT")?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&std::fs::read(ca)?).context("no certificate")?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    let connection = ClientConnection::new(Arc::new(config), name)?;
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut stream = StreamOwned::new(connection, socket);
    let authorization = match authorization {
        Some(file) => format!("authorization: {}\r\n", std::fs::read_to_string(file)?.trim()),
        None => String::new(),
    };
    let request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes())?;
    read_answer(&mut stream)
}

/// Head and whole body of a 200 with a length; the connection's end is not waited for.
fn read_answer(stream: &mut impl std::io::Read) -> Result<()> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the connection ended in the middle of the answer");
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(bytes.get(..head).unwrap_or_default())?.to_ascii_lowercase();
        ensure!(text.starts_with("http/1.1 200 "), "not a 200: {}", text.lines().next().unwrap_or_default());
        let Some(length) = text.lines().find_map(|line| line.strip_prefix("content-length: ")) else {
            bail!("no length in {text}");
        };
        let mut rest = vec![0; (head + 4 + length.trim().parse::<usize>()?).saturating_sub(bytes.len())];
        stream.read_exact(&mut rest)?;
        bytes.extend_from_slice(&rest);
        std::hint::black_box(&bytes);
        return Ok(());
    }
}

fn stretch() -> Result<()> {
    let password = Password::entered("canary-tulip-gravel-mosaic-lantern-orbit");
    let email = "olga@bench.example".parse().ok().context("an address")?;
    std::hint::black_box(derive_password(
        &password,
        &email,
        new_id(),
        &keyward_wire::Salt::from_bytes([7; 16]),
    ));
    Ok(())
}
