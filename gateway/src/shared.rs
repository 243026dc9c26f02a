//! What the connections of a gateway share, and what they ask of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use keyward_wire::rule::Authority;
use keyward_wire::{AgentId, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::agent::Session;
use crate::auth::Throttle;
use crate::ca::Ca;
use crate::config::{Config, Egress};
use crate::dial::Dialer;
use crate::limits::{Limits, Share};
use crate::log::Log;
use crate::open_values::OpenValues;
use crate::refuse::{Code, Refusal};
use crate::source::{Agent, SecretSource};
use crate::strangers::Strangers;
use crate::threads::{Dealer, Seat, Threads};

/// What all connections of one gateway share.
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn SecretSource>,
    pub(crate) ca: Arc<Ca>,
    pub(crate) log: Log,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) egress: Egress,
    pub(crate) clock: fn() -> SystemTime,
    pub(crate) throttle: Throttle,
    pub(crate) strangers: Arc<Strangers>,
    pub(crate) opened: OpenValues,
    /// Tells everything that is open to check whether it must end.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) stop: watch::Sender<bool>,
    console: Option<String>,
    provider: fn(&Authority) -> Option<&'static str>,
    sessions: Mutex<HashMap<(AgentId, Sha256), Arc<Session>>>,
    /// The limits of all agents together, and their numbers.
    pub(crate) share: Arc<Share>,
    limits: Limits,
    alive: Mutex<Option<mpsc::Sender<()>>>,
    threads: Dealer,
}

impl Shared {
    /// Makes the shared part, and a receiver that is closed when nothing is open: then all its senders are gone.
    pub(crate) fn new(
        mut config: Config,
        ca: Arc<Ca>,
        source: Arc<dyn SecretSource>,
        log: Log,
        threads: &Threads,
    ) -> Result<(Self, mpsc::Receiver<()>), rustls::Error> {
        let limits = Limits::of_this_process(threads.descriptors());
        let share = Arc::new(limits.whole());
        let dialer = Arc::new(Dialer::new(&mut config, Arc::clone(&share))?);
        let (alive, open) = mpsc::channel(1);
        let shared = Self {
            source,
            ca,
            log,
            dialer,
            egress: config.egress,
            clock: config.clock,
            throttle: Throttle::default(),
            strangers: Arc::new(Strangers::new(limits.strangers)),
            opened: OpenValues::default(),
            changes: watch::Sender::new(0),
            stop: watch::Sender::new(false),
            console: config.console,
            provider: config.provider,
            sessions: Mutex::default(),
            share,
            limits,
            alive: Mutex::new(Some(alive)),
            threads: threads.dealer(),
        };
        Ok((shared, open))
    }

    /// A place for one more connection, and the thread that the place is on. `None` if the threads have ended.
    pub(crate) fn seat(&self) -> Option<(&Handle, Seat)> {
        self.threads.seat()
    }

    /// Tells everything that is open to end. Nothing begins after this.
    pub(crate) fn end(&self) {
        self.stop.send_replace(true);
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Runs `task` on this thread. The gateway counts as open until the task has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_on(&Handle::current(), task);
    }

    /// Runs `task` on another thread, and otherwise as [`Self::spawn`].
    pub(crate) fn spawn_on(&self, thread: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(alive) = alive else { return };
        thread.spawn(async move {
            task.await;
            drop(alive);
        });
    }

    /// The session of this agent, made if there is none.
    pub(crate) fn session(&self, agent: Agent) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (agent.id, agent.credential);
        Arc::clone(
            sessions.entry(id).or_insert_with(|| Session::new(agent, &self.dialer, self.limits.half())),
        )
    }

    /// The refusal for a host that no key of the agent is for. Whether there was one that was taken away is not looked at.
    pub(crate) fn not_connected(&self, to: &Authority) -> Refusal {
        // A key goes over TLS only, so the port of plain HTTP means that of HTTPS here.
        let port = if to.port == 80 { 443 } else { to.port };
        let to = Authority { host: to.host.clone(), port };
        let provider = (self.provider)(&to);
        let code = if provider.is_some() { Code::AppNotConnected } else { Code::CredentialNotFound };
        let mut refusal = Refusal::from(code);
        refusal.provider = provider;
        refusal.connect_url = self.console.as_ref().map(|console| {
            // The characters of a host's name need no escaping.
            let provider = provider.map(|provider| format!("&provider={provider}")).unwrap_or_default();
            format!("{console}#connect?host={to}{provider}")
        });
        refusal
    }

    /// The refusal that takes the place of the answer of a host that wants a credential, if there is a console where it can be
    /// connected.
    pub(crate) fn to_connect(&self, to: &Authority) -> Option<Refusal> {
        Some(self.not_connected(to)).filter(|refusal| refusal.connect_url.is_some())
    }

    /// Adds where a person can do something about a refusal: an address of the console that the operator named, and nothing that
    /// a server said.
    pub(crate) fn add_links(&self, refusal: &mut Refusal, session: &Session, to: Option<&Authority>) {
        match (refusal.code, to) {
            (Code::AppNotConnected, Some(to)) => *refusal = self.not_connected(to),
            (Code::AccessRestricted, _) => {
                let agent = session.agent.id;
                let link = |console: &String| format!("{console}#agent?id={agent}");
                refusal.manage_url = self.console.as_ref().map(link);
            }
            _ => {}
        }
    }

    /// Waits until `over` is true. It is checked at once and after every change, so that a change before this call is not missed.
    pub(crate) async fn until(&self, over: impl Fn() -> bool) {
        let mut changes = self.changes.subscribe();
        while !over() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Has everything that is open check whether it must end.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Once a second: ends sessions whose time is over, and forgets old values.
    pub(crate) fn tick(&self) {
        // Grants and credentials end by time, without an event.
        let current = self.source.is_current();
        if !current {
            self.changed();
        }
        // Only while grants are current is it known which agents stand. So placeholders outlive an hour without a server.
        let ended: Vec<Arc<Session>> = if current {
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions
                .extract_if(|_, session| !self.source.stands(&session.agent))
                .map(|(_, session)| session)
                .collect()
        } else {
            Vec::new()
        };
        for session in &ended {
            session.pool.clear();
        }
        if !ended.is_empty() {
            self.changed();
        }
        // The sessions are looked after one by one, without the lock on their list: a new connection does not wait.
        let sessions: Vec<Arc<Session>> = {
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.values().map(Arc::clone).collect()
        };
        let now = Instant::now();
        for session in &sessions {
            session.keep_open(&self.opened, &*self.source, now);
        }
        self.opened.sweep(&*self.source, now);
        for session in &sessions {
            session.pool.sweep();
            session.forget(&self.opened);
        }
    }
}

/// Waits until the gateway is told to end.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
