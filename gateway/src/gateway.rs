//! The gateway as a whole: what its connections share, and how long it lives.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use keyward_wire::rule::{Authority, Host};
use keyward_wire::{AgentId, Sha256};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::accept;
use crate::agent::Session;
use crate::auth::Throttle;
use crate::ca::Ca;
use crate::config::{Config, Egress};
use crate::control::Control;
use crate::dial::Dialer;
use crate::limits::{Limits, Share};
use crate::log::{Head, Log};
use crate::opened::Opened;
use crate::refuse::{Code, Refusal};
use crate::source::{Agent, Grant, SecretSource};
use crate::strangers::Strangers;
use crate::threads::{Dealer, Seat, Threads};

/// A gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
    /// All senders gone: nothing is open any more.
    open: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

/// Where agents come in.
pub enum Listener {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket. Who may open it is said by its file.
    Unix(UnixListener),
}

pub(crate) struct Inner {
    pub(crate) source: Arc<dyn SecretSource>,
    pub(crate) ca: Arc<Ca>,
    pub(crate) log: Log,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) egress: Egress,
    pub(crate) clock: fn() -> SystemTime,
    pub(crate) throttle: Throttle,
    pub(crate) strangers: Arc<Strangers>,
    pub(crate) opened: Opened,
    /// Told whenever something that is open may have to end.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) stop: watch::Sender<bool>,
    console: Option<String>,
    provider: fn(&Authority) -> Option<&'static str>,
    sessions: Mutex<HashMap<(AgentId, Sha256), Arc<Session>>>,
    /// What all agents may use together, and how much that is.
    pub(crate) share: Arc<Share>,
    limits: Limits,
    alive: Mutex<Option<mpsc::Sender<()>>>,
    threads: Dealer,
}

