//! The way to an upstream: resolve, judge every address, connect to one that was judged, and have it prove its name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use keyward_wire::rule::{Authority, Host};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::is_public;
use crate::config::{Config, UpstreamProxy};
use crate::refuse::Code;

/// Connects. One per gateway; it holds nothing of any agent.
pub(crate) struct Dialer {
    allow_private: Vec<Authority>,
    resolve: Vec<(Authority, IpAddr)>,
    own: Vec<SocketAddr>,
    proxy: Option<UpstreamProxy>,
    tls: Arc<ClientConfig>,
}

/// How one agent speaks TLS to upstreams: no session ticket is ever used for two agents.
pub(crate) struct AgentTls {
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
}

/// Which versions of HTTP may be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/2, else HTTP/1.1.
    Any,
    /// HTTP/1.1: what WebSocket begins with.
    Http1,
}

impl Dialer {
    pub(crate) fn new(config: &mut Config) -> Result<Self, rustls::Error> {
        let roots = std::mem::replace(&mut config.roots, rustls::RootCertStore::empty());
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            allow_private: std::mem::take(&mut config.allow_private),
            resolve: std::mem::take(&mut config.resolve),
            own: std::mem::take(&mut config.own),
            proxy: config.upstream_proxy.take(),
            tls: Arc::new(tls),
        })
    }

    /// TLS settings of a new agent.
    pub(crate) fn agent_tls(&self) -> AgentTls {
        let with = |protocols: &[&[u8]]| {
            let mut config = ClientConfig::clone(&self.tls);
            config.resumption = Resumption::in_memory_sessions(64);
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        };
        AgentTls { any: with(&[b"h2", b"http/1.1"]), http1: with(&[b"http/1.1"]) }
    }

    /// A connection to `to` over which nothing was sent yet.
    pub(crate) async fn tcp(&self, to: &Authority) -> Result<TcpStream, Code> {
        match &self.proxy {
            Some(proxy) => self.through(proxy, to).await,
            None => connect(&self.addresses(to).await?).await,
        }
    }

    /// A connection to `to`, which proved its name. Nothing but its ClientHello reached whoever could not.
    pub(crate) async fn tls(
        &self,
        to: &Authority,
        agent: &AgentTls,
        offer: Offer,
    ) -> Result<TlsStream<TcpStream>, Code> {
        let name = match &to.host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Code::TlsFailed)?,
            Host::V4(address) => ServerName::from(IpAddr::from(*address)),
            Host::V6(address) => ServerName::from(IpAddr::from(*address)),
        };
        let stream = self.tcp(to).await?;
        let config = match offer {
            Offer::Any => &agent.any,
            Offer::Http1 => &agent.http1,
        };
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        match timeout(HANDSHAKE_TIME, handshake).await {
            Ok(stream) => stream.map_err(|_| Code::TlsFailed),
            Err(_) => Err(Code::UpstreamTimeout),
        }
    }

    /// All addresses of a host. One that is refused refuses the host: whoever answers for its name may answer differently the
    /// next time.
    async fn addresses(&self, to: &Authority) -> Result<Vec<SocketAddr>, Code> {
        let addresses = match &to.host {
            Host::V4(address) => vec![SocketAddr::from((*address, to.port))],
            Host::V6(address) => vec![SocketAddr::from((*address, to.port))],
            Host::Name(name) => self.look_up(name, to).await?,
        };
        if addresses.is_empty() {
            return Err(Code::DnsFailed);
        }
        if addresses.iter().all(|address| self.may_reach(to, *address)) {
            Ok(addresses)
        } else {
            Err(Code::AddressRefused)
        }
    }

    async fn look_up(&self, name: &str, to: &Authority) -> Result<Vec<SocketAddr>, Code> {
        let fixed: Vec<SocketAddr> = self
            .resolve
            .iter()
            .filter(|(from, _)| from == to)
            .map(|(_, address)| SocketAddr::new(*address, to.port))
            .collect();
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        // The final dot keeps search domains of the resolver's configuration from being tried.
        let absolute = if name.contains('.') { format!("{name}.") } else { name.to_owned() };
        match timeout(RESOLVE_TIME, lookup_host((absolute, to.port))).await {
            Ok(Ok(addresses)) => Ok(addresses.collect()),
            Ok(Err(_)) | Err(_) => Err(Code::DnsFailed),
        }
    }

    fn may_reach(&self, to: &Authority, address: SocketAddr) -> bool {
        if self.own.iter().any(|own| is_same_socket(*own, address)) {
            return false;
        }
        let ip = address.ip().to_canonical();
        is_public(ip)
            || (self.allow_private.contains(to) && !ip.is_unspecified() && !ip.is_multicast())
            || self.allow_private.iter().any(|allowed| {
                let literal = match &allowed.host {
                    Host::V4(host) => IpAddr::from(*host),
                    Host::V6(host) => IpAddr::from(*host),
                    Host::Name(_) => return false,
                };
                allowed.port == address.port() && literal == ip
            })
    }

    /// Through the proxy that the gateway itself must use. That resolves the name; what it may reach is its operator's to say.
    async fn through(&self, proxy: &UpstreamProxy, to: &Authority) -> Result<TcpStream, Code> {
        let literal = match &to.host {
            Host::V4(address) => Some(IpAddr::from(*address)),
            Host::V6(address) => Some(IpAddr::from(*address)),
            Host::Name(_) => None,
        };
        if literal.is_some_and(|ip| !self.may_reach(to, SocketAddr::new(ip, to.port))) {
            return Err(Code::AddressRefused);
        }
        let addresses = match &proxy.at.host {
            Host::V4(address) => vec![SocketAddr::from((*address, proxy.at.port))],
            Host::V6(address) => vec![SocketAddr::from((*address, proxy.at.port))],
            Host::Name(name) => {
                match timeout(RESOLVE_TIME, lookup_host((name.as_str(), proxy.at.port))).await {
                    Ok(Ok(addresses)) => addresses.collect(),
                    Ok(Err(_)) | Err(_) => return Err(Code::DnsFailed),
                }
            }
        };
        let mut stream = connect(&addresses).await?;
        match timeout(HANDSHAKE_TIME, ask(&mut stream, proxy, to)).await {
            Ok(Ok(200)) => Ok(stream),
            Ok(Ok(_) | Err(_)) => Err(Code::ConnectRefused),
            Err(_) => Err(Code::UpstreamTimeout),
        }
    }
}

