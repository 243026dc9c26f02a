//! The options of every command that starts a gateway: what it reaches, and by which way.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use keyward_gateway::config::system_resolver;
use keyward_gateway::{Config, Egress, UpstreamProxy};
use keyward_wire::provider;
use keyward_wire::rule::{Authority, Host};
use zeroize::Zeroizing;

use super::{now, upstream_roots};
use crate::fault::{Code, Fault};
use crate::session::files;

/// What is decided on the command line.
#[derive(Args)]
#[group(id = "gateway_options")]
pub struct GatewayOptions {
    /// What happens to hosts that no key of the agent is for [default: deny]
    #[arg(long, value_enum)]
    egress: Option<Beyond>,
    /// Folder of the gateway's authority, log and memory of the server [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Trust the certificate authorities in this PEM file, too, for the services that are called
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// Use this address for a host and port, instead of asking a resolver; the port is the service's own, there and here
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    resolve: Vec<Resolved>,
    /// Let this host and port be at a private address
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    allow_private: Vec<Authority>,
    /// Go through this HTTP proxy, as http://HOST:PORT
    #[arg(long, value_name = "URL", value_parser = proxy_address)]
    upstream_proxy: Option<Authority>,
    /// File with user:password for that proxy
    #[arg(long, value_name = "FILE", requires = "upstream_proxy")]
    upstream_proxy_auth: Option<PathBuf>,
    /// Address of a web console of yours, for links in refusals: keyward has none yet
    #[arg(long, value_name = "URL", value_parser = console_address)]
    console: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Beyond {
    /// They are refused
    Deny,
    /// They are reached, untouched: at port 443 with TLS, at others with anything
    Allow,
}

#[derive(Debug, Clone)]
struct Resolved(Authority, IpAddr);

impl GatewayOptions {
    /// The settings of a gateway that listens at `own`.
    ///
    /// # Errors
    /// If a file that is named cannot be read.
    pub fn config(&self, own: Vec<SocketAddr>) -> anyhow::Result<Config> {
        let upstream_proxy = match &self.upstream_proxy {
            None => None,
            Some(at) => Some(UpstreamProxy { at: at.clone(), authorization: self.proxy_authorization()? }),
        };
        Ok(Config {
            egress: match self.egress {
                None | Some(Beyond::Deny) => Egress::Deny,
                Some(Beyond::Allow) => Egress::Allow,
            },
            allow_private: self.allow_private.clone(),
            resolve: self.resolve.iter().map(|Resolved(from, to)| (from.clone(), *to)).collect(),
            resolver: system_resolver(),
            own,
            roots: upstream_roots(self.upstream_ca.as_deref())?,
            upstream_proxy,
            console: self.console.clone(),
            provider: |to| provider::of_host(to).next().map(|provider| provider.name),
            clock: now,
        })
    }

    fn proxy_authorization(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        let Some(path) = &self.upstream_proxy_auth else { return Ok(None) };
        let bytes = files::read(path)?
            .ok_or_else(|| Fault::new(Code::NotFound, format!("there is no file {}", path.display())))?;
        let text = Zeroizing::new(data_encoding::BASE64.encode(bytes.trim_ascii_end()));
        Ok(Some(Zeroizing::new(format!("Basic {}", *text))))
    }
}

/// `HOST:PORT`, with the port.
///
/// # Errors
/// A text that says what to write.
pub fn host_and_port(text: &str) -> Result<Authority, String> {
    let authority = Authority::parse(text, 0).map_err(|error| format!("{error}: {}", error.advice()))?;
    if authority.port == 0 { Err("write the port, too: HOST:PORT".to_owned()) } else { Ok(authority) }
}

/// What a link begins with: an origin, and no more than that, so that nobody has to wonder what a fragment means there.
fn console_address(text: &str) -> Result<String, String> {
    let wrong = || "write it as https://HOST, without a path".to_owned();
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let (port, secure) = match scheme {
        "https" => (443, true),
        "http" => (80, false),
        _ => return Err(wrong()),
    };
    let at = Authority::parse(rest.strip_suffix('/').unwrap_or(rest), port).map_err(|_| wrong())?;
    let is_local = match &at.host {
        Host::Name(name) => name == "localhost",
        Host::V4(address) => address.is_loopback(),
        Host::V6(address) => address.is_loopback(),
    };
    if !secure && !is_local {
        return Err("a console beyond this machine is at https://".to_owned());
    }
    let at = if at.port == port { at.host.to_string() } else { at.to_string() };
    Ok(format!("{scheme}://{at}/"))
}

fn proxy_address(text: &str) -> Result<Authority, String> {
    let rest = text.strip_prefix("http://").ok_or("write it as http://HOST:PORT")?;
    host_and_port(rest.strip_suffix('/').unwrap_or(rest))
}

impl FromStr for Resolved {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("write it as HOST:PORT:ADDR".to_owned());
        };
        let from = host_and_port(&format!("{host}:{port}"))?;
        let address =
            address.trim_matches(['[', ']']).parse().map_err(|_| "ADDR is not an IP address".to_owned())?;
        Ok(Self(from, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_addresses_are_read_in_one_way() {
        let Resolved(from, to) = "A.test:443:[::1]".parse().unwrap();
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), ("a.test:443", "::1"));
        for text in ["a.test:443", "a.test", "a.test:443:b.test", "a.test::127.0.0.1"] {
            assert!(text.parse::<Resolved>().is_err(), "{text}");
        }
        for (text, console) in [
            ("https://Console.test", "https://console.test/"),
            ("https://console.test:8443/", "https://console.test:8443/"),
            ("http://127.0.0.1:8420", "http://127.0.0.1:8420/"),
        ] {
            assert_eq!(console_address(text).as_deref(), Ok(console));
        }
        for text in [
            "console.test",
            "http://console.test",
            "https://u:p@console.test",
            "https://console.test/path",
            "https://console.test#x",
            "https://console.test?x",
            "javascript://console.test",
            "https://",
        ] {
            assert!(console_address(text).is_err(), "{text}");
        }
        assert!(proxy_address("http://proxy.test:3128/").is_ok());
        for text in
            ["proxy.test:3128", "https://proxy.test:3128", "http://u:p@proxy.test:3128", "http://proxy.test"]
        {
            assert!(proxy_address(text).is_err(), "{text}");
        }
    }
}
