//! A gateway with everything around it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use keyward_gateway::{Ca, Config, Egress, Gateway, Listener, Log, Threads, UpstreamProxy, log};
use keyward_wire::rule::{Authority, Injection};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpListener;

use crate::lab::agent::{Agent, trusting};
use crate::lab::record;
use crate::lab::resolver::Names;
use crate::lab::source::Memory;
use crate::lab::upstream::{Lab, Script, Upstream};

/// The secret of a.test: 44 characters.
pub(crate) const SA: &str = "sk-A4pRxYw9Kd0LmTqZ7bVnC2sUeHf5JgXo8iBtN3yDcM";

pub(crate) struct World {
    pub(crate) at: SocketAddr,
    pub(crate) gateway: Gateway,
    pub(crate) source: Arc<Memory>,
    pub(crate) names: Names,
    pub(crate) agent: keyward_gateway::Agent,
    pub(crate) credential: String,
    pub(crate) ca: CertificateDer<'static>,
    log: Arc<tempfile::NamedTempFile>,
}

/// The settings of a world before it starts.
pub(crate) struct Plan {
    pub(crate) lab: Lab,
    pub(crate) source: Arc<Memory>,
    pub(crate) agent: keyward_gateway::Agent,
    pub(crate) credential: String,
    pub(crate) egress: Egress,
    pub(crate) allow: Vec<String>,
    pub(crate) resolve: Vec<(String, IpAddr)>,
    pub(crate) names: Names,
    pub(crate) proxy: Option<UpstreamProxy>,
    pub(crate) console: Option<String>,
    pub(crate) listen_at: Option<TcpListener>,
    pub(crate) log_is_full: bool,
}

impl Plan {
    pub(crate) fn new() -> Self {
        let source = Memory::new();
        let (agent, credential) = source.agent("one");
        Self {
            lab: Lab::new(),
            source,
            agent,
            credential,
            egress: Egress::Deny,
            allow: Vec::new(),
            resolve: Vec::new(),
            names: Names::default(),
            proxy: None,
            console: None,
            listen_at: None,
            log_is_full: false,
        }
    }

    /// A TLS upstream of this name that is allowed at its private address. Its `host:port`.
    pub(crate) async fn upstream(
        &mut self,
        name: &str,
        alpn: &[&[u8]],
        script: Script,
    ) -> (String, Upstream) {
        let upstream = Upstream::start(Some(self.lab.server(&[name], alpn)), script).await;
        (self.reach(name, upstream.port), upstream)
    }

    /// A plain HTTP upstream of this name. Its `host:port`.
    pub(crate) async fn plain(&mut self, name: &str, script: Script) -> (String, Upstream) {
        let upstream = Upstream::start(None, script).await;
        (self.reach(name, upstream.port), upstream)
    }

    pub(crate) fn reach(&mut self, name: &str, port: u16) -> String {
        let to = format!("{name}:{port}");
        self.allow.push(to.clone());
        self.resolve.push((to.clone(), Ipv4Addr::LOCALHOST.into()));
        to
    }

    /// Grants the agent a bearer key for a host.
    pub(crate) fn bearer(&self, name: &str, secret: &str, host: &str) {
        self.source.grant(&self.agent, name, secret, &[host], vec![Injection::bearer()], |_| ());
    }