/// Tries one after the other.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Code> {
    let mut failed = Code::ConnectRefused;
    for address in addresses.iter().take(MOST_ADDRESSES) {
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it, small writes wait for the answer to the one before.
                stream.set_nodelay(true).map_err(|_| Code::ConnectRefused)?;
                return Ok(stream);
            }
            Ok(Err(_)) => failed = Code::ConnectRefused,
            Err(_) => failed = Code::UpstreamTimeout,
        }
    }
    Err(failed)
}

/// `CONNECT`, and the status of the answer. Byte by byte: what follows the head is the upstream's.
async fn ask(stream: &mut TcpStream, proxy: &UpstreamProxy, to: &Authority) -> io::Result<u16> {
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.push_str("Proxy-Authorization: ");
        request.push_str(authorization);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let request = zeroize::Zeroizing::new(request);
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MOST_PROXY_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    let status = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "));
    let status = status.and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Whether a connection to `address` would end at `own`.
fn is_same_socket(own: SocketAddr, address: SocketAddr) -> bool {
    let (mine, theirs) = (own.ip().to_canonical(), address.ip().to_canonical());
    let is_here = theirs.is_loopback() || theirs.is_unspecified();
    let same = mine == theirs || (is_here && (mine.is_loopback() || mine.is_unspecified()));
    // A listener on all addresses is at every private one that this machine may have.
    own.port() == address.port() && (same || (mine.is_unspecified() && !is_public(theirs)))
}

const RESOLVE_TIME: Duration = Duration::from_secs(10);
const CONNECT_TIME: Duration = Duration::from_secs(10);
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
const MOST_ADDRESSES: usize = 4;
const MOST_PROXY_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn dialer(allow: &[&str], resolve: &[(&str, &str)], own: &[&str]) -> Dialer {
        let authority = |text: &str| Authority::parse(text, 443).unwrap();
        let mut config = Config {
            egress: crate::config::Egress::Deny,
            allow_private: allow.iter().map(|text| authority(text)).collect(),
            resolve: resolve.iter().map(|(from, to)| (authority(from), to.parse().unwrap())).collect(),
            own: own.iter().map(|text| text.parse().unwrap()).collect(),
            roots: rustls::RootCertStore::empty(),
            upstream_proxy: None,
            console: None,
            provider: |_| None,
            clock: || std::time::SystemTime::UNIX_EPOCH,
        };
        Dialer::new(&mut config).unwrap()
    }

    async fn addresses(dialer: &Dialer, to: &str) -> Result<Vec<String>, Code> {
        let found = dialer.addresses(&Authority::parse(to, 443).unwrap()).await?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn n4_one_bad_address_refuses_the_name() {
        let dialer = dialer(
            &[],
            &[
                ("mixed.test", "8.8.8.8"),
                ("mixed.test", "10.0.0.1"),
                ("six.test", "8.8.8.8"),
                ("six.test", "::1"),
                ("good.test", "8.8.8.8"),
            ],
            &[],
        );
        assert_eq!(addresses(&dialer, "mixed.test").await, Err(Code::AddressRefused));
        assert_eq!(addresses(&dialer, "six.test").await, Err(Code::AddressRefused));
        assert_eq!(addresses(&dialer, "good.test").await.unwrap(), ["8.8.8.8:443"]);
    }

    #[tokio::test]
    async fn n8_an_allowed_private_address_is_one_host_and_one_port() {
        let dialer = dialer(
            &["10.0.0.5:8123", "a.test:443"],
            &[("a.test", "10.9.9.9"), ("b.test", "10.9.9.9"), ("c.test:8123", "10.0.0.5")],
            &[],
        );
        assert!(addresses(&dialer, "10.0.0.5:8123").await.is_ok());
        assert!(addresses(&dialer, "c.test:8123").await.is_ok(), "the address was allowed by itself");
        assert!(addresses(&dialer, "a.test").await.is_ok());
        for other in ["10.0.0.5:22", "10.0.0.6:8123", "b.test", "127.0.0.1:8123", "[::1]:8123"] {
            assert_eq!(addresses(&dialer, other).await, Err(Code::AddressRefused), "{other}");
        }
    }

    #[tokio::test]
    async fn n5_the_gateways_own_ports_are_refused_even_if_they_are_allowed() {
        let own = ["127.0.0.1:8421", "0.0.0.0:8422"];
        let allow = ["127.0.0.1:8421", "[::1]:8421", "10.0.0.1:8422", "127.0.0.1:8423"];
        let dialer = dialer(&allow, &[], &own);
        for to in ["127.0.0.1:8421", "[::1]:8421", "10.0.0.1:8422"] {
            assert_eq!(addresses(&dialer, to).await, Err(Code::AddressRefused), "{to}");
        }
        assert!(addresses(&dialer, "127.0.0.1:8423").await.is_ok());
    }
}
