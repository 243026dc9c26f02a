//! The places where a gateway listens.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use keyward_gateway::Listener;
use keyward_wire::rule::{Authority, Host};

use crate::fault::{Code, Fault};

/// An address, or the path of a socket.
#[derive(Debug, Clone)]
pub enum ListenAddr {
    /// `127.0.0.1:8421`
    Tcp(SocketAddr),
    /// `unix:PATH`
    Unix(PathBuf),
}

/// All places where a gateway is to listen.
pub struct Listen<'a> {
    /// The places to listen at: at least one.
    pub places: &'a [ListenAddr],
    /// Whether the places may be reachable beyond this machine.
    pub beyond: bool,
}

impl Listen<'_> {
    /// Binds all places, or none.
    ///
    /// # Errors
    /// If one of them cannot be bound ([`ListenAddr::bind`]).
    pub fn bind(&self) -> anyhow::Result<Vec<Bound>> {
        self.places.iter().map(|place| place.bind(self.beyond)).collect()
    }
}

/// A bound listener: connections wait until the gateway serves them.
pub enum Bound {
    /// A TCP socket, and its address.
    Tcp(TcpListener, SocketAddr),
    /// A Unix socket, and its path.
    Unix(UnixListener, PathBuf),
}

impl ListenAddr {
    /// A place on this machine, at this port; 0 for any that is free.
    pub fn here(port: u16) -> Self {
        Self::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Binds the place. A place that is reachable `beyond` this machine is refused unless that is allowed.
    ///
    /// # Errors
    /// If the place is taken, or would be reachable for others.
    pub fn bind(&self, beyond: bool) -> anyhow::Result<Bound> {
        match self {
            Self::Tcp(address) => {
                if !address.ip().is_loopback() && !beyond {
                    let what = format!("{address} is beyond this machine");
                    return Err(Fault::new(Code::Policy, what)
                        .next("listen on 127.0.0.1 or unix:PATH; or say --allow-remote, on a network that nobody reads")
                        .into());
                }
                let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
                listener.set_nonblocking(true)?;
                let at = listener.local_addr()?;
                Ok(Bound::Tcp(listener, at))
            }
            Self::Unix(path) => {
                let shown = path.display();
                // A socket that a gateway left behind when it was killed answers nobody.
                if UnixStream::connect(path).is_err() && is_socket(path) {
                    std::fs::remove_file(path).with_context(|| format!("cannot replace {shown}"))?;
                }
                let listener = UnixListener::bind(path).map_err(|error| cannot_listen(&shown, &error))?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                listener.set_nonblocking(true)?;
                Ok(Bound::Unix(listener, path.clone()))
            }
        }
    }
}

impl Bound {
    /// The place's TCP address, if it has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, at) => Some(*at),
            Self::Unix(..) => None,
        }
    }

    /// The place's host and port, as a program is told them.
    pub fn authority(&self) -> Option<Authority> {
        let at = self.address()?;
        let host = match at.ip() {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        };
        Some(Authority { host, port: at.port() })
    }

    /// The place as it is written on a command line.
    pub fn shown(&self) -> String {
        match self {
            Self::Tcp(_, at) => at.to_string(),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// The listener for a gateway. To be called within a runtime.
    pub(super) fn listener(self) -> std::io::Result<Listener> {
        Ok(match self {
            Self::Tcp(listener, _) => Listener::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Self::Unix(listener, _) => Listener::Unix(tokio::net::UnixListener::from_std(listener)?),
        })
    }
}

fn cannot_listen(at: &dyn std::fmt::Display, error: &std::io::Error) -> Fault {
    let (code, next) = match error.kind() {
        ErrorKind::AddrInUse => {
            (Code::Conflict, "end what listens there, or name another place: --listen ADDR")
        }
        ErrorKind::NotFound => {
            (Code::Missing, "make the folder first, or name another place: --listen unix:PATH")
        }
        ErrorKind::AddrNotAvailable => {
            (Code::Missing, "this machine has no such address; name another place: --listen ADDR")
        }
        _ => (Code::Unexpected, "name a place where this user may listen: --listen ADDR"),
    };
    Fault::new(code, format!("cannot listen on {at}: {error}")).next(next)
}

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|facts| facts.file_type().is_socket())
}

impl FromStr for ListenAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("write it as unix:PATH".to_owned()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => {
                text.parse().map(Self::Tcp).map_err(|_| "write it as 127.0.0.1:8421 or unix:PATH".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_in_one_way() {
        assert!(matches!("unix:/run/x".parse(), Ok(ListenAddr::Unix(path)) if path == Path::new("/run/x")));
        assert!(matches!("127.0.0.1:1".parse(), Ok(ListenAddr::Tcp(_))));
        assert!(matches!("[::1]:1".parse(), Ok(ListenAddr::Tcp(_))));
        for text in ["", "8421", "localhost:8421", "unix:"] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text}");
        }
    }
}
