//! The way to an upstream: resolve its name, judge every address, connect to one that was judged, and have it prove its name.

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
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::{is_by_literal_only, is_public};
use crate::config::{Config, Resolver, UpstreamProxy};
use crate::limits::{Share, both};
use crate::pulse::{Pulse, PulseStream};
use crate::refuse::Code;

/// Makes connections to upstreams. One per gateway; it holds nothing of any agent.
pub(crate) struct Dialer {
    allow_private: Vec<Authority>,
    resolve: Vec<(Authority, IpAddr)>,
    own: Vec<SocketAddr>,
    proxy: Option<UpstreamProxy>,
    tls: Arc<ClientConfig>,
    /// The limits that all agents share.
    share: Arc<Share>,
    resolver: Arc<Resolver>,
}

/// A connection to an upstream.
pub(crate) type Socket = PulseStream<TcpStream, [OwnedSemaphorePermit; 2]>;

/// How one agent speaks TLS to upstreams: no session ticket is ever used for two agents.
pub(crate) struct AgentTls {
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
}

/// The versions of HTTP that may be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/2, or else HTTP/1.1.
    Any,
    /// HTTP/1.1 only, with which WebSocket begins.
    Http1,
}

impl Dialer {
    pub(crate) fn new(config: &mut Config, share: Arc<Share>) -> Result<Self, rustls::Error> {
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
            share,
            resolver: Arc::clone(&config.resolver),
        })
    }

    /// TLS settings for a new agent.
    pub(crate) fn agent_tls(&self) -> AgentTls {
        let with = |protocols: &[&[u8]]| {
            let mut config = ClientConfig::clone(&self.tls);
            config.resumption = Resumption::in_memory_sessions(64);
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        };
        AgentTls { any: with(&[b"h2", b"http/1.1"]), http1: with(&[b"http/1.1"]) }
    }

    /// A new connection to `to`, over which nothing was sent. It counts against the agent's `share`.
    pub(crate) async fn tcp(&self, to: &Authority, share: &Share) -> Result<Socket, Code> {
        let places = timeout(PLACE_TIME, both(&share.dials, &self.share.dials)).await;
        let places = places.ok().flatten().ok_or(Code::RateLimited)?;
        let stream = if let Some(proxy) = &self.proxy {
            self.through(proxy, to, share).await?
        } else {
            let stream = connect(&self.addresses(to, share).await?).await?;
            if self.is_here(to, &stream) {
                return Err(Code::AddressRefused);
            }
            stream
        };
        Ok(PulseStream::new(stream, Pulse::default(), places))
    }

    /// Whether a public address turned out to be this machine's own: a service that listens on all addresses of this machine is
    /// not for agents.
    fn is_here(&self, to: &Authority, stream: &TcpStream) -> bool {
        match (stream.local_addr(), stream.peer_addr()) {
            (Ok(own), Ok(peer)) => own.ip() == peer.ip() && !self.is_allowed(to, peer),
            _ => true,
        }
    }

    /// A new TLS connection to `to`, which has proved its name. A server that could not prove it was sent nothing but a
    /// ClientHello.
    pub(crate) async fn tls(
        &self,
        to: &Authority,
        agent: &AgentTls,
        share: &Share,
        offer: Offer,
    ) -> Result<TlsStream<Socket>, Code> {
        let name = match &to.host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Code::TlsFailed)?,
            Host::V4(address) => ServerName::from(IpAddr::from(*address)),
            Host::V6(address) => ServerName::from(IpAddr::from(*address)),
        };
        let stream = self.tcp(to, share).await?;
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

    /// All addresses of a host. One refused address refuses the host: whoever answers for the name may answer differently the
    /// next time.
    async fn addresses(&self, to: &Authority, share: &Share) -> Result<Vec<SocketAddr>, Code> {
        let addresses = match &to.host {
            Host::V4(address) => vec![SocketAddr::from((*address, to.port))],
            Host::V6(address) => vec![SocketAddr::from((*address, to.port))],
            Host::Name(name) => self.look_up(name, to, share).await?,
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

    async fn look_up(&self, name: &str, to: &Authority, share: &Share) -> Result<Vec<SocketAddr>, Code> {
        let fixed: Vec<SocketAddr> = self
            .resolve
            .iter()
            .filter(|(from, _)| from == to)
            .map(|(_, address)| SocketAddr::new(*address, to.port))
            .collect();
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        // The final dot keeps the resolver from trying its search domains.
        let absolute = if name.contains('.') { format!("{name}.") } else { name.to_owned() };
        self.ask_resolver(absolute, to.port, share).await
    }

    /// Asks the resolver in a thread, of which each agent has few: a name whose server never answers keeps a thread for long
    /// after the request has given up.
    async fn ask_resolver(&self, name: String, port: u16, share: &Share) -> Result<Vec<SocketAddr>, Code> {
        let asked = async {
            let places = both(&share.lookups, &self.share.lookups).await?;
            let resolver = Arc::clone(&self.resolver);
            let asked = tokio::task::spawn_blocking(move || {
                let found = resolver(&name, port);
                drop(places);
                found
            });
            asked.await.ok()?.ok()
        };
        timeout(RESOLVE_TIME, asked).await.ok().flatten().ok_or(Code::DnsFailed)
    }

    fn may_reach(&self, to: &Authority, address: SocketAddr) -> bool {
        if self.own.iter().any(|own| is_same_socket(*own, address)) {
            return false;
        }
        is_public(address.ip().to_canonical()) || self.is_allowed(to, address)
    }

    /// Whether the operator allowed this address: by the name that was asked for, or by the address itself. An address that
    /// exists in every machine's own network (link-local) is not allowed by a name: whoever answers for the name would choose the
    /// machine.
    fn is_allowed(&self, to: &Authority, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        (self.allow_private.contains(to) && !is_by_literal_only(ip))
            || self.allow_private.iter().any(|allowed| {
                let literal = match &allowed.host {
                    Host::V4(host) => IpAddr::from(*host),
                    Host::V6(host) => IpAddr::from(*host),
                    Host::Name(_) => return false,
                };
                allowed.port == address.port() && literal == ip
            })
    }

    /// Connects through the proxy that the gateway itself must use. That proxy resolves the name; its operator decides what it
    /// may reach.
    async fn through(&self, proxy: &UpstreamProxy, to: &Authority, share: &Share) -> Result<TcpStream, Code> {
        let literal = match &to.host {
            Host::V4(address) => Some(IpAddr::from(*address)),
            Host::V6(address) => Some(IpAddr::from(*address)),
            Host::Name(_) => None,
        };
        if literal.is_some_and(|ip| !self.may_reach(to, SocketAddr::new(ip, to.port))) {
            return Err(Code::AddressRefused);
        }
        if let Host::Name(name) = &to.host
            && is_local_name(name)
            && !self.allow_private.contains(to)
        {
            return Err(Code::AddressRefused);
        }
        let addresses = match &proxy.at.host {
            Host::V4(address) => vec![SocketAddr::from((*address, proxy.at.port))],
            Host::V6(address) => vec![SocketAddr::from((*address, proxy.at.port))],
            Host::Name(name) => self.ask_resolver(name.clone(), proxy.at.port, share).await?,
        };
        let mut stream = connect(&addresses).await.map_err(|failed| match failed {
            Code::ConnectRefused => Code::ProxyRefused,
            failed => failed,
        })?;
        match timeout(HANDSHAKE_TIME, ask(&mut stream, proxy, to)).await {
            Ok(Ok(200)) => Ok(stream),
            // The statuses by which proxies say that they cannot reach a host.
            Ok(Ok(502..=504)) => Err(Code::ConnectRefused),
            Ok(Ok(_) | Err(_)) => Err(Code::ProxyRefused),
            Err(_) => Err(Code::UpstreamTimeout),
        }
    }
}

/// Tries the addresses one after the other.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Code> {
    let mut failed = Code::ConnectRefused;
    for address in addresses.iter().take(MOST_ADDRESSES) {
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it, a small write waits until the previous one is acknowledged.
                stream.set_nodelay(true).map_err(|_| Code::ConnectRefused)?;
                return Ok(stream);
            }
            Ok(Err(_)) => failed = Code::ConnectRefused,
            Err(_) => failed = Code::UpstreamTimeout,
        }
    }
    Err(failed)
}

