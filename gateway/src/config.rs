//! The operator's settings.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::SystemTime;

use keyward_wire::rule::Authority;
use rustls::RootCertStore;
use zeroize::Zeroizing;

/// Settings of one gateway. The gateway itself reads no environment and no file.
pub struct Config {
    /// What happens to hosts that no key is for.
    pub egress: Egress,
    /// Hosts and ports that may be at private addresses.
    pub allow_private: Vec<Authority>,
    /// Addresses that are used instead of asking a resolver. They are judged like any other.
    pub resolve: Vec<(Authority, IpAddr)>,
    /// The resolver for all other names: [`system_resolver`], but in tests.
    pub resolver: Arc<Resolver>,
    /// Sockets that no agent reaches, whatever else is allowed: the gateway's own.
    pub own: Vec<SocketAddr>,
    /// Certificate authorities that vouch for upstreams.
    pub roots: RootCertStore,
    /// A proxy through which the gateway itself must go.
    pub upstream_proxy: Option<UpstreamProxy>,
    /// Address of a web console, for `connect_url`. Set by the operator, never taken from a server.
    pub console: Option<String>,
    /// The name of the service at a host, if one is known.
    pub provider: fn(&Authority) -> Option<&'static str>,
    /// The clock.
    pub clock: fn() -> SystemTime,
}

/// Resolves a name, for a port. May block.
pub type Resolver = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The resolver of this machine. It follows aliases; the addresses that they lead to are judged.
pub fn system_resolver() -> Arc<Resolver> {
    Arc::new(|name, port| Ok((name, port).to_socket_addrs()?.collect()))
}

/// What happens to hosts that no key of the agent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Egress {
    /// Such hosts are refused, before a resolver is asked anything.
    #[default]
    Deny,
    /// Such hosts are reached, untouched: TLS goes from end to end.
    Allow,
}

/// An HTTP proxy with `CONNECT`.
pub struct UpstreamProxy {
    /// The proxy's host and port.
    pub at: Authority,
    /// The header `Basic …`, if the proxy asks for one.
    pub authorization: Option<Zeroizing<String>>,
}
