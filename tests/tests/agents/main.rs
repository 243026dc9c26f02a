//! Gateways and their agents: the commands, what a running gateway knows, and what a lying server can do about it. What is
//! tested of a gateway is its verified state; the proxy stands on it.

#![expect(clippy::unwrap_used, reason = "a test's helpers: a failure is the test's failure")]

mod commands;
mod excluded;
mod following;
mod hostile;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use keyward_cli::ctx::{Ctx, Env, Global};
use keyward_cli::fault::{Code, code_of};
use keyward_cli::session::credential::Credential;
use keyward_cli::vault::freshness::Freshness;
use keyward_cli::vault::gateway::{Clock, Keeper, Live, SystemClock};
use keyward_gateway::{Agent, Closed};
use keyward_tests::liar::Liar;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP, World};
use keyward_wire::KeyId;
use zeroize::Zeroizing;

/// The gateway.
const EDGE: &str = "canary-edge";
/// The gateway's group, which may read all three keys.
const EDGES: &str = "canary-edges";
/// An agent in [`GROUP`], for which EXCLUDED is excluded. It was granted all three keys.
const BOT: &str = "canary-bot";
/// An agent in [`EDGES`], granted all three.
const FREE: &str = "canary-free-bot";

/// A world with a gateway and two agents.
struct Edge {
    world: World,
    token: String,
    bot: String,
    free: String,
}

impl Edge {
    fn new(engine: Engine) -> Self {
        let world = World::new(engine);
        let owner = &world.owner;
        owner.ok(&["group", "create", EDGES]);
        owner.ok(&["group", "assign", EDGES, DEPLOYMENT]);
        let line = |words: &[&str]| owner.ok(words).trim_end().to_owned();
        let token = line(&["api-user", "create", EDGE, "--gateway", "--group", EDGES]);
        let bot = line(&["agent", "create", BOT, "--gateway", EDGE, "--group", GROUP]);
        let free = line(&["agent", "create", FREE, "--group", EDGES]);
        for agent in [BOT, FREE] {
            owner.ok(&["agent", "grant", agent, ALPHA.0, BETA.0, EXCLUDED.0]);
        }
        Self { world, token, bot, free }
    }

    fn key(&self, name: &str) -> KeyId {
        self.world.insider().key(name)
    }

    /// Signs in as the gateway, once; without a memory beyond it.
    fn start(&self) -> Running {
        self.start_at(&self.world.server.url(), None).unwrap()
    }

    /// Starts it through a man in the middle, or with a folder to remember in.
    fn start_at(&self, url: &str, home: Option<&std::path::Path>) -> Result<Running, Code> {
        Running::start(url, &self.token, home)
    }

    fn liar(&self) -> Liar {
        self.world.liar()
    }
}

/// A gateway's state, kept by a thread of its own once it is told to.
struct Running {
    live: Live,
    clock: Arc<TestClock>,
    follow: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<Code>>,
}

impl Running {
    fn start(url: &str, token: &str, home: Option<&std::path::Path>) -> Result<Self, Code> {
        let global = Global {
            url: Some(url.to_owned()),
            home: home.map(std::path::Path::to_owned),
            quiet: true,
            ..Global::default()
        };
        let env = Env { token: Some(Zeroizing::new(token.to_owned())), ..Env::default() };
        let ctx = Ctx::new(global, env);
        let clock = Arc::new(TestClock { machine: SystemClock::new(), ahead: AtomicU64::new(0) });
        let (told, started) = mpsc::channel();
        let (follow, go) = mpsc::channel::<()>();
        let its_clock: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let credential = Credential::find(&ctx).unwrap();
                match Keeper::start(&ctx, credential, Freshness::default(), its_clock).await {
                    Err(error) => {
                        told.send(None).unwrap();
                        code_of(&error)
                    }
                    Ok(mut keeper) => {
                        told.send(Some(keeper.live())).unwrap();
                        // Until it is told to follow; or never, and the test is over.
                        if go.recv().is_err() {
                            return Code::Unexpected;
                        }
                        code_of(&keeper.run(&ctx).await)
                    }
                }
            })
        });
        match started.recv().unwrap() {
            Some(live) => Ok(Self { live, clock, follow: Some(follow), thread: Some(thread) }),
            None => Err(thread.join().unwrap()),
        }
    }

    /// Lets it follow every change, from now on.
    fn follow(mut self) -> Self {
        self.follow.take().unwrap().send(()).unwrap();
        self
    }

    /// Waits until it has given up; with which code.
    fn ended(mut self) -> (Live, Code) {
        let code = self.thread.take().unwrap().join().unwrap();
        (self.live, code)
    }

    /// Waits until something is so. Looks only when the gateway says that something changed.
    fn until(&self, what: &str, is: impl Fn(&Live) -> bool) {
        runtime().block_on(async {
            let waiting = async {
                loop {
                    let seen = self.live.revision();
                    if is(&self.live) {
                        return;
                    }
                    self.live.changed(seen).await;
                }
            };
            assert!(tokio::time::timeout(Duration::from_mins(1), waiting).await.is_ok(), "never {what}");
        });
    }

    fn client(&self, credential: &str) -> Agent {
        self.live.agent(credential).expect("a known agent")
    }

    /// The value that a key has for whoever shows this credential.
    fn open(&self, credential: &str, key: KeyId) -> Result<String, Closed> {
        open(&self.live, &self.client(credential), key)
    }

    /// Names of the keys that may be used for whoever shows this credential.
    fn usable(&self, credential: &str) -> Vec<String> {
        let mut names: Vec<_> =
            self.live.usable(&self.client(credential)).iter().map(|key| key.name.to_string()).collect();
        names.sort();
        names
    }
}

fn open(live: &Live, client: &Agent, key: KeyId) -> Result<String, Closed> {
    live.open(client, key).map(|opened| String::from_utf8(opened.secret.value.to_vec()).unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// This machine's clocks, moved ahead by as much as a test says.
struct TestClock {
    machine: SystemClock,
    ahead: AtomicU64,
}

impl TestClock {
    fn advance(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.load(Ordering::SeqCst))
    }
}

impl Clock for TestClock {
    fn wall(&self) -> i64 {
        self.machine.wall() + i64::try_from(self.ahead().as_millis()).unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.machine.elapsed() + self.ahead()
    }
}
