//! A gateway, a key and a service for one moment, all in this process: whether the programs of this machine work behind a
//! gateway can be tried without a server, a credential or the network.

mod service;
mod source;

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context as _;
use data_encoding::HEXLOWER;
use keyward_crypto::random_bytes;
use keyward_gateway::config::system_resolver;
use keyward_gateway::{Ca, Config, Egress, Log};
use keyward_wire::rule::Authority;
use rustls::RootCertStore;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::listen::ListenAddr;
use super::now;
use super::running::Running;
use super::trust::Trust;
use service::Service;
use source::OneKeySource;

/// All of it, until it is dropped.
pub struct Trial {
    /// The gateway's address.
    pub at: Authority,
    /// The service, which only the gateway finds.
    pub to: Authority,
    /// The agent's credential.
    pub credential: Zeroizing<String>,
    /// The files by which programs trust the gateway.
    pub trust: Trust,
    secret: Zeroizing<String>,
    service: Service,
    _running: Running,
    folder: TempDir,
}

impl Trial {
    /// Begins.
    ///
    /// # Errors
    /// If this machine has no address or no folder for it.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("keyward-doctor.").tempdir()?;
        let (own, authority) = (Arc::new(Ca::generate(now())?), Ca::generate(now())?);
        let service = Service::start(&authority, HOST)?;
        let to = Authority::parse(HOST, service.port).map_err(|error| anyhow::anyhow!("{error}"))?;
        let secret = Zeroizing::new(HEXLOWER.encode(&random_bytes::<20>()));
        let credential = Zeroizing::new(format!("kwp1_{}", HEXLOWER.encode(&random_bytes::<20>())));
        let source = Arc::new(OneKeySource::new(&to, &credential, &secret)?);
        let bound = ListenAddr::here(0).bind(false)?;
        let listens = bound.address().into_iter().collect::<Vec<_>>();
        let at = bound.authority().context("a gateway without an address")?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone())?;
        let config = Config {
            egress: Egress::Deny,
            allow_private: vec![to.clone()],
            resolve: vec![(to.clone(), Ipv4Addr::LOCALHOST.into())],
            resolver: system_resolver(),
            own: listens,
            roots,
            upstream_proxy: None,
            console: None,
            provider: |_| None,
            clock: now,
        };
        let log = folder.path().join("requests.log");
        let log = OpenOptions::new().create_new(true).read(true).append(true).open(log)?;
        let log = Log::open(log, now).map_err(|_| anyhow::anyhow!("a new log cannot be read"))?;
        let trust = Trust::write(folder.path(), &own)?;
        let running = Running::new(config, &own, source, log, vec![bound])?;
        Ok(Self { at, to, credential, trust, secret, service, _running: running, folder })
    }

    /// Address of the service, to be reached through the gateway.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.to)
    }

    /// The address of `path` in base-URL mode.
    pub fn base_url(&self, path: &str) -> String {
        format!("http://{}/-/{}/{path}", self.at, source::KEY)
    }

    /// Whether a request below this path came to the service, with the value.
    pub fn was_served(&self, path: &str) -> bool {
        self.service.has_seen(path, &self.secret)
    }

    /// A folder for a program to work in.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn room(&self, name: &str) -> std::io::Result<std::path::PathBuf> {
        let room = self.folder.path().join(name);
        std::fs::create_dir(&room)?;
        Ok(room)
    }
}

/// A name that nobody has (RFC 6761): whoever does not use the gateway finds nothing.
const HOST: &str = "service.keyward.invalid";