/// Sends `CONNECT`, and returns the status of the answer. The answer is read byte by byte: what follows its head is the
/// upstream's.
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
    // A listener on all addresses is reached at every private one that this machine may have.
    own.port() == address.port() && (same || (mine.is_unspecified() && !is_public(theirs)))
}

/// Whether a name means something else at each machine, so that a proxy would look for it in its own network (RFC 6761, 6762;
/// `internal` is where metadata services are).
fn is_local_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    !name.contains('.') || matches!(last, "localhost" | "internal" | "local")
}

/// How long a request waits for a free connection in its agent's share.
const PLACE_TIME: Duration = Duration::from_secs(10);
const RESOLVE_TIME: Duration = Duration::from_secs(10);
const CONNECT_TIME: Duration = Duration::from_secs(10);
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
const MOST_ADDRESSES: usize = 4;
const MOST_PROXY_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::limits::Limits;

    fn dialer(allow: &[&str], resolve: &[(&str, &str)], own: &[&str]) -> Dialer {
        let authority = |text: &str| Authority::parse(text, 443).unwrap();
        let mut config = Config {
            egress: crate::config::Egress::Deny,
            allow_private: allow.iter().map(|text| authority(text)).collect(),
            resolve: resolve.iter().map(|(from, to)| (authority(from), to.parse().unwrap())).collect(),
            own: own.iter().map(|text| text.parse().unwrap()).collect(),
            resolver: crate::config::system_resolver(),
            roots: rustls::RootCertStore::empty(),
            upstream_proxy: None,
            console: None,
            provider: |_| None,
            clock: || std::time::SystemTime::UNIX_EPOCH,
        };
        Dialer::new(&mut config, Arc::new(Limits::of_this_process(0).whole())).unwrap()
    }

    async fn addresses(dialer: &Dialer, to: &str) -> Result<Vec<String>, Code> {
        let share = Limits::of_this_process(0).half();
        let found = dialer.addresses(&Authority::parse(to, 443).unwrap(), &share).await?;
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

    #[tokio::test]
    async fn n1_a_name_that_may_be_private_is_not_at_a_metadata_service() {
        for address in [
            "169.254.169.254",
            "255.255.255.255",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fe80::1",
            "fd00:ec2::254",
        ] {
            let by_name = dialer(&["a.test:443"], &[("a.test", address)], &[]);
            assert_eq!(addresses(&by_name, "a.test").await, Err(Code::AddressRefused), "{address}");
            let literal =
                if address.contains(':') { format!("[{address}]:443") } else { format!("{address}:443") };
            assert!(addresses(&dialer(&[&literal], &[], &[]), &literal).await.is_ok(), "{address}");
        }
    }

    #[tokio::test]
    async fn n5_a_public_address_of_this_machine_is_not_reached() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let port = stream.peer_addr().unwrap().port();
        let to = Authority::parse(&format!("a.test:{port}"), 443).unwrap();
        assert!(dialer(&[], &[], &[]).is_here(&to, &stream));
        assert!(!dialer(&[&to.to_string()], &[], &[]).is_here(&to, &stream), "the operator said so");
    }

    #[tokio::test]
    async fn n5_local_names_are_not_left_to_a_proxy() {
        let mut dialer = dialer(&["c.internal:443"], &[], &[]);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = Authority::parse(&listener.local_addr().unwrap().to_string(), 80).unwrap();
        drop(listener);
        dialer.proxy = Some(UpstreamProxy { at, authorization: None });
        let share = Limits::of_this_process(0).half();
        for (name, code) in [
            ("localhost", Code::AddressRefused),
            ("printer", Code::AddressRefused),
            ("a.localhost", Code::AddressRefused),
            ("metadata.google.internal", Code::AddressRefused),
            ("b.local", Code::AddressRefused),
            ("c.internal", Code::ProxyRefused),
            ("a.test", Code::ProxyRefused),
        ] {
            let to = Authority::parse(name, 443).unwrap();
            assert_eq!(dialer.tcp(&to, &share).await.err(), Some(code), "{name}");
        }
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_told_from_a_host_that_does() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = Authority::parse(&listener.local_addr().unwrap().to_string(), 80).unwrap();
        let mut dialer = dialer(&[], &[], &[]);
        dialer.proxy = Some(UpstreamProxy { at, authorization: None });
        let share = Limits::of_this_process(0).half();
        let to = Authority::parse("a.test", 443).unwrap();
        for (answer, code) in [
            ("407 Proxy Authentication Required", Code::ProxyRefused),
            ("403 Forbidden", Code::ProxyRefused),
            ("502 Bad Gateway", Code::ConnectRefused),
            ("504 Gateway Timeout", Code::ConnectRefused),
        ] {
            let answers = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(text.as_bytes()).await.unwrap();
                stream
            };
            let (dialled, _stream) = tokio::join!(dialer.tcp(&to, &share), answers);
            assert_eq!(dialled.err(), Some(code), "{answer}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn p16_names_that_are_never_answered_keep_few_threads() {
        let mut dialer = dialer(&[], &[], &[]);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
        let (own_now, own_most, own_gate) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&gate));
        dialer.resolver = Arc::new(move |_, port| {
            own_most.fetch_max(own_now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let open = own_gate.0.lock().unwrap();
            drop(own_gate.1.wait_while(open, |open| !*open).unwrap());
            own_now.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![SocketAddr::from(([8, 8, 8, 8], port))])
        });
        let (dialer, share) = (Arc::new(dialer), Arc::new(Limits::of_this_process(0).half()));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (dialer, share) = (Arc::clone(&dialer), Arc::clone(&share));
            asking.spawn(async move { dialer.ask_resolver("x.test".to_owned(), 443, &share).await });
        }
        while share.lookups.available_permits() > 0 || now.load(Ordering::SeqCst) < 32 {
            tokio::task::yield_now().await;
        }
        // Nobody waits any more for half of them; their threads go on.
        asking.abort_all();
        while asking.join_next().await.is_some() {}
        assert_eq!((most.load(Ordering::SeqCst), share.lookups.available_permits()), (32, 0));
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        assert!(dialer.ask_resolver("x.test".to_owned(), 443, &share).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn p16_an_agent_with_too_many_upstream_connections_gets_no_more() {
        let dialer = dialer(&["127.0.0.1:1"], &[], &[]);
        let share = Limits::of_this_process(0).half();
        let to = Authority::parse("127.0.0.1:1", 443).unwrap();
        assert_eq!(dialer.tcp(&to, &share).await.err(), Some(Code::ConnectRefused));
        let all = u32::try_from(share.dials.available_permits()).unwrap();
        let _held = share.dials.acquire_many(all).await.unwrap();
        assert_eq!(dialer.tcp(&to, &share).await.err(), Some(Code::RateLimited));
    }
}
