//! An organisation with a key, a gateway and an agent, and all who are compared.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::SECRET;
use super::upstream::{Nginx, Own, free_port};
use super::way::Way;
use crate::common::lab::{Lab, Machine, Server};
use crate::common::report::talk;

/// Everything that the proxies are measured with.
pub(super) struct Scene {
    pub(super) lab: Lab,
    pub(super) nginx: Nginx,
    pub(super) own: Own,
    gateway: Machine,
    credential: String,
    _server: Server,
}

/// The contenders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// No proxy between client and upstream.
    Direct,
    /// `keyward proxy`.
    Keyward,
    /// `keyward-bench-forward`.
    Bare,
    Hudsucker,
    Mitmproxy,
}

/// A contender, as a process that ends when this is dropped.
pub(super) struct Running {
    pub(super) way: Way,
    process: Option<Child>,
}

impl Scene {
    /// Makes everything except the proxies.
    ///
    /// # Errors
    /// If something is missing, or does not come up.
    pub(super) fn new() -> Result<Self> {
        talk("a server, an organisation with a key, a gateway and an agent; nginx …");
        let lab = Lab::new()?;
        lab.certify()?;
        let (nginx, own) = (Nginx::start(&lab)?, Own::start(&lab)?);
        let server = Server::start(&lab, "server", &[])?;
        let owner = Machine::new(&lab, "owner")?;
        let code = std::fs::read_to_string(lab.path("server/data/setup-code")).unwrap_or_default();
        let mut init = vec!["init", "--org", "Bench", "--email", "olga@bench.example", "--password-stdin"];
        init.extend(["--recovery-kit", "kit.txt", "--url", &server.url]);
        if !code.trim().is_empty() {
            init.extend(["--setup-code", code.trim()]);
        }
        owner.ok(&init, "canary-tulip-gravel-mosaic-lantern-orbit")?;
        owner.ok(&["deployment", "create", "production"], "")?;
        let hosts = [nginx.http1, nginx.http2, own.port].map(|port| format!("localhost:{port}"));
        let mut set = vec!["key", "create", "API_KEY", "--value-stdin", "--inject", "bearer"];
        set.extend(hosts.iter().flat_map(|host| ["--host", host]));
        owner.ok(&set, SECRET)?;
        owner.ok(&["deployment", "map", "production", "API_KEY"], "")?;
        owner.ok(&["group", "create", "agents"], "")?;
        owner.ok(&["group", "assign", "agents", "production"], "")?;
        let token = owner.ok(&["api-user", "create", "edge", "--gateway", "--group", "agents"], "")?;
        let agent = ["agent", "create", "bot", "--gateway", "edge", "--group", "agents"];
        let credential = owner.ok(&agent, "")?.trim_end().to_owned();
        owner.ok(&["agent", "grant", "bot", "API_KEY"], "")?;
        let gateway = Machine::new(&lab, "gateway")?
            .with("KEYWARD_TOKEN", token.trim_end())
            .with("KEYWARD_URL", &server.url);
        Ok(Self { lab, nginx, own, gateway, credential, _server: server })
    }

    /// Starts one of them.
    ///
    /// # Errors
    /// If it does not come up.
    pub(super) fn start(&self, who: Who) -> Result<Running> {
        match who {
            Who::Direct => self.direct(),
            Who::Keyward => self.keyward(),
            Who::Bare => self.bare(),
            Who::Hudsucker => self.hudsucker(),
            Who::Mitmproxy => self.mitmproxy(),
        }
    }

    fn direct(&self) -> Result<Running> {
        let mut way = way("direct", &self.ca())?;
        way.header = format!("Authorization: Bearer {SECRET}\r\n");
        Ok(Running { way, process: None })
    }

    /// keyward's gateway as its users run it: signed in at a server, with its log, an agent's credential, a rule, and values kept
    /// out of answers.
    fn keyward(&self) -> Result<Running> {
        let ca = self.gateway.ok(&["proxy", "ca"], "")?;
        let mut way = way("keyward proxy", &self.lab.write("gateway.pem", ca)?)?;
        let basic = data_encoding::BASE64.encode(format!("bot:{}", self.credential).as_bytes());
        way.credential = format!("Proxy-Authorization: Basic {basic}\r\n");
        let ca = self.ca();
        let hosts =
            [self.nginx.http1, self.nginx.http2, self.own.port].map(|port| format!("localhost:{port}"));
        let resolved = hosts.each_ref().map(|host| format!("{host}:127.0.0.1"));
        let mut words = vec!["proxy", "--listen", "127.0.0.1:0"];
        words.extend(["--upstream-ca", ca.to_str().context("a temporary directory in UTF-8")?]);
        words.extend(hosts.iter().flat_map(|host| ["--allow-private", host]));
        words.extend(resolved.iter().flat_map(|host| ["--resolve", host]));
        let mut command = self.gateway.keyward(&words);
        command.stderr(File::create(self.lab.path("gateway.log"))?);
        announced(way, &mut command)
    }

