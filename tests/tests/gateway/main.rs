//! The gateway as its users run it: `keyward proxy`, and real programs behind it.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test's helpers: its files are its own, a failure is the test's failure"
)]

mod behind;
mod calls;
mod clients;
mod commands;
mod control;
mod doctor;
mod exposure;
mod files;
mod git;
mod grpc;
mod packages;
mod signals;
mod strict;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use keyward_tests::authority::Authority;
use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, program};
use keyward_tests::world::{ALPHA, BETA, GROUP, World};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The value that no agent may see.
const SECRET: &str = "sk-canary-6Qf2vN8xRk3ZtYw7LmPb4HdC";

/// A world with a gateway's identity, an agent that may use one key, and a service at `localhost:PORT` that the key is for.
struct Scene {
    world: World,
    gateway: Machine,
    /// The gateway's token.
    token: String,
    credential: String,
    authority: Authority,
    service: Service,
}

impl Scene {
    fn new() -> Self {
        Self::of("bearer", |authority| Service::start(authority, echo))
    }

    /// A scene with this service, whose key is injected so.
    fn of(inject: &str, service: impl FnOnce(&Authority) -> Service) -> Self {
        let world = World::new(Engine::Sqlite);
        let authority = Authority::new();
        let service = service(&authority);
        let owner = &world.owner;
        let host = format!("localhost:{}", service.port);
        let words = ["key", "set", BETA.0, "--value-stdin", "--host", &host, "--inject", inject];
        owner.keyward_with(&words, SECRET.as_bytes()).ok(&words);
        let token =
            owner.ok(&["api-user", "create", "edge", "--gateway", "--group", GROUP]).trim_end().to_owned();
        let credential = owner
            .ok(&["agent", "create", "bot", "--gateway", "edge", "--group", GROUP])
            .trim_end()
            .to_owned();
        owner.ok(&["agent", "grant", "bot", BETA.0, ALPHA.0]);
        let gateway = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &token);
        let home = gateway.path("keyward");
        let gateway = gateway.with("KEYWARD_HOME", home);
        Self { world, gateway, token, credential, authority, service }
    }

    /// An address of the service.
    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.service.port)
    }

    /// Words by which the gateway may reach the service.
    fn reach(&self) -> Vec<String> {
        let host = format!("localhost:{}", self.service.port);
        let ca = self.authority.path("ca.pem").to_string_lossy().into_owned();
        ["--upstream-ca", &ca, "--allow-private", &host].map(ToOwned::to_owned).to_vec()
    }

    /// `keyward proxy` on a free port.
    fn start(&self) -> Running {
        self.start_with(&self.reach())
    }

    fn start_with(&self, words: &[String]) -> Running {
        let mut command = self.gateway.command(program("keyward"));
        Running::start(command.args(["proxy", "--listen", "127.0.0.1:0"]).args(words))
    }

    /// A machine of the agent's: variables of the gateway, nothing of keyward's.
    fn agent(&self, at: &str) -> Machine {
        let file = self.gateway.write("bot.txt", &self.credential);
        private(&file);
        let file = file.to_string_lossy();
        let words =
            ["proxy", "env", "--agent", "bot", "--credential-file", &file, "--at", at, "--format", "json"];
        let text = self.gateway.ok(&words);
        let variables: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        let machine = Machine::new("").without("KEYWARD_URL");
        // The service of the test is on this machine, which a program reaches directly unless it is told otherwise.
        let variables = variables.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("no_proxy"));
        variables.fold(machine, |machine, (name, value)| machine.with(&name, value))
    }
}

fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn said(process: &mut Child) -> String {
    let mut text = String::new();
    let _ = process.kill();
    let _ = process.stderr.take().unwrap().read_to_string(&mut text);
    text
}

/// A gateway that runs.
struct Running {
    at: String,
    process: Child,
}

impl Running {
    /// Starts it. The first place where it listens is an address.
    fn start(command: &mut Command) -> Self {
        let (mut out, mut running) = Self::begin(command);
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let at = line.trim_end().strip_prefix("http://").map(ToOwned::to_owned);
        running.at = at.unwrap_or_else(|| panic!("{line:?}: {}", said(&mut running.process)));
        running
    }

    /// Starts it. Where it is, it is yet to say.
    fn begin(command: &mut Command) -> (BufReader<ChildStdout>, Self) {
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        (out, Self { at: String::new(), process })
    }

    /// Asks it to end, and waits. What it said.
    fn end(mut self) -> String {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut text = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.process.wait().unwrap().success(), "{text}");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A service over TLS that keeps what it was told.
struct Service {
    port: u16,
    seen: Arc<Mutex<String>>,
    /// The gateway's process, if it is not this one.
    process: Option<Child>,
}

/// The stream that a service reads requests from.
type Stream = BufReader<StreamOwned<ServerConnection, TcpStream>>;

impl Service {
    /// Starts a service that answers a request, once its head was read, with what `answer` says.
    fn start(
        authority: &Authority,
        answer: impl Fn(&str, &mut Stream) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let chain = CertificateDer::pem_file_iter(authority.path("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(authority.path("server.key")).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let (tls, seen, answer) = (Arc::new(tls), Arc::new(Mutex::new(String::new())), Arc::new(answer));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, seen, answer) = (Arc::clone(&tls), Arc::clone(&own), Arc::clone(&answer));
                std::thread::spawn(move || {
                    serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &seen, &*answer);
                });
            }
        });
        Self { port, seen, process: None }
    }

    fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn serve(
    stream: StreamOwned<ServerConnection, TcpStream>,
    seen: &Mutex<String>,
    answer: &dyn Fn(&str, &mut Stream) -> Vec<u8>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        seen.lock().unwrap().push_str(&head);
        let answer = answer(&head, &mut stream);
        if stream.get_mut().write_all(&answer).is_err() {
            return;
        }
    }
}

/// The head of the request.
fn echo(head: &str, _: &mut Stream) -> Vec<u8> {
    ok("text/plain", head.as_bytes())
}

/// An answer of this kind.
fn ok(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
