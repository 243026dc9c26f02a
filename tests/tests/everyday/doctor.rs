//! Each thing that a doctor looks at, ill and well. It changes nothing, and tells no secret.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use keyward_tests::engines;
use keyward_tests::http::{Answer, Request};
use keyward_tests::leak::{Secret, absent};
use keyward_tests::machine::{Ended, Machine, run};
use keyward_tests::server::{Engine, Server, program};
use keyward_tests::world::{ALPHA, DEPLOYMENT, PASSWORD, World, new_robot};
use serde_json::Value;

#[test]
fn the_gateways_public_folder_is_nothing_to_mend() {
    let world = World::new(Engine::Sqlite);
    let public = world.owner.path(".keyward/gateway/public");
    std::fs::create_dir_all(&public).unwrap();
    std::fs::write(public.join("ca.pem"), "a certificate").unwrap();
    std::fs::set_permissions(&public, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let gateway = world.owner.path(".keyward/gateway");
    std::fs::set_permissions(&gateway, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    Found::of(&world.owner, 0).has("ok", "files", "nobody else may read it");
}

engines! {
    fn a_healthy_client_is_told_so_and_nothing_changes(engine) {
        let world = World::new(engine);
        world.owner.ok(&["key", "list"]);
        let before = snapshot(world.owner.home());
        let found = Found::of(&world.owner, 0);
        for (check, says) in [
            ("server", "answers in"),
            ("version", "the server is keyward"),
            ("TLS", "fine on this machine itself"),
            ("clock", "the server's"),
            ("files", "nobody else may read it"),
            ("memory", "is kept"),
            ("credential", "olga@canary.example is signed in until"),
            ("access", "administers 3 keys in 1 deployment of Canary Cultivators"),
            ("deployments", "no .keyward-deployment"),
        ] {
            found.has("ok", check, says);
        }
        assert_eq!(snapshot(world.owner.home()), before, "a doctor changed something");
        let robot = Found::of(&world.robot, 0);
        robot.has("ok", "credential", "the token of KEYWARD_TOKEN");
        robot.has("ok", "access", "may read 2 keys in 1 deployment");
        robot.has("warn", "files", "there is no HOME");
        let secrets = [
            Secret::new("the token's secret", world.token.split('_').nth(2).unwrap()),
            Secret::new("a value", ALPHA.1),
            Secret::new("the password", PASSWORD),
        ];
        absent(&secrets, robot.said.as_bytes(), "what a doctor says");
        absent(&secrets, found.said.as_bytes(), "what a doctor says");
    }
}

#[test]
fn with_nothing_set_up_it_says_where_to_begin() {
    let fresh = Machine::new("").without("KEYWARD_URL");
    let found = Found::of(&fresh, 0);
    found.has("ok", "files", "is not there yet");
    found.has("warn", "credential", "nobody is signed in here");
    found.next("credential", "keyward quickstart");
    found.has("warn", "server", "none is named");
    assert!(std::fs::read_dir(fresh.home()).unwrap().next().is_none(), "a doctor leaves nothing behind");

    let mut bare = Command::new(program("keyward"));
    bare.arg("doctor").env_clear().current_dir("/");
    let ended = run(bare, b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(String::from_utf8_lossy(&ended.stdout).contains("there is no HOME"), "{}", ended.said());
}

#[test]
fn who_else_can_use_the_token_file_is_said_and_is_no_failure() {
    let world = World::new(Engine::Sqlite);
    let machine = Machine::new(&world.server.url());
    let file = machine.write("token", &world.token);
    let machine = machine.with("KEYWARD_TOKEN_FILE", &file);
    for (mode, state, says) in [
        (0o600, "ok", "nobody else may read it"),
        (0o440, "ok", "its group can read"),
        (0o444, "ok", "every user of this machine can read"),
        (0o620, "warn", "its group can change"),
        (0o666, "warn", "every user of this machine can change"),
    ] {
        set_mode(&file, mode);
        let found = Found::of(&machine, 0);
        found.has(state, "token file", says);
        // It is the doctor's to say, and nobody else's.
        let ended = machine.keyward(&["deployment", "env-file", DEPLOYMENT, "--stdout"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{mode:o}");
    }
    Found::of(&machine, 0).next("token file", "chmod go-w");
}

#[test]
fn what_others_can_read_is_named_with_the_command_that_mends_it() {
    let world = World::new(Engine::Sqlite);
    world.owner.ok(&["key", "list"]);
    let home = world.owner.path(".keyward");
    let state = std::fs::read_dir(home.join("state")).unwrap().next().unwrap().unwrap().path();
    for (path, good, bad) in
        [(home.clone(), 0o700, 0o755), (home.join("config.toml"), 0o600, 0o644), (state, 0o600, 0o640)]
    {
        set_mode(&path, bad);
        let found = Found::of(&world.owner, 9);
        found.has("fail", "files", &format!("others may read {}", path.display()));
        found.next("files", "chmod");
        set_mode(&path, good);
    }
    Found::of(&world.owner, 0);
    world.owner.write(".keyward/config.toml", "login = {");
    set_mode(&home.join("config.toml"), 0o600);
    Found::of(&world.owner, 1).has("fail", "files", "cannot be understood");
    // It may name a server: that none is named is not known.
    let machine = Machine::new("").without("KEYWARD_URL");
    std::fs::create_dir(machine.path(".keyward")).unwrap();
    set_mode(&machine.path(".keyward"), 0o700);
    set_mode(&machine.write(".keyward/config.toml", "login = {"), 0o600);
    let found = Found::of(&machine, 1);
    found.has("warn", "server", "not looked at");
    assert!(!found.said.contains("quickstart"), "{}", found.said);
}

#[test]
fn a_lost_memory_is_told() {
    let world = World::new(Engine::Sqlite);
    world.owner.ok(&["key", "list"]);
    std::fs::remove_dir_all(world.owner.path(".keyward/state")).unwrap();
    let found = Found::of(&world.owner, 7);
    found.has("fail", "memory", "is gone");
    found.next("memory", "keyward pin --forget");
}

#[test]
fn a_credential_that_is_no_good_is_told() {
    let world = World::new(Engine::Sqlite);
    let broken = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", "kwt1_canary");
    Found::of(&broken, 3).has("fail", "credential", "KEYWARD_TOKEN holds no token");
    let missing = Machine::new(&world.server.url()).with("KEYWARD_TOKEN_FILE", "/nowhere");
    Found::of(&missing, 3).has("fail", "credential", "no token to sign in with");

    let token = new_robot(&world.owner, "other", &[]);
    let other = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &token);
    Found::of(&other, 0).has("ok", "access", "may read 0 keys");
    world.owner.ok(&["api-user", "revoke", "other"]);
    Found::of(&other, 3).has("fail", "access", "refused the sign-in");

    world.owner.ok(&["api-user", "create", "short", "--group", "canary-agents", "--expires", "3d"]);
    let short = world.owner.ok(&["api-user", "rotate", "short"]).trim_end().to_owned();
    let short = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", short);
    Found::of(&short, 0).has("warn", "access", "this token ends");

    let floor = world.robot.keyward(&["pin"]).ok(&["pin"]);
    let floor: u64 = floor.lines().next().unwrap().split_once('=').unwrap().1.parse().unwrap();
    let ahead = Machine::new(&world.server.url())
        .with("KEYWARD_TOKEN", &world.token)
        .with("KEYWARD_MIN_SEQ", (floor + 1).to_string());
    assert!(Found::of(&ahead, 7).has_failed("access"));

    let config = world.owner.path(".keyward/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let edit = |end: u128| {
        let lines = text.lines().map(|line| {
            let line =
                if line.starts_with("not_after") { format!("not_after = {end}") } else { line.to_owned() };
            line + "\n"
        });
        std::fs::write(&config, lines.collect::<String>()).unwrap();
    };
    edit(1);
    Found::of(&world.owner, 3).has("fail", "credential", "the login on this device has ended");
    edit(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() + 60_000);
    Found::of(&world.owner, 0).has("warn", "credential", "which is soon");
}

#[test]
fn a_server_that_is_not_there_or_not_itself_is_told() {
    let nowhere = Machine::new("http://127.0.0.1:1");
    let found = Found::of(&nowhere, 5);
    found.has("fail", "server", "cannot reach 127.0.0.1:1");
    found.next("server", "--url");
    Found::of(&Machine::new("keyward.example"), 2).has("fail", "server", "not a server's address");
    Found::of(&Machine::new("http://keyward.example"), 9).has("fail", "server", "in the clear");

    let own = env!("CARGO_PKG_VERSION");
    let sick = fake(503, own, 0);
    Found::of(&Machine::new(&sick), 5).has("fail", "server", "its database is not");
    let other = fake(404, own, 0);
    Found::of(&Machine::new(&other), 5).has("fail", "server", "answers 404");
    let newer = fake(200, "77.1.0", 0);
    let found = Found::of(&Machine::new(&newer), 0);
    found.has("warn", "version", "the server is keyward 77.1.0");
    found.next("version", "update");
    let foreign = fake(200, "", 0);
    Found::of(&Machine::new(&foreign), 0).has("warn", "version", "does not say that it is a keyward server");
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    let own = env!("CARGO_PKG_VERSION");
    for (ahead, state, code, says) in [
        (100, "warn", 0, "behind the server's"),
        (4_000, "fail", 7, "behind the server's"),
        (-4_000, "fail", 7, "ahead of"),
    ] {
        let found = Found::of(&Machine::new(&fake(200, own, ahead)), code);
        found.has(state, "clock", says);
        found.next("clock", "time server");
    }
}

#[test]
fn a_certificate_is_told_with_what_trusts_it_and_when_it_ends() {
    for (days, state) in [("365", "ok"), ("5", "warn")] {
        let dir = tempfile::tempdir().unwrap();
        certificate(dir.path(), days);
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let server = Server::start_with(
            Engine::Sqlite,
            &["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()],
        );
        let url = format!("https://localhost:{}", server.address.port());
        let found = Found::of(&Machine::new(&url), 5);
        found.has("fail", "TLS", "TLS: ");
        found.next("TLS", "--ca");
        let trusting = Machine::new(&url).with("KEYWARD_CA_FILE", &cert);
        let found = Found::of(&trusting, 0);
        found.has(state, "TLS", &format!("trusted by {}, and nothing else, until 20", cert.display()));
    }
}

#[test]
fn a_shell_that_reads_otherwise_is_told() {
    let machine = Machine::new("").without("KEYWARD_URL").with("SHELL", "/usr/bin/fish");
    Found::of(&machine, 0).has("ok", "shell", "--format fish | source; or exit works");
    let machine = machine.with("SHELL", "/bin/tcsh");
    Found::of(&machine, 0).has("warn", "shell", "tcsh does not eval");
    let machine = Machine::new("").without("KEYWARD_URL").with("SHELL", "/bin/zsh").with("IFS", "abc");
    machine.write(".zshrc", "autoload -U compinit\nsetopt CSH_JUNKIE_QUOTES\n");
    let found = Found::of(&machine, 0);
    found.has("warn", "shell", "IFS is exported");
    found.has("warn", "shell", "sets CSH_JUNKIE_QUOTES");
    // The shell that calls counts, not the one of the log-in.
    let calling = machine.shell(&["dash"], "keyward doctor; true").ok(&["doctor"]);
    assert!(calling.contains("dash: eval"), "{calling}");
}

#[test]
fn the_environment_is_told_without_its_secrets() {
    let world = World::new(Engine::Sqlite);
    let file = world.owner.write("token", &world.token);
    let machine = Machine::new(&world.server.url())
        .with("https_proxy", "http://olga:hunter2@proxy.example")
        .with("KEYWARD_TOKEN", &world.token)
        .with("KEYWARD_TOKEN_FILE", file)
        .with("KEYWARD_MIN_SEK", "3")
        .with("KEYWARD_MIN_EPOCH", "");
    let found = Found::of(&machine, 0);
    found.has("warn", "proxies", "https_proxy is set, and ignored");
    found.has("warn", "variables", "are both set");
    found.has("warn", "variables", "KEYWARD_MIN_SEK means nothing");
    found.has("warn", "variables", "KEYWARD_MIN_EPOCH is empty");
    found.has("ok", "variables", &format!("KEYWARD_URL={}", world.server.url()));
    found.next("variables", "did you mean KEYWARD_MIN_SEQ?");
    let secrets = [
        Secret::new("the token's secret", world.token.split('_').nth(2).unwrap()),
        Secret::new("the proxy's password", "hunter2"),
    ];
    absent(&secrets, found.said.as_bytes(), "what a doctor says");
}

#[test]
fn another_keyward_on_the_path_is_told() {
    let machine = Machine::new("").without("KEYWARD_URL");
    std::fs::create_dir(machine.path("bin")).unwrap();
    machine.write("bin/keyward", "#!/bin/sh\n");
    set_mode(&machine.path("bin/keyward"), 0o755);
    let path =
        |path: &str| machine.shell(&["sh"], &format!("PATH={path} {} doctor", program("keyward").display()));
    let first = path("$HOME/bin:$PATH").ok(&["doctor"]);
    assert!(
        first.contains("warn  PATH         `keyward` starts") && first.contains("/bin/keyward, and this is"),
        "{first}"
    );
    let later = path("$PATH:$HOME/bin").ok(&["doctor"]);
    assert!(later.contains("warn  PATH         there are 2 different ones"), "{later}");
    // The same one twice, or by a link, is one.
    std::fs::remove_file(machine.path("bin/keyward")).unwrap();
    symlink(program("keyward"), machine.path("bin/keyward")).unwrap();
    let linked = path("$PATH:$HOME/bin").ok(&["doctor"]);
    assert!(linked.contains("ok    PATH"), "{linked}");
    let none = path("/nowhere").ok(&["doctor"]);
    assert!(none.contains("warn  PATH         there is no keyward on PATH"), "{none}");
}

#[test]
fn a_mapping_file_that_is_refused_is_told() {
    let world = World::new(Engine::Sqlite);
    let text = format!(r#"{{"environment_mappings": {{"prod": "{}"}}}}"#, world.deployment_id());
    let path = world.owner.write(".keyward-deployment", text);
    set_mode(&path, 0o644);
    Found::of(&world.owner, 0).has("ok", "deployments", "gives 1 name: prod");
    set_mode(&path, 0o666);
    let found = Found::of(&world.owner, 9);
    found.has("fail", "deployments", "others may write");
    found.next("deployments", "chmod go-w");
    set_mode(&path, 0o644);
    std::fs::write(&path, DEPLOYMENT).unwrap();
    Found::of(&world.owner, 2).has("fail", "deployments", "cannot be understood");
}

/// The doctor's findings.
struct Found {
    checks: Vec<Value>,
    said: String,
}

impl Found {
    fn of(machine: &Machine, code: i32) -> Self {
        // For people and for programs: the same.
        let plain = machine.keyward(&["doctor"]);
        let ended = machine.keyward(&["doctor", "--json"]);
        assert_eq!((ended.code, plain.code), (code, code), "{}", plain.said());
        let document: Value =
            serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.said()));
        let checks = document["checks"].as_array().unwrap().clone();
        for check in &checks {
            let [state, name] = ["state", "check"].map(|part| check[part].as_str().unwrap());
            let line = format!("{state:4}  {name:11}  ");
            assert!(plain_text(&plain).contains(&line), "{line}: {}", plain.said());
            let needs_advice = check["state"] == "fail";
            assert!(!needs_advice || check["next"] != "", "what is to be done? {check}");
        }
        Self { checks, said: plain.said() + &ended.said() }
    }

    fn has(&self, state: &str, check: &str, says: &str) {
        let is_it = |c: &&Value| {
            c["check"] == check && c["state"] == state && c["found"].as_str().unwrap().contains(says)
        };
        assert!(self.checks.iter().any(|c| is_it(&c)), "no {state} {check} {says:?}: {:#?}", self.checks);
    }

    fn has_failed(&self, check: &str) -> bool {
        self.checks.iter().any(|c| c["check"] == check && c["state"] == "fail")
    }

    fn next(&self, check: &str, says: &str) {
        let advises =
            |c: &Value| c["check"] == check && c["next"].as_str().is_some_and(|next| next.contains(says));
        assert!(self.checks.iter().any(advises), "{check} does not advise {says:?}: {:#?}", self.checks);
    }
}

fn plain_text(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

/// A server that says only how it is, which version it has, and a time `ahead` of this machine's, in seconds.
fn fake(status: u16, version: &str, ahead: i64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let description = format!(r#"{{"info": {{"title": "keyward server", "version": "{version}"}}}}"#);
    let description = if version.is_empty() { "<html>".to_owned() } else { description };
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Ok(Some(request)) = Request::read(&mut BufReader::new(&stream)) else { continue };
            let answer = match request.path() {
                "/openapi.json" => Answer::new(200, description.as_bytes()),
                _ => Answer::new(status, "{}"),
            };
            let answer = answer.header("date", &date(ahead)).header("connection", "close");
            let _ = stream.write_all(&answer.bytes());
        }
    });
    url
}

fn date(ahead: i64) -> String {
    let words = ["-u", "-d", &format!("{ahead} seconds"), "+%a, %d %b %Y %H:%M:%S GMT"];
    let output = Command::new("date").args(words).env("LC_ALL", "C").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn certificate(dir: &Path, days: &str) {
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
                 -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -days";
    let mut openssl = Command::new("openssl");
    openssl.args(words.split_whitespace()).arg(days).current_dir(dir);
    let output = openssl.output().expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file below, with what it holds and when it was written.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            let modified = path.metadata().unwrap().modified().unwrap();
            files.insert(path.clone(), (std::fs::read(&path).unwrap(), modified));
        }
    }
    files
}
