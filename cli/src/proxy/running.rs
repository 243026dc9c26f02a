//! A gateway from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use keyward_gateway::log::Head;
use keyward_gateway::{Ca, Config, Gateway, Listener, Log, SecretSource, Threads};
use keyward_wire::rule::Host;
use tokio::sync::watch;

use super::listen::{Bound, Listen, ListenAddr};
use super::{GatewayOptions, Sidecar, Source, State, now};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::session::credential::Credential;
use crate::vault::freshness::Freshness;
use crate::vault::gateway::{Keeper, Live, SystemClock};

/// A gateway that is prepared and does not serve yet.
pub struct Prepared {
    config: Config,
    bound: Vec<Bound>,
    /// The listener for those who run the gateway, if they are served.
    pub control: Option<Bound>,
    log: Log,
    /// The gateway's certificate authority.
    pub ca: Arc<Ca>,
    /// The gateway's knowledge.
    pub live: Live,
    /// Keeps that knowledge current, once it runs.
    pub keeper: Keeper,
}

/// The clients that a gateway is for.
#[derive(Clone, Copy)]
pub enum Serves<'a> {
    /// Everybody who has a credential and, at this place, if there is one, those who run the gateway. Its certificate authority
    /// is the stored one.
    Whoever(Option<&'a ListenAddr>),
    /// The one program that it starts. The program's variables tell it which authority to trust: one for that run, in memory
    /// only.
    OneProgram,
}

/// A gateway that serves, until it is dropped.
pub struct Running {
    /// The gateway.
    pub gateway: Gateway,
    listeners: Listeners,
}

impl Prepared {
    /// Signs the gateway in and learns everything for the first time. `serves` says which clients it is for.
    ///
    /// # Errors
    /// If anything is not as it must be: then no client is served.
    pub async fn new(
        ctx: &Ctx,
        options: &GatewayOptions,
        freshness: &Freshness,
        listen: Listen<'_>,
        serves: Serves<'_>,
    ) -> anyhow::Result<Self> {
        // Checked before anything is made: a user who is not signed in gets no new files.
        let mut credential = Credential::find(ctx)?;
        // The folder comes first: a socket may be in it.
        let state = State::find(ctx, options.state.as_deref())?;
        // With a token from outside, a client remembers nothing unless a folder is named. A gateway has a folder, and without a
        // memory whoever restarts it could bring back what was taken away.
        credential.home.get_or_insert_with(|| state.home());
        let (ca, control) = match serves {
            Serves::Whoever(control) => (state.ca()?, control),
            Serves::OneProgram => (Ca::for_one_run(now())?, None),
        };
        let ca = Arc::new(ca);
        let bound = listen.bind()?;
        let control = control.map(|place| place.bind(listen.beyond)).transpose()?;
        let config = options.config(bound.iter().chain(&control).filter_map(Bound::address).collect())?;
        let log = state.log()?;
        let clock = Arc::new(SystemClock::new());
        let keeper = Keeper::start(ctx, credential, freshness.clone(), clock).await?;
        Ok(Self { config, bound, control, log, ca, live: keeper.live(), keeper })
    }

    /// The places where the gateway listens.
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Begins to serve.
    ///
    /// # Errors
    /// If there are no threads for it.
    pub fn serve(self, sidecar: Option<Sidecar>) -> anyhow::Result<(Running, Keeper)> {
        let source = Arc::new(Source::new(self.live, sidecar));
        let running = Running::new(self.config, &self.ca, source, self.log, self.bound)?;
        Ok((running, self.keeper))
    }
}

impl Running {
    /// Begins to serve at these places.
    ///
    /// # Errors
    /// If there are no threads for it.
    pub fn new(
        config: Config,
        ca: &Arc<Ca>,
        source: Arc<dyn SecretSource>,
        log: Log,
        bound: Vec<Bound>,
    ) -> anyhow::Result<Self> {
        let threads = Threads::new()?;
        let gateway = Gateway::new(config, Arc::clone(ca), source, log, &threads)?;
        let listeners = Listeners { threads, failed: watch::Sender::default() };
        listeners.serve(&gateway, bound)?;
        Ok(Self { gateway, listeners })
    }

    /// Serves those who run the gateway at this place, which has these names, too.
    ///
    /// # Errors
    /// If there are no threads for it.
    pub fn serve_control(&self, bound: Bound, names: Vec<Host>) -> anyhow::Result<()> {
        let gateway = self.gateway.clone();
        self.listeners.spawn(bound, |listener| async move { gateway.serve_control(listener, names).await })
    }

    /// Waits until one of the listeners takes no more connections, which does not happen while the gateway serves normally.
    pub async fn failed(&self) -> anyhow::Error {
        let mut failed = self.listeners.failed.subscribe();
        let what = match failed.wait_for(|failed| !failed.is_empty()).await {
            Ok(failed) => failed.clone(),
            Err(_) => return std::future::pending().await,
        };
        Fault::new(Code::Unexpected, what).next("start the gateway again").into()
    }

    /// Ends the gateway. Requests under way have a moment to end by themselves, unless `at_once` says meanwhile that they must
    /// end. Returns the log's head.
    pub async fn end(self, ctx: &Ctx, at_once: impl Future<Output = ()>) -> Head {
        let Self { gateway, listeners } = self;
        gateway.stop();
        tokio::select! {
            biased;
            drained = gateway.drained(DRAIN) => if !drained {
                ctx.out.warn("some requests were cut off: they did not end in time");
            },
            () = at_once => ctx.out.warn("some requests were cut off: it was to end at once"),
        }
        // Requests that are cut off have their line in the log, too.
        drop(listeners);
        gateway.log_head()
    }
}

/// The listeners that are served, beside what this thread does.
struct Listeners {
    threads: Threads,
    /// The error of the listener that failed first. Empty if none has failed.
    failed: watch::Sender<String>,
}

impl Listeners {
    fn serve(&self, gateway: &Gateway, bound: Vec<Bound>) -> anyhow::Result<()> {
        for bound in bound {
            let serving = gateway.clone();
            self.spawn(bound, |listener| async move { serving.serve(listener).await })?;
        }
        let watching = gateway.clone();
        self.threads.front().spawn(async move { watching.watch().await });
        Ok(())
    }

    /// Serves the connections that arrive at a place.
    fn spawn<S>(&self, bound: Bound, serve: impl FnOnce(Listener) -> S) -> anyhow::Result<()>
    where
        S: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let thread = self.threads.front();
        let _entered = thread.enter();
        let (at, failed) = (bound.shown(), self.failed.clone());
        let serving = serve(bound.listener()?);
        thread.spawn(async move {
            if let Err(error) = serving.await {
                failed.send_if_modified(|first| {
                    let is_first = first.is_empty();
                    if is_first {
                        *first = format!("nothing is served at {at} any more: {error}");
                    }
                    is_first
                });
            }
        });
        Ok(())
    }
}

/// How long requests that are under way may take when the gateway ends.
const DRAIN: Duration = Duration::from_secs(10);
