//! The gateway as the program that runs it uses it: made, served at listeners, watched, ended.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward_wire::rule::Host;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::accept;
use crate::ca::Ca;
use crate::config::Config;
use crate::control::Control;
use crate::log::{Head, Log};
use crate::shared::{Shared, stopped};
use crate::source::{Agent, Grant, SecretSource};
use crate::threads::{Seat, Threads};

/// A gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    /// Closed when all senders are gone: then no connection is open.
    open: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

/// Where agents come in.
pub enum Listener {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket. The permissions of its file decide who may connect.
    Unix(UnixListener),
}

impl Gateway {
    /// Makes a gateway that listens nowhere yet. Connections from agents will live on `threads`.
    ///
    /// # Errors
    /// If the TLS library has no usable protocol version.
    pub fn new(
        config: Config,
        ca: Arc<Ca>,
        source: Arc<dyn SecretSource>,
        log: Log,
        threads: &Threads,
    ) -> Result<Self, rustls::Error> {
        let (shared, open) = Shared::new(config, ca, source, log, threads)?;
        Ok(Self { shared: Arc::new(shared), open: Arc::new(Mutex::new(Some(open))) })
    }

    /// Serves the connections that arrive at `listener`, until [`Self::stop`]. Several listeners may be served at once.
    ///
    /// # Errors
    /// The listener's error.
    pub async fn serve(&self, listener: Listener) -> io::Result<()> {
        while let Some(stream) = self.next(&listener).await? {
            let Some((thread, seat)) = self.shared.seat() else { return Ok(()) };
            // A connection that ended meanwhile, or for which no thread has room, is closed.
            let Ok(stream) = stream.moved() else { continue };
            let shared = Arc::clone(&self.shared);
            self.shared.spawn_on(thread, accepted(shared, stream, seat));
        }
        Ok(())
    }

    /// Serves those who run the gateway, not agents (see [`crate::control`]), until [`Self::stop`]. `names` are the names by
    /// which the listener is reached, beside addresses and `localhost`.
    ///
    /// # Errors
    /// The listener's error.
    pub async fn serve_control(&self, listener: Listener, names: Vec<Host>) -> io::Result<()> {
        let control = Control::new(Arc::clone(&self.shared), names.into());
        while let Some(stream) = self.next(&listener).await? {
            let control = control.clone();
            match stream {
                Stream::Tcp(stream) => self.shared.spawn(control.serve(stream)),
                Stream::Unix(stream) => self.shared.spawn(control.serve(stream)),
            }
        }
        Ok(())
    }

    /// The next connection. `None` if the gateway has ended.
    async fn next(&self, listener: &Listener) -> io::Result<Option<Stream>> {
        let mut stop = self.shared.stop.subscribe();
        loop {
            tokio::select! {
                () = stopped(&mut stop) => return Ok(None),
                accepted = listener.accept() => match accepted {
                    Ok(stream) => return Ok(Some(stream)),
                    // The client is already gone, or file descriptors are short for the moment.
                    Err(error) if is_passing(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Looks after what is open until the gateway ends: tells connections of changes, forgets old values, syncs the log to disk.
    pub async fn watch(&self) {
        let shared = &self.shared;
        let mut stop = shared.stop.subscribe();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut revision = shared.source.revision();
        let mut syncing: Option<JoinHandle<io::Result<()>>> = None;
        loop {
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = shared.source.changed(revision) => {
                    revision = shared.source.revision();
                    shared.changed();
                }
                _ = tick.tick() => {
                    shared.tick();
                    // Not waited for: a slow disk must not hold up a revocation.
                    if syncing.as_ref().is_none_or(JoinHandle::is_finished) {
                        let log = shared.log.clone();
                        syncing = Some(tokio::task::spawn_blocking(move || log.sync()));
                    }
                }
            }
        }
    }

    /// Takes no more connections, and no more requests on those that are open.
    pub fn stop(&self) {
        self.shared.end();
    }

    /// The keys that this agent may use, each with its placeholder in the agent's present session.
    pub fn placeholders(&self, agent: &Agent) -> Vec<(Grant, Arc<str>)> {
        let session = self.shared.session(agent.clone());
        let grants = self.shared.source.grants(agent);
        let own = |grant: &Grant| session.placeholders.of(grant.key, grant.provider.as_deref());
        grants.iter().map(|grant| (grant.clone(), own(grant))).collect()
    }

    /// The last line's number and hash, after trying to sync the log to disk.
    pub fn log_head(&self) -> Head {
        let _ = self.shared.log.sync();
        self.shared.log.head()
    }

    /// Waits until no connection is open, but not longer than `at_most`. Returns whether none is open.
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
                // Without it, a small write waits until the previous one is acknowledged.
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

/// Serves a connection on the thread on which it will stay.
async fn accepted(shared: Arc<Shared>, stream: Moved, seat: Seat) {
    match stream {
        Moved::Tcp(stream) => {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            accept::serve(shared, stream, seat).await;
        }
        Moved::Unix(stream) => {
            let Ok(stream) = UnixStream::from_std(stream) else { return };
            accept::serve(shared, stream, seat).await;
        }
    }
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
