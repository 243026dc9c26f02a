//! A tunnel: one agent's way to one host, with what its requests need to know, when it must end, and what the log says of it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::HeaderValue;
use keyward_wire::KeyId;
use keyward_wire::api::agents::Decision;
use keyward_wire::rule::Authority;
use tokio::time::sleep;

use crate::activity::Activity;
use crate::agent::{ConnectionPermit, Session};
use crate::log::Event;
use crate::policy::{self, Known};
use crate::redact::Scrubber;
use crate::refuse::Code;
use crate::shared::Shared;
use crate::source::made_of;
use crate::upstream::{Upstreams, host_value};

/// How soon it is looked again whether an agent that may act no more has been cut off.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How requests get to the gateway, and on to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the gateway inside TLS, after a `CONNECT`; on over TLS.
    Tls,
    /// To the gateway in the clear, as if it were the service; on over TLS.
    Server,
    /// To the gateway in the clear, and on in the clear: no key is used.
    Plain,
}

/// The address that a service has at the gateway: `/-/KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// The part of the target before the path that is meant.
    pub(crate) prefix: String,
    /// The key that it names.
    pub(crate) key: KeyId,
}

/// One agent's way to one host.
pub(crate) struct Tunnel {
    pub(crate) gateway: Arc<Shared>,
    pub(crate) session: Arc<Session>,
    pub(crate) to: Authority,
    /// The host and port, for the log.
    pub(crate) name: Box<str>,
    /// The host as the header `Host` names it to the upstream.
    pub(crate) host: Option<HeaderValue>,
    pub(crate) way: Way,
    /// In base-URL mode, the beginning of the targets.
    pub(crate) base: Option<Base>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) activity: Activity,
    _place: Arc<ConnectionPermit>,
}

impl Tunnel {
    pub(crate) fn new(
        gateway: &Arc<Shared>,
        session: &Arc<Session>,
        to: Authority,
        way: Way,
        base: Option<Base>,
        activity: Activity,
        place: Arc<ConnectionPermit>,
    ) -> Arc<Self> {
        let (dialer, pool) = (Arc::clone(&gateway.dialer), Arc::clone(&session.pool));
        let upstreams = Upstreams::new(to.clone(), way != Way::Plain, dialer, pool);
        let (gateway, session) = (Arc::clone(gateway), Arc::clone(session));
        let host = match way {
            Way::Plain if to.port == 80 => to.host.to_string(),
            Way::Plain => to.to_string(),
            Way::Tls | Way::Server => host_value(&to),
        };
        let (name, host) = (to.to_string().into(), HeaderValue::try_from(host).ok());
        Arc::new(Self { gateway, session, to, name, host, way, base, upstreams, activity, _place: place })
    }

    /// The scrubber of what the agent is told now. `None` if the agent may act no more: then values are closed that an answer may
    /// still have, and nothing more is told.
    pub(crate) fn scrubber(&self) -> Option<Arc<Scrubber>> {
        let scrubber = self.session.scrubber(&self.gateway.opened, &*self.gateway.source);
        // Asked afterwards: what was made before the end knows all values.
        self.stands().then_some(scrubber)
    }

    /// As [`Self::scrubber`]. If the agent may act no more, this waits: what carries the answer is about to be cut.
    pub(crate) async fn scrubber_or_end(&self) -> Arc<Scrubber> {
        loop {
            match self.scrubber() {
                Some(scrubber) => return scrubber,
                None => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// The scrubber of what the agent is told now. `last` holds the last one, and the revisions of the source and of the opened
    /// values that it is of: if both are the same, no lock is taken. `last` keeps no value in memory while nobody else does.
    pub(crate) fn scrubber_again(&self, last: &mut ((u64, u64), Weak<Scrubber>)) -> Option<Arc<Scrubber>> {
        let source = &*self.gateway.source;
        let opened = self.gateway.opened.revision();
        if let Some(scrubber) = last.1.upgrade().filter(|_| last.0 == (source.revision(), opened)) {
            return Some(scrubber);
        }
        let (scrubber, revision) = made_of(source, |_| self.scrubber());
        let scrubber = scrubber?;
        if let Some(revision) = revision {
            *last = ((revision, opened), Arc::downgrade(&scrubber));
        }
        Some(scrubber)
    }

    /// Writes into the log that an answer contained a value, which was covered. It is worth a line: this host repeats what it is
    /// sent, and an agent that has it repeat guesses learns from the cover which guess is right. `of` is the line of the answered
    /// request.
    pub(crate) fn covered(&self, of: u64) {
        let (agent, host) = (&self.session.agent.name, &self.name);
        let event = Event { agent, host, decision: "cover", code: "value_in_answer", of, ..Event::default() };
        // A failure to write is ignored here: the request's own line is the one without which nothing is sent.
        let _ = self.gateway.log.record(&event);
    }

    /// Writes into the log that an answer cannot be looked through, and so does not go on. `of` is the line of its request.
    pub(crate) fn unreadable(&self, of: u64) {
        let (agent, host, code) = (&self.session.agent.name, &self.name, Code::ScrubUnreadable.word());
        let event = Event { agent, host, decision: "cut", code, of, ..Event::default() };
        let _ = self.gateway.log.record(&event);
    }

    /// Whether what is open must end: the agent was revoked, or a key in use was changed or taken away.
    pub(crate) fn must_end(&self) -> bool {
        let source = &self.gateway.source;
        if !self.stands() {
            return true;
        }
        let grants = source.grants(&self.session.agent);
        let gone = self.way == Way::Tls && policy::known(&grants, &self.to) != Known::Here;
        gone || !self.activity.all(|used| grants.contains(used))
    }

    /// Whether the tunnel's agent may act, and grants are recent enough to say so.
    pub(crate) fn stands(&self) -> bool {
        let source = &self.gateway.source;
        source.is_current() && source.stands(&self.session.agent)
    }

    /// Waits until the tunnel must end.
    pub(crate) async fn ended(&self) {
        self.gateway.until(|| self.must_end()).await;
        self.say("cut", Code::AccessRestricted);
    }

    /// Writes a line into the log that is about the tunnel and no request.
    pub(crate) fn say(&self, decision: &str, code: Code) {
        let _ = self.record_tunnel(decision, code.word(), 0);
    }

    /// Writes into the log that a tunnel was opened that the gateway does not look into.
    pub(crate) fn opened(&self) -> std::io::Result<()> {
        self.record_tunnel("tunnel", "", 200)?;
        self.gateway.source.count(&self.session.agent, None, Decision::Tunnel);
        Ok(())
    }

    fn record_tunnel(&self, decision: &str, code: &str, status: u16) -> std::io::Result<u64> {
        let agent = &self.session.agent.name;
        self.gateway.log.record(&Event {
            agent,
            method: "CONNECT",
            host: &self.name,
            decision,
            code,
            status,
            ..Event::default()
        })
    }

    /// Waits until a tunnel that the gateway does not look into must end.
    pub(crate) async fn blind_ended(&self) {
        self.gateway.until(|| !self.stands()).await;
        self.say("cut", Code::AccessRestricted);
    }
}