    pub(crate) async fn start(self) -> World {
        let mut roots = RootCertStore::empty();
        roots.add(self.lab.root()).unwrap();
        let authority = |text: &String| Authority::parse(text, 443).unwrap();
        let listener = match self.listen_at {
            Some(listener) => listener,
            None => TcpListener::bind("127.0.0.1:0").await.unwrap(),
        };
        let at = listener.local_addr().unwrap();
        let config = Config {
            egress: self.egress,
            allow_private: self.allow.iter().map(authority).collect(),
            resolve: self.resolve.iter().map(|(from, to)| (authority(from), *to)).collect(),
            resolver: self.names.resolver(),
            own: vec![at],
            roots,
            upstream_proxy: self.proxy,
            console: self.console,
            provider: |to| (to.host.to_string() == "api.known.test").then_some("known"),
            clock: SystemTime::now,
        };
        let log = Arc::new(tempfile::NamedTempFile::new().unwrap());
        record::log(Arc::clone(&log));
        let append = !self.log_is_full;
        let file = std::fs::OpenOptions::new().read(true).append(append).open(log.path()).unwrap();
        let ca = Arc::new(Ca::generate(SystemTime::now()).unwrap());
        let certificate = ca.certificate().clone();
        let source = Arc::clone(&self.source);
        let chain = Log::open(file, SystemTime::now).unwrap();
        // Some cases move the clock, which has to be the gateway's.
        let gateway = Gateway::new(config, ca, source, chain, &Threads::current()).unwrap();
        let (serving, watching) = (gateway.clone(), gateway.clone());
        tokio::spawn(async move { serving.serve(Listener::Tcp(listener)).await.unwrap() });
        tokio::spawn(async move { watching.watch().await });
        let Plan { source, names, agent, credential, .. } = self;
        World { at, gateway, source, names, agent, credential, ca: certificate, log }
    }
}

impl World {
    /// A world with one upstream, a.test, with a key, that does `script`; HTTP/1.1.
    pub(crate) async fn with(script: Script) -> (Self, String, Upstream) {
        let mut plan = Plan::new();
        let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], script).await;
        plan.bearer("A", SA, &a);
        (plan.start().await, a, upstream)
    }

    /// A connection to the gateway.
    pub(crate) async fn dial(&self) -> Agent {
        Agent::dial(self.at).await
    }

    /// A tunnel to `to` with TLS inside that believes the gateway.
    pub(crate) async fn tunnel(&self, to: &str) -> Agent {
        self.tunnel_of(to, &self.credential, &[b"http/1.1"]).await
    }

    pub(crate) async fn tunnel_of(&self, to: &str, credential: &str, alpn: &[&[u8]]) -> Agent {
        let mut agent = self.dial().await;
        let answer = agent.connect(to, credential).await;
        assert_eq!(answer.status, 200, "CONNECT {to}: {answer:?}");
        let name = to.rsplit_once(':').unwrap().0;
        agent.tls(name, trusting(&self.ca, alpn)).await.unwrap()
    }

    /// A tunnel in which [`silent`](crate::lab::upstream::silent) has said its event.
    pub(crate) async fn streaming(&self, to: &str) -> Agent {
        let mut agent = self.tunnel(to).await;
        agent.say(format!("GET / HTTP/1.1\r\nHost: {to}\r\n\r\n")).await;
        agent.until(b"data: 1\n\n").await.unwrap();
        agent
    }

    /// As [`Self::streaming`], in a tunnel that the gateway does not look into.
    pub(crate) async fn blind(&self, to: &str) -> Agent {
        let mut agent = self.dial().await;
        assert_eq!(agent.connect(to, &self.credential).await.status, 200);
        agent.say("GET / HTTP/1.1\r\n\r\n").await;
        agent.until(b"data: 1\n\n").await.unwrap();
        agent
    }

    /// The log's lines. They verify.
    pub(crate) fn log(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read(self.log.path()).unwrap();
        let mut lines = Vec::new();
        log::verify(text.as_slice(), |line| lines.push(serde_json::from_str(line).unwrap())).unwrap();
        lines
    }

    /// Waits until something was decided so.
    pub(crate) async fn logged(&self, decision: &str) {
        while !self.log().iter().any(|line| line["decision"] == decision) {
            tokio::task::yield_now().await;
        }
    }

    /// The codes of what was refused.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let lines = self.log();
        let refused = lines.iter().filter(|line| line["decision"] == "refuse");
        refused.map(|line| line["code"].as_str().unwrap().to_owned()).collect()
    }

    /// The next plain request still works.
    pub(crate) async fn still_works(&self, a: &str) {
        let answer = self.tunnel(a).await.get(a, "/fine").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
