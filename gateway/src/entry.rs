//! What the log says of a request, as it is found out.

use std::sync::Arc;

use http::{Method, StatusCode};
use keyward_wire::KeyId;
use tokio::time::Instant;

use crate::auth::without_credential;
use crate::inject::Wrong;
use crate::log::Event;
use crate::refuse::Code;
use crate::source::Grant;
use crate::tunnel::Tunnel;

/// One request's lines.
pub(crate) struct Entry {
    pub(crate) tunnel: Arc<Tunnel>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) key: Option<Arc<str>>,
    /// The key whose placeholder stood in the place of that one.
    placeholder_of: Option<Arc<str>>,
    pub(crate) decision: &'static str,
    /// A remark on an answer that was not refused.
    pub(crate) remark: &'static str,
    since: Instant,
    /// The line that was written before the request was sent; 0: it was not.
    pub(crate) sent: u64,
    /// What came of it stands in the log.
    told: bool,
}

impl Entry {
    /// Of a request that begins.
    pub(crate) fn new(tunnel: &Arc<Tunnel>, method: &Method, path: &str) -> Self {
        Self {
            tunnel: Arc::clone(tunnel),
            method: method.clone(),
            path: without_credential(path).into_owned(),
            key: None,
            placeholder_of: None,
            decision: "refuse",
            remark: "",
            since: Instant::now(),
            sent: 0,
            told: false,
        }
    }

    /// What an agent is told of a value that was not written. Whose placeholder stood there, only the log says.
    pub(crate) fn note(&mut self, wrong: Wrong, grants: &[Grant]) -> Code {
        match wrong {
            Wrong::WrongDestination(other) => {
                self.placeholder_of = Some(name(grants, other));
                Code::WrongDestination
            }
            Wrong::UnknownPlaceholder => Code::UnknownPlaceholder,
            Wrong::Repeated => Code::RepeatedPlaceholder,
            Wrong::BadValue => Code::ValueUnusable,
            Wrong::Unreadable => Code::BodyUnreadable,
        }
    }

    /// Writes that the request is about to be sent.
    pub(crate) fn send(&mut self) -> Result<(), Code> {
        self.sent = self.record("send", "", 0).map_err(|_| Code::LogFailed)?;
        Ok(())
    }

    /// Writes what came of it.
    pub(crate) fn tell(&mut self, decision: &str, code: &str, status: StatusCode) -> std::io::Result<()> {
        self.told = true;
        self.record(decision, code, status.as_u16()).map(|_| ())
    }

    fn record(&self, decision: &str, code: &str, status: u16) -> std::io::Result<u64> {
        let latency = self.since.elapsed().as_millis();
        self.tunnel.gateway.log.record(&Event {
            agent: &self.tunnel.session.agent.name,
            method: self.method.as_str(),
            host: &self.tunnel.name,
            path: &self.path,
            key: self.key.as_deref().unwrap_or_default(),
            placeholder_of: self.placeholder_of.as_deref().unwrap_or_default(),
            decision,
            code,
            status,
            latency_ms: u64::try_from(latency).unwrap_or(u64::MAX),
            of: self.sent,
            more: 0,
        })
    }
}

/// An agent that goes away while its request is under way drops what would have answered it. The request was sent all the same.
impl Drop for Entry {
    fn drop(&mut self) {
        if self.sent != 0 && !self.told {
            let _ = self.record("cut", "", 0);
        }
    }
}

/// The name of a key of the agent's; of one that was taken away since it got the placeholder, its number.
fn name(grants: &[Grant], key: KeyId) -> Arc<str> {
    let grant = grants.iter().find(|grant| grant.key == key);
    grant.map_or_else(|| key.to_string().into(), |grant| Arc::clone(&grant.name))
}
