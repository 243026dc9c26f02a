//! Placeholders that stand elsewhere than in their key's place: they go on as they are, and the log says so.
//!
//! Agents quote their own transcripts, so a placeholder in another place is no reason to refuse a request. But an agent that
//! sends placeholders about may be probing where they are exchanged for values, or may be a program that puts its key where the
//! rule does not look.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::entry::Entry;
use crate::log::Event;
use crate::placeholder::Watch;
use crate::request_body::Watcher;
use crate::tunnel::Tunnel;

/// Watches one request for such placeholders. The log is told once.
pub(crate) struct SkippedPlaceholders {
    watch: Watch,
    seen: bool,
    told: bool,
    tunnel: Arc<Tunnel>,
    method: Method,
    key: Option<Arc<str>>,
    /// The number of the request's `send` line in the log.
    of: u64,
}

impl SkippedPlaceholders {
    /// Looks through the head of a request as it will be sent.
    pub(crate) fn of(entry: &Entry, target: &[u8], headers: &HeaderMap) -> Self {
        // A sensitive header was put there by the gateway. A target or a body is looked at whole, with what the gateway wrote
        // into it: a value that looks like a placeholder counts as one there. Each text is looked at by itself: no placeholder
        // begins in one and ends in the next.
        let own = headers.values().filter(|value| !value.is_sensitive()).map(http::HeaderValue::as_bytes);
        let seen = own.chain([target]).any(|text| Watch::default().sees(text));
        Self {
            watch: Watch::default(),
            seen,
            told: false,
            tunnel: Arc::clone(&entry.tunnel),
            method: entry.method.clone(),
            key: entry.key.as_ref().map(|(_, name)| Arc::clone(name)),
            of: 0,
        }
    }

    /// Notes that the request is about to be sent, and the number of the log line that says so.
    pub(crate) fn sent(&mut self, line: u64) {
        self.of = line;
        self.tell();
    }

    fn tell(&mut self) {
        if !self.seen || self.told {
            return;
        }
        self.told = true;
        let event = Event {
            agent: &self.tunnel.session.agent.name,
            method: self.method.as_str(),
            host: &self.tunnel.name,
            key: self.key.as_deref().unwrap_or_default(),
            decision: "skip",
            code: "skipped_placeholder",
            of: self.of,
            ..Event::default()
        };
        // A failure to write is ignored here: the request's own line is the one without which nothing is sent.
        let _ = self.tunnel.gateway.log.record(&event);
    }
}

impl Watcher for SkippedPlaceholders {
    fn goes_on(&mut self, piece: &[u8]) -> bool {
        self.seen |= self.watch.sees(piece);
        self.tell();
        !self.told
    }
}
