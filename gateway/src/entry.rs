//! The log lines of one request, written as its outcome is found out.

use std::sync::Arc;

use http::{Method, StatusCode};
use keyward_wire::KeyId;
use keyward_wire::api::agents::Decision;
use tokio::time::Instant;

use crate::auth::without_credential;
use crate::inject::InjectError;
use crate::log::Event;
use crate::refuse::Code;
use crate::source::Grant;
use crate::tunnel::Tunnel;

/// One request's lines.
pub(crate) struct Entry {
    pub(crate) tunnel: Arc<Tunnel>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) key: Option<(KeyId, Arc<str>)>,
    /// Name of the key whose placeholder stood in the place of the rule's key.
    placeholder_of: Option<Arc<str>>,
    pub(crate) decision: &'static str,
    /// A remark on an answer that was not refused.
    pub(crate) remark: &'static str,
    since: Instant,
    /// Number of the line that was written before the request was sent; 0 if it was not sent.
    pub(crate) sent: u64,
    /// Whether the upstream was not reached: then nothing of the request left, though the log has the line before that.
    pub(crate) unreached: bool,
    /// Whether the outcome stands in the log.
    told: bool,
}

impl Entry {
    /// The entry of a request that begins.
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
            unreached: false,
            told: false,
        }
    }

    /// The refusal code for a value that was not written. Whose placeholder stood there, only the log says.
    pub(crate) fn note(&mut self, wrong: InjectError, grants: &[Grant]) -> Code {
        match wrong {
            InjectError::WrongDestination(other) => {
                self.placeholder_of = Some(name(grants, other));
                Code::WrongDestination
            }
            InjectError::UnknownPlaceholder => Code::UnknownPlaceholder,
            InjectError::Repeated => Code::RepeatedPlaceholder,
            InjectError::BadValue => Code::ValueUnusable,
            InjectError::Unreadable => Code::BodyUnreadable,
        }
    }

    /// Writes that the request is about to be sent.
    pub(crate) fn send(&mut self) -> Result<(), Code> {
        self.sent = self.record("send", "", 0).map_err(|_| Code::LogFailed)?;
        Ok(())
    }

    /// Writes the outcome.
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
            key: self.key.as_ref().map(|(_, name)| &**name).unwrap_or_default(),
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

/// If the agent goes away while its request is under way, the future that would have answered is dropped. The request was sent
/// all the same, so the log gets a line here.
impl Drop for Entry {
    fn drop(&mut self) {
        if self.sent != 0 && !self.told {
            let _ = self.record("cut", "", 0);
        }
        let left = self.sent != 0 && !self.unreached;
        let decision = match &self.key {
            _ if !left => Decision::Refuse,
            Some(_) => Decision::Inject,
            None => Decision::Pass,
        };
        let Tunnel { gateway, session, .. } = &*self.tunnel;
        gateway.source.count(&session.agent, self.key.as_ref().map(|(id, _)| *id), decision);
    }
}

/// The name of one of the agent's keys. If the key was taken away since the placeholder was made, its id.
fn name(grants: &[Grant], key: KeyId) -> Arc<str> {
    let grant = grants.iter().find(|grant| grant.key == key);
    grant.map_or_else(|| key.to_string().into(), |grant| Arc::clone(&grant.name))
}