    fn bare(&self) -> Result<Running> {
        let way = way("bare hyper and rustls", &self.ca())?;
        let mut command = Command::new(self.lab.program("keyward-bench-forward")?);
        command.arg(self.ca()).arg(self.lab.path("server.pem")).arg(self.lab.path("server.key"));
        announced(way, command.arg("authorization").arg(format!("Bearer {SECRET}")))
    }

    fn hudsucker(&self) -> Result<Running> {
        let way = way("hudsucker", &self.ca())?;
        let mut command = Command::new(foreign("KEYWARD_BENCH_HUDSUCKER")?);
        command.arg(self.ca()).arg(self.lab.path("ca.key"));
        announced(way, command.arg("authorization").arg(format!("Bearer {SECRET}")))
    }

    /// mitmproxy with an authority of its own, and its answers streamed.
    fn mitmproxy(&self) -> Result<Running> {
        let port = free_port()?;
        let place = self.lab.path(&format!("mitmproxy-{port}"));
        std::fs::create_dir_all(&place)?;
        let addon = self.lab.write("inject.py", ADDON)?;
        let mut command = Command::new(foreign("KEYWARD_BENCH_MITMDUMP")?);
        command.args(["-q", "--listen-host", "127.0.0.1", "--listen-port", &port.to_string(), "-s"]);
        command.arg(addon).arg("--set").arg(format!("confdir={}", place.display()));
        command.arg("--set").arg(format!("ssl_verify_upstream_trusted_ca={}", self.ca().display()));
        command.env("AUTHORIZATION", format!("Bearer {SECRET}"));
        let log = self.lab.path("mitmproxy.log");
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .context("mitmdump did not start")?;
        let (at, ca) = (SocketAddr::from(([127, 0, 0, 1], port)), place.join("mitmproxy-ca-cert.pem"));
        let start = Instant::now();
        while !ca.is_file() || std::net::TcpStream::connect(at).is_err() {
            if process.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                _ = process.kill();
                bail!("mitmdump did not get ready:\n{}", std::fs::read_to_string(&log)?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut way = way("mitmproxy", &ca)?;
        (way.proxy, way.process) = (Some(at), Some(process.id()));
        Ok(Running { way, process: Some(process) })
    }

    fn ca(&self) -> PathBuf {
        self.lab.path("ca.pem")
    }
}

impl Running {
    /// The way to speak HTTP/2 to.
    pub(super) fn http2(&self) -> Way {
        let mut tls = rustls::ClientConfig::clone(&self.way.tls);
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Way { tls: std::sync::Arc::new(tls), ..self.way.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            _ = process.kill();
            _ = process.wait();
        }
    }
}

/// A way through a proxy that has the authority in this file.
fn way(name: &'static str, ca: &Path) -> Result<Way> {
    let tls = Way::trusting(ca, b"http/1.1")?;
    let (credential, header) = (String::new(), String::new());
    Ok(Way { name, proxy: None, credential, process: None, header, tls })
}

/// A proxy that prints its address as a line that ends in `http://…`.
fn announced(mut way: Way, command: &mut Command) -> Result<Running> {
    let name = way.name;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = command.spawn().with_context(|| format!("{name} did not start"))?;
    let mut line = String::new();
    let out = process.stdout.take().context("its output")?;
    BufReader::new(out).read_line(&mut line)?;
    way.proxy = line.trim().rsplit_once("http://").and_then(|(_, at)| at.parse().ok());
    way.process = Some(process.id());
    let running = Running { way, process: Some(process) };
    ensure!(running.way.proxy.is_some(), "{name} did not say where it listens: {line}");
    Ok(running)
}

/// A program that `cargo xtask bench` made or installed.
fn foreign(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable)
        .with_context(|| format!("{variable} is not set: run `cargo xtask bench`"))?;
    Ok(path.into())
}

/// The addon that mitmproxy's manual has for this.
const ADDON: &str = "\
import os

class Inject:
    def requestheaders(self, flow):
        flow.request.headers['authorization'] = os.environ['AUTHORIZATION']
        flow.request.stream = True

    def responseheaders(self, flow):
        flow.response.stream = True

addons = [Inject()]
";

const PATIENCE: Duration = Duration::from_secs(30);