impl Gateway {
    /// A gateway that listens nowhere yet. Connections from agents will live on `threads`.
    ///
    /// # Errors
    /// If the TLS library has no usable protocol version.
    pub fn new(
        mut config: Config,
        ca: Arc<Ca>,
        source: Arc<dyn SecretSource>,
        log: Log,
        threads: &Threads,
    ) -> Result<Self, rustls::Error> {
        let limits = Limits::of_this_process(threads.descriptors());
        let share = Arc::new(limits.whole());
        let dialer = Arc::new(Dialer::new(&mut config, Arc::clone(&share))?);
        let (alive, open) = mpsc::channel(1);
        let inner = Inner {
            source,
            ca,
            log,
            dialer,
            egress: config.egress,
            clock: config.clock,
            throttle: Throttle::default(),
            strangers: Arc::new(Strangers::new(limits.strangers)),
            opened: Opened::default(),
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
        Ok(Self { inner: Arc::new(inner), open: Arc::new(Mutex::new(Some(open))) })
    }

    /// Serves what comes in at `listener`, until [`Self::stop`]. Several may be served at once.
    ///
    /// # Errors
    /// The listener's.
    pub async fn serve(&self, listener: Listener) -> io::Result<()> {
        while let Some(stream) = self.next(&listener).await? {
            let Some((thread, seat)) = self.inner.threads.seat() else { return Ok(()) };
            // One that ended meanwhile, or that no thread has room for, is closed.
            let Ok(stream) = stream.moved() else { continue };
            let inner = Arc::clone(&self.inner);
            self.inner.spawn_on(thread, accepted(inner, stream, seat));
        }
        Ok(())
    }

    /// Serves those who run the gateway, not agents (see [`crate::control`]): the same way, until the same end. `names` are those
    /// by which the listener is reached, beside addresses and `localhost`.
    ///
    /// # Errors
    /// The listener's.
    pub async fn serve_control(&self, listener: Listener, names: Vec<Host>) -> io::Result<()> {
        let control = Control::new(Arc::clone(&self.inner), names.into());
        while let Some(stream) = self.next(&listener).await? {
            let control = control.clone();
            match stream {
                Stream::Tcp(stream) => self.inner.spawn(control.serve(stream)),
                Stream::Unix(stream) => self.inner.spawn(control.serve(stream)),
            }
        }
        Ok(())
    }

    /// The next connection. None: the gateway has ended.
    async fn next(&self, listener: &Listener) -> io::Result<Option<Stream>> {
        let mut stop = self.inner.stop.subscribe();
        loop {
            tokio::select! {
                () = stopped(&mut stop) => return Ok(None),
                accepted = listener.accept() => match accepted {
                    Ok(stream) => return Ok(Some(stream)),
                    // A client that is already gone, or a moment without file descriptors.
                    Err(error) if is_passing(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Looks after what is open: tells it of changes, forgets what is old, brings the log to the disk. Ends with the gateway.
    pub async fn watch(&self) {
        let inner = &self.inner;
        let mut stop = inner.stop.subscribe();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut revision = inner.source.revision();
        let mut syncing: Option<JoinHandle<io::Result<()>>> = None;
        loop {
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = inner.source.changed(revision) => {
                    revision = inner.source.revision();
                    inner.changed();
                }
                _ = tick.tick() => {
                    inner.tick();
                    // Not waited for: a slow disk must not hold up a revocation.
                    if syncing.as_ref().is_none_or(JoinHandle::is_finished) {
                        let log = inner.log.clone();
                        syncing = Some(tokio::task::spawn_blocking(move || log.sync()));
                    }
                }
            }
        }
    }

    /// Takes no more connections, and no more requests on those that are open.
    pub fn stop(&self) {
        self.inner.stop.send_replace(true);
        self.inner.alive.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What this agent may use, each with what it holds instead of the value, in the session that it has now.
    pub fn placeholders(&self, agent: &Agent) -> Vec<(Grant, Arc<str>)> {
        let session = self.inner.session(agent.clone());
        let grants = self.inner.source.grants(agent);
        let own = |grant: &Grant| session.placeholders.of(grant.key, grant.provider.as_deref());
        grants.iter().map(|grant| (grant.clone(), own(grant))).collect()
    }

    /// How far the log goes. As far as it can, that is on the disk then.
    pub fn log_head(&self) -> Head {
        let _ = self.inner.log.sync();
        self.inner.log.head()
    }

    /// Waits until nothing is open any more, but not longer than `at_most`. Whether that is so.
    pub async fn drained(&self, at_most: Duration) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut open) = open else { return true };
        timeout(at_most, open.recv()).await.is_ok()
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Without it, small writes wait for the answer to the one before.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection on its way from one thread to another.
enum Moved {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Stream {
    fn moved(self) -> io::Result<Moved> {
        Ok(match self {
            Self::Tcp(stream) => Moved::Tcp(stream.into_std()?),
            Self::Unix(stream) => Moved::Unix(stream.into_std()?),
        })
    }
}

/// Serves a connection on the thread that it is on from now on.
async fn accepted(inner: Arc<Inner>, stream: Moved, seat: Seat) {
    match stream {
        Moved::Tcp(stream) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            accept::serve(inner, stream, seat).await;
        }
        Moved::Unix(stream) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            accept::serve(inner, stream, seat).await;
        }
    }
}

impl Inner {
    /// Runs `task` on this thread; the gateway is not drained before it has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_on(&Handle::current(), task);
    }

    fn spawn_on(&self, thread: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(alive) = alive else { return };
        thread.spawn(async move {
            task.await;
            drop(alive);
        });
    }

    /// What is kept for this agent.
    pub(crate) fn session(&self, agent: Agent) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (agent.id, agent.credential);
        Arc::clone(
            sessions.entry(id).or_insert_with(|| Session::new(agent, &self.dialer, self.limits.half())),
        )
    }

    /// A host that no key of the agent is for. Whether there is one that was taken away is not looked at.
    pub(crate) fn not_connected(&self, to: &Authority) -> Refusal {
        // A key goes over TLS only.
        let port = if to.port == 80 { 443 } else { to.port };
        let to = Authority { host: to.host.clone(), port };
        let provider = (self.provider)(&to);
        let code = if provider.is_some() { Code::AppNotConnected } else { Code::CredentialNotFound };
        let mut refusal = Refusal::from(code);
        refusal.provider = provider;
        refusal.connect_url = self.console.as_ref().map(|console| {
            // What a host may be made of needs no escaping.
            let provider = provider.map(|provider| format!("&provider={provider}")).unwrap_or_default();
            format!("{console}#connect?host={to}{provider}")
        });
        refusal
    }

    /// The same for a host that answered and wants a credential, if there is a place to connect it.
    pub(crate) fn to_connect(&self, to: &Authority) -> Option<Refusal> {
        Some(self.not_connected(to)).filter(|refusal| refusal.connect_url.is_some())
    }

    /// Adds where a person can do something about it: the console that the operator named, and nothing that a server said.
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

    /// Waits until `over` is true, which is asked at once and after every change: one that came before is not missed.
    pub(crate) async fn until(&self, over: impl Fn() -> bool) {
        let mut changes = self.changes.subscribe();
        while !over() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn tick(&self) {
        // Time ends what is known, and credentials, without telling anybody.
        let current = self.source.is_current();
        if !current {
            self.changed();
        }
        // Who stands is known only then. Placeholders outlive an hour without a server.
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
        // Looked after one by one, without the list: whoever comes in now does not wait for that.
        let sessions: Vec<Arc<Session>> = {
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.values().map(Arc::clone).collect()
        };
        let now = Instant::now();
        for session in &sessions {
            session.stay(&self.opened, &*self.source, now);
        }
        self.opened.sweep(&*self.source, now);
        for session in &sessions {
            session.pool.sweep();
            session.forget(&self.opened);
        }
    }
}

/// Waits until the gateway ends.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_passing(error: &io::Error) -> bool {
    // EMFILE, ENFILE, ENOBUFS, ENOMEM have no kind of their own.
    matches!(error.raw_os_error(), Some(23 | 24 | 105 | 12))
        || matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
        )
}

const TICK: Duration = Log::SYNC;
