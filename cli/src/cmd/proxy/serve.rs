//! `keyward proxy [-- CMD]`: serves until it is told to end, or CMD has ended.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use keyward_gateway::config::system_resolver;
use keyward_gateway::{Config, Egress, Gateway, Listener, UpstreamProxy};
use keyward_wire::provider;
use keyward_wire::rule::Authority;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::child;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::proxy::{Sidecar, Source, State, upstream_roots};
use crate::session::credential::Credential;
use crate::session::files;
use crate::stop::Stops;
use crate::vault::fetch::Freshness;
use crate::vault::gateway::{Keeper, SystemClock};

/// What is decided on the command line.
#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// Address and port, or unix:PATH; several times for several [default: 127.0.0.1:8421; with CMD a free port]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Place>,
    /// Listen beyond this machine: what agents send there, their credentials too, can be read on the way
    #[arg(long)]
    allow_remote: bool,
    /// What happens to hosts that no key of the agent is for
    #[arg(long, value_enum, default_value_t = Beyond::Deny)]
    egress: Beyond,
    /// Folder of the gateway's authority and log [default: gateway/ in keyward's own folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Trust the certificate authorities in this PEM file, too, for the services that are called
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// Use this address for a host and port, instead of asking a resolver
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
    /// Address of the web console, for links in refusals
    #[arg(long, value_name = "URL")]
    console: Option<String>,
    /// With CMD: whose keys it may use
    #[arg(long, value_name = "NAME", requires = "command")]
    agent: Option<String>,
    /// A program to run behind the gateway, which ends with it
    #[arg(last = true, value_name = "CMD", requires = "agent")]
    command: Vec<OsString>,
    #[command(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Beyond {
    /// They are refused
    Deny,
    /// They are reached, untouched
    Allow,
}

/// Where to listen.
#[derive(Debug, Clone)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Clone)]
struct Resolved(Authority, IpAddr);

