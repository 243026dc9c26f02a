//! One agent's way to one host: what its requests need to know, when it must end, what the log says of it.

use std::sync::{Arc, Weak};

use http::HeaderValue;
use keyward_wire::KeyId;
use keyward_wire::rule::Authority;

use crate::activity::Activity;
use crate::agent::{Place, Session};
use crate::log::Event;
use crate::policy::{self, Known};
use crate::redact::Scrubber;
use crate::refuse::Code;
use crate::shared::Shared;
use crate::source::made_of;
use crate::upstream::{Upstreams, host_value};

/// How requests get to the gateway, and on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Inside TLS, after a `CONNECT`.
    Tls,
    /// In the clear, to the gateway as if it were the service, and on over TLS.
    Server,
    /// In the clear, and on in the clear: no key.
    Plain,
}

/// The address that a service has at the gateway: `/-/KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// As it stands before the path that is meant.
    pub(crate) prefix: String,
    /// The key that it names.
    pub(crate) key: KeyId,
}

/// One agent's way to one host.
pub(crate) struct Tunnel {
    pub(crate) gateway: Arc<Shared>,
    pub(crate) session: Arc<Session>,
    pub(crate) to: Authority,
    /// The same for the log.
    pub(crate) name: Box<str>,
    /// And for the upstream, as `Host` has it.
    pub(crate) host: Option<HeaderValue>,
    pub(crate) way: Way,
    /// In base-URL mode, how its targets begin.
    pub(crate) base: Option<Base>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) activity: Activity,
    _place: Arc<Place>,
}

impl Tunnel {
    pub(crate) fn new(
        gateway: &Arc<Shared>,
        session: &Arc<Session>,
        to: Authority,
        way: Way,
        base: Option<Base>,
        activity: Activity,
        place: Arc<Place>,
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

    /// What is to be kept out of what the agent is told now.
    pub(crate) fn scrubber(&self) -> Arc<Scrubber> {
        self.session.scrubber(&self.gateway.opened, &*self.gateway.source)
    }

    /// The same, if it was asked for before: `last` has which state of what is granted and open that was for. Nobody waits for a
    /// lock then, and nobody who waits for something else keeps a value here.
    pub(crate) fn scrubber_again(&self, last: &mut ((u64, u64), Weak<Scrubber>)) -> Arc<Scrubber> {
        let source = &*self.gateway.source;
        let opened = self.gateway.opened.revision();
        if let Some(scrubber) = last.1.upgrade().filter(|_| last.0 == (source.revision(), opened)) {
            return scrubber;
        }
        let (scrubber, revision) = made_of(source, |_| self.scrubber());
        if let Some(revision) = revision {
            *last = ((revision, opened), Arc::downgrade(&scrubber));
        }
        scrubber
    }

    /// Writes into the log that an answer had a value in it, which was covered: this host repeats what it is sent, and an agent
    /// that asks it for guesses would be told by the cover which is right. `of` is the line of the request that was answered.
    pub(crate) fn covered(&self, of: u64) {
        let (agent, host) = (&self.session.agent.name, &self.name);
        let event = Event { agent, host, decision: "cover", code: "value_in_answer", of, ..Event::default() };
        // The request's own row is what nothing happens without.
        let _ = self.gateway.log.record(&event);
    }

    /// Whether what is open must end: the agent was revoked, or a key in use is not what it was.
    pub(crate) fn must_end(&self) -> bool {
        let source = &self.gateway.source;
        if !self.stands() {
            return true;
        }
        let grants = source.grants(&self.session.agent);
        let gone = self.way == Way::Tls && policy::known(&grants, &self.to) != Known::Here;
        gone || !self.activity.all(|used| grants.contains(used))
    }

    /// Whether its agent may act, by what is known and recent.
    pub(crate) fn stands(&self) -> bool {
        let source = &self.gateway.source;
        source.is_current() && source.stands(&self.session.agent)
    }

    /// Waits until it must.
    pub(crate) async fn ended(&self) {
        self.gateway.until(|| self.must_end()).await;
        self.say("cut", Code::AccessRestricted);
    }

    /// Writes into the log what no request is about.
    pub(crate) fn say(&self, decision: &str, code: Code) {
        let _ = self.record_tunnel(decision, code.word(), 0);
    }

    /// Writes into the log that a tunnel was opened into which nobody looks.
    pub(crate) fn opened(&self) -> std::io::Result<()> {
        self.record_tunnel("tunnel", "", 200).map(|_| ())
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

    /// Waits until a tunnel that nobody looks into must end.
    pub(crate) async fn blind_ended(&self) {
        self.gateway.until(|| !self.stands()).await;
        self.say("cut", Code::AccessRestricted);
    }
}
