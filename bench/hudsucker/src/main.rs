//! hudsucker with as little around it as can be: it puts one header into every request, and does nothing else.
//!
//! ```text
//! keyward-bench-hudsucker CA_CERTIFICATE CA_KEY HEADER VALUE     serves, and prints its address when it is ready
//! ```
//! Its authority signs for the hosts and is the one that upstreams are trusted by. All settings are hudsucker's own; TLS is by
//! ring, as in keyward.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::hyper::Request;
use hudsucker::hyper::header::{HeaderName, HeaderValue};
use hudsucker::rcgen::{Issuer, KeyPair};
use hudsucker::{Body, HttpContext, HttpHandler, Proxy, RequestOrResponse};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Inject {
    name: HeaderName,
    value: HeaderValue,
}

impl HttpHandler for Inject {
    async fn handle_request(&mut self, _: &HttpContext, mut request: Request<Body>) -> RequestOrResponse {
        request.headers_mut().insert(self.name.clone(), self.value.clone());
        request.into()
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, name, value] = words.as_slice() else {
        bail!("usage: see the top of bench/hudsucker/src/main.rs");
    };
    let certificate = std::fs::read_to_string(certificate).context("the authority's certificate")?;
    let key = KeyPair::from_pem(&std::fs::read_to_string(key).context("the authority's key")?)?;
    let issuer = Issuer::from_ca_cert_pem(&certificate, key)?;
    let authority = RcgenAuthority::new(issuer, 1_000, ring::default_provider());

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();

    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let at = listener.local_addr()?;
    let proxy = Proxy::builder()
        .with_listener(listener)
        .with_ca(authority)
        .with_http_connector(connector)
        .with_http_handler(Inject { name: name.parse()?, value: value.parse()? })
        .build()?;
    println!("listening on http://{at}");
    Ok(proxy.start().await?)
}