/// A listener that is bound already.
enum Bound {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if self.command.is_empty() {
            // A program behind the gateway would inherit this, and some count on the lower number.
            open_as_many_as_allowed();
        }
        let state = State::find(ctx, self.state.as_deref())?;
        let ca = Arc::new(state.ca()?);
        let bound = self.bind()?;
        let config = self.config(&bound)?;
        let credential = Credential::find(ctx)?;
        let log = state.log()?;
        let clock = Arc::new(SystemClock::new());
        let keeper = Keeper::start(ctx, credential, self.freshness.clone(), clock).await?;
        let live = keeper.live();
        let (sidecar, own) = match &self.agent {
            None => (None, None),
            Some(name) => {
                let agent = live.agent_named(name).ok_or_else(|| {
                    let what = format!("this gateway serves no agent named {name:?}");
                    Fault::new(Code::NotFound, what).next("see: keyward agent list")
                })?;
                let (sidecar, credential) = Sidecar::new(&agent);
                (Some(sidecar), Some((name.as_str(), credential.encode())))
            }
        };
        let gateway = Gateway::new(config, Arc::clone(&ca), Arc::new(Source::new(live, sidecar)), log)?;
        let mut stops = Stops::new()?;
        let threads = Threads::new()?;
        let at = threads.serve(&gateway, bound)?;
        let following = keeper.run(ctx);
        let ended = if let Some((agent, credential)) = own {
            let at = at.first().context("a gateway listens somewhere")?;
            ctx.out.say("no isolation: the program runs as the gateway's own user, whose files it may read");
            let mut child =
                child::Child::start(&self.command, at, agent, &credential, &ca.certificate_pem())?;
            tokio::select! {
                error = following => {
                    child.end().await;
                    Err(error)
                }
                ended = child.ended(&mut stops) => ended,
            }
        } else {
            announce(ctx, &at, &ca.fingerprint())?;
            tokio::select! {
                error = following => Err(error),
                () = stops.next() => Ok(()),
            }
        };
        gateway.stop();
        if !gateway.drained(DRAIN).await {
            ctx.out.warn("some requests were cut off: they did not end in time");
        }
        if self.agent.is_none() {
            let head = gateway.log_head();
            ctx.out.say(&format!("the log ends with line {}, {}", head.seq, head.hex()));
        }
        ended
    }

    fn bind(&self) -> anyhow::Result<Vec<Bound>> {
        let default =
            [Place::Tcp(SocketAddr::from(([127, 0, 0, 1], if self.agent.is_some() { 0 } else { 8421 })))];
        let places = if self.listen.is_empty() { &default[..] } else { &self.listen };
        places.iter().map(|place| self.bind_one(place)).collect()
    }

    fn bind_one(&self, place: &Place) -> anyhow::Result<Bound> {
        match place {
            Place::Tcp(address) => {
                if !address.ip().is_loopback() && !self.allow_remote {
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
            Place::Unix(path) => {
                let shown = path.display();
                // One that a gateway left behind when it was killed answers nobody.
                if std::os::unix::net::UnixStream::connect(path).is_err() && is_socket(path) {
                    std::fs::remove_file(path).with_context(|| format!("cannot replace {shown}"))?;
                }
                let listener = UnixListener::bind(path).map_err(|error| cannot_listen(&shown, &error))?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                listener.set_nonblocking(true)?;
                Ok(Bound::Unix(listener, path.clone()))
            }
        }
    }

    fn config(&self, bound: &[Bound]) -> anyhow::Result<Config> {
        let own =
            bound.iter().filter_map(|bound| if let Bound::Tcp(_, at) = bound { Some(*at) } else { None });
        let upstream_proxy = match &self.upstream_proxy {
            None => None,
            Some(at) => Some(UpstreamProxy { at: at.clone(), authorization: self.proxy_authorization()? }),
        };
        Ok(Config {
            egress: match self.egress {
                Beyond::Deny => Egress::Deny,
                Beyond::Allow => Egress::Allow,
            },
            allow_private: self.allow_private.clone(),
            resolve: self.resolve.iter().map(|Resolved(from, to)| (from.clone(), *to)).collect(),
            resolver: system_resolver(),
            own: own.collect(),
            roots: upstream_roots(self.upstream_ca.as_deref())?,
            upstream_proxy,
            console: self.console.clone(),
            provider: |to| provider::of_host(to).next().map(|provider| provider.name),
            clock: crate::proxy::now,
        })
    }

    fn proxy_authorization(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        let Some(path) = &self.upstream_proxy_auth else { return Ok(None) };
        let bytes = files::read(path)?
            .ok_or_else(|| Fault::new(Code::NotFound, format!("there is no file {}", path.display())))?;
        let text = data_encoding::BASE64.encode(bytes.trim_ascii_end());
        Ok(Some(Zeroizing::new(format!("Basic {text}"))))
    }
}

/// Runs what serves, beside what this thread does.
struct Threads(Option<Runtime>);

impl Threads {
    fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    /// Begins. Where it is.
    fn serve(&self, gateway: &Gateway, bound: Vec<Bound>) -> anyhow::Result<Vec<String>> {
        let runtime = self.0.as_ref().context("threads that have ended")?;
        let _entered = runtime.enter();
        let mut at = Vec::new();
        for bound in bound {
            let listener = match bound {
                Bound::Tcp(listener, address) => {
                    at.push(address.to_string());
                    Listener::Tcp(tokio::net::TcpListener::from_std(listener)?)
                }
                Bound::Unix(listener, path) => {
                    at.push(format!("unix:{}", path.display()));
                    Listener::Unix(tokio::net::UnixListener::from_std(listener)?)
                }
            };
            let serving = gateway.clone();
            runtime.spawn(async move { serving.serve(listener).await });
        }
        let watching = gateway.clone();
        runtime.spawn(async move { watching.watch().await });
        Ok(at)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn announce(ctx: &Ctx, at: &[String], fingerprint: &str) -> anyhow::Result<()> {
    if ctx.out.json {
        return ctx.out.json(&serde_json::json!({ "listen": at, "ca_sha256": fingerprint }));
    }
    for at in at {
        ctx.out.line(&if at.starts_with("unix:") { at.clone() } else { format!("http://{at}") })?;
    }
    ctx.out.say(&format!("certificate authority: SHA-256 {fingerprint}"));
    Ok(())
}

fn cannot_listen(at: &dyn std::fmt::Display, error: &std::io::Error) -> Fault {
    Fault::new(Code::Conflict, format!("cannot listen on {at}: {error}"))
        .next("end what listens there, or name another place: --listen ADDR")
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|facts| facts.file_type().is_socket())
}

fn host_and_port(text: &str) -> Result<Authority, String> {
    let authority = Authority::parse(text, 0).map_err(|error| format!("{error}: {}", error.advice()))?;
    if authority.port == 0 { Err("write the port, too: HOST:PORT".to_owned()) } else { Ok(authority) }
}

fn proxy_address(text: &str) -> Result<Authority, String> {
    let rest = text.strip_prefix("http://").ok_or("write it as http://HOST:PORT")?;
    host_and_port(rest.strip_suffix('/').unwrap_or(rest))
}

impl FromStr for Place {
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

/// For requests that are under way when the gateway ends.
const DRAIN: Duration = Duration::from_secs(10);

/// How many connections a gateway has room for follows from this: a shell's usual 1,024 descriptors are some 190 for an agent.
fn open_as_many_as_allowed() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused, there are fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_addresses_are_read_in_one_way() {
        assert!(matches!("unix:/run/x".parse(), Ok(Place::Unix(path)) if path == Path::new("/run/x")));
        assert!(matches!("127.0.0.1:1".parse(), Ok(Place::Tcp(_))));
        assert!(matches!("[::1]:1".parse(), Ok(Place::Tcp(_))));
        for text in ["", "8421", "localhost:8421", "unix:"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        let Resolved(from, to) = "A.test:443:[::1]".parse().unwrap();
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), ("a.test:443", "::1"));
        for text in ["a.test:443", "a.test", "a.test:443:b.test", "a.test::127.0.0.1"] {
            assert!(text.parse::<Resolved>().is_err(), "{text}");
        }
        assert!(proxy_address("http://proxy.test:3128/").is_ok());
        for text in
            ["proxy.test:3128", "https://proxy.test:3128", "http://u:p@proxy.test:3128", "http://proxy.test"]
        {
            assert!(proxy_address(text).is_err(), "{text}");
        }
    }
}
