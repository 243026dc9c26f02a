//! What the operator decides.

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
    /// Who is asked for the addresses of all other names: [`system_resolver`].
    pub resolver: Arc<Resolver>,
    /// Sockets that no agent reaches, whatever else is allowed: the gateway's own.
    pub own: Vec<SocketAddr>,
    /// Authorities that vouch for upstreams.
    pub roots: RootCertStore,
    /// A proxy through which the gateway itself must go.
    pub upstream_proxy: Option<UpstreamProxy>,
    /// Address of the web console, for `connect_url`. Configured here, never taken from a server.
    pub console: Option<String>,
    /// The service at a host, if one is known.
    pub provider: fn(&Authority) -> Option<&'static str>,
    /// What time it is.
    pub clock: fn() -> SystemTime,
}

/// Asks for the addresses of a name, at a port. It may block.
pub type Resolver = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The resolver of this machine. It follows aliases: what they lead to is judged.
pub fn system_resolver() -> Arc<Resolver> {
    Arc::new(|name, port| Ok((name, port).to_socket_addrs()?.collect()))
}

/// What happens to hosts that no key of the agent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Egress {
    /// They are refused, before anything is asked of a resolver.
    #[default]
    Deny,
    /// They are reached, untouched: TLS goes from end to end.
    Allow,
}

/// An HTTP proxy with `CONNECT`.
pub struct UpstreamProxy {
    /// Where it is.
    pub at: Authority,
    /// `Basic …`, if it asks for that.
    pub authorization: Option<Zeroizing<String>>,
}
