//! What whoever is beside a gateway gets of it, and where its surroundings lead it.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use keyward_tests::leak::{Secret, absent};
use keyward_tests::world::DEPLOYMENT;

use super::commands::status;
use super::*;

impl Scene {
    /// The scene with this variable in the gateway's environment.
    fn with(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.gateway = self.gateway.with(name, value);
        self
    }

    /// Everything that nobody except the gateway may have.
    fn secrets(&self) -> Vec<Secret> {
        let token =
            String::from_utf8(self.gateway.shell(&["sh"], "printf %s \"$KEYWARD_TOKEN\"").stdout).unwrap();
        vec![
            Secret::new("the key", SECRET),
            Secret::new("the gateway's token", token.get(16..).unwrap()),
            Secret::new("the agent's credential", self.credential.get(16..).unwrap()),
        ]
    }
}

/// Words before a command with which it has the rights of a user, and root's capabilities no more than anybody.
fn as_a_user() -> &'static [&'static str] {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    if is_root {
        &["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
    } else {
        &["/usr/bin/env"]
    }
}

/// The output of a program of the same user.
fn beside(words: &[&str]) -> std::process::Output {
    let all = [as_a_user(), words].concat();
    Command::new(all[0]).args(&all[1..]).output().unwrap()
}

#[test]
fn d25_the_variables_of_a_gateway_lead_it_to_no_proxy_no_authority_and_no_key_log() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let proxy = format!("http://{}", trap.local_addr().unwrap());
    let scene = Scene::new();
    let (keys, foreign) = (scene.gateway.path("keys.log"), scene.authority.path("ca.pem"));
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let scene = names.into_iter().fold(scene, |scene, name| scene.with(name, &proxy));
    let scene = scene.with("SSLKEYLOGFILE", &keys);
    let gateway = scene.start();
    assert_eq!(status(&scene, &scene.agent(&gateway.at)), "200 200");
    gateway.end();
    assert!(trap.accept().is_err(), "somebody went to the proxy");
    assert!(!keys.exists());
    // The authority that vouches for the service is believed because it was named, and not by a variable.
    let scene = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"]
        .into_iter()
        .fold(scene, |scene, name| scene.with(name, &foreign));
    let host = format!("localhost:{}", scene.service.port);
    let gateway = scene.start_with(&["--allow-private".to_owned(), host]);
    assert_eq!(status(&scene, &scene.agent(&gateway.at)), "502 200");
}

#[test]
fn d21_neither_an_agents_credential_nor_a_gateways_token_changes_where_a_key_goes() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    assert_eq!(status(&scene, &agent), "200 200");
    let url = scene.world.server.url();
    let agents = Machine::new(&url).with("KEYWARD_TOKEN", &scene.credential);
    for machine in [&agents, &scene.gateway] {
        for words in [
            &["key", "set", BETA.0, "--host", "x.test", "--inject", "bearer"][..],
            &["key", "create", "NEW", "--value-stdin", "--host", "x.test", "--inject", "bearer"],
            &["agent", "grant", "bot", ALPHA.0],
            &["agent", "create", "cat"],
        ] {
            let ended = machine.keyward_with(words, b"x");
            assert!(matches!(ended.code, 3 | 4 | 9), "{words:?}: {} {}", ended.code, ended.stderr);
        }
    }
    assert_eq!(status(&scene, &agent), "200 200");
    assert!(!scene.world.owner.ok(&["key", "show", BETA.0]).contains("x.test"));
}

#[test]
fn l2_l10_a_program_of_the_same_user_reads_nothing_of_a_gateways_process() {
    let scene = Scene::new();
    let user = as_a_user();
    let mut command = scene.gateway.command(user[0].into());
    command.args(&user[1..]).arg(program("keyward")).args(["proxy", "--listen", "127.0.0.1:0"]);
    let gateway = Running::start(command.args(scene.reach()));
    assert_eq!(status(&scene, &scene.agent(&gateway.at)), "200 200");
    // An ordinary process is open to it.
    let attach = |pid: u32| format!("import ctypes; print(ctypes.CDLL(None).ptrace(16, {pid}, 0, 0))");
    let mut ordinary = Command::new(user[0]).args(&user[1..]).args(["sleep", "60"]).spawn().unwrap();
    keyward_tests::server::wait_until("the ordinary process is what it will be", || {
        fs::read(format!("/proc/{}/cmdline", ordinary.id())).unwrap().starts_with(b"sleep").then_some(())
    });
    assert!(beside(&["cat", &format!("/proc/{}/environ", ordinary.id())]).status.success());
    assert_eq!(beside(&["python3", "-c", &attach(ordinary.id())]).stdout, b"0\n");
    ordinary.kill().unwrap();
    ordinary.wait().unwrap();
    let process = format!("/proc/{}", gateway.process.id());
    for words in [
        ["cat", &format!("{process}/environ")],
        ["cat", &format!("{process}/maps")],
        ["head", &format!("-c1 {process}/mem")],
        ["readlink", &format!("{process}/fd/0")],
        ["readlink", &format!("{process}/exe")],
        ["ls", &format!("{process}/root/")],
    ] {
        let output = beside(&words);
        assert!(!output.status.success() && output.stdout.is_empty(), "{words:?}: {output:?}");
    }
    assert_eq!(beside(&["python3", "-c", &attach(gateway.process.id())]).stdout, b"-1\n", "a debugger");
    // What everybody may read says nothing.
    let arguments = fs::read(format!("{process}/cmdline")).unwrap();
    assert!(arguments.windows(5).any(|part| part == b"proxy"));
    absent(&scene.secrets(), &arguments, "the command line");
    // Nor does it leave an image of itself.
    assert!(
        Command::new("kill").args(["-SEGV", &gateway.process.id().to_string()]).status().unwrap().success()
    );
    drop(gateway);
    for folder in [scene.gateway.home(), Path::new(".")] {
        let cores = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!cores.into_iter().any(|name| name.to_string_lossy().starts_with("core")), "{folder:?}");
    }
}

#[test]
fn l4_l5_no_file_of_a_gateway_is_for_others_and_none_has_a_value_in_it() {
    let scene = Scene::new();
    let socket = scene.gateway.path("keyward").join("in.sock");
    let listen = format!("unix:{}", socket.display());
    let gateway = scene.start_with(&[scene.reach(), vec!["--listen".to_owned(), listen]].concat());
    assert_eq!(status(&scene, &scene.agent(&gateway.at)), "200 200");
    assert!(socket.exists());
    let mut files = Vec::new();
    list(&scene.gateway.path("keyward"), &mut files);
    assert!(files.len() > 3, "{files:?}");
    let secrets = scene.secrets();
    let public = scene.gateway.path("keyward").join("gateway/public");
    for path in files {
        let facts = fs::symlink_metadata(&path).unwrap();
        // Certificates, which others are to read.
        let not_for_others = if path.starts_with(&public) { 0o022 } else { 0o077 };
        assert_eq!(facts.permissions().mode() & not_for_others, 0, "{}", path.display());
        if facts.is_file() {
            let bytes = fs::read(&path).unwrap();
            absent(&secrets, &bytes, &path.display().to_string());
            let has_key = bytes.windows(11).any(|part| part == b"PRIVATE KEY");
            assert!(!has_key || !path.starts_with(&public), "{}", path.display());
        }
    }
}

fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    files.push(folder.to_owned());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

#[test]
fn l9_what_was_answered_is_in_the_log_of_a_gateway_that_was_killed() {
    let scene = Scene::new();
    for count in 1..=3 {
        let mut gateway = scene.start();
        assert_eq!(status(&scene, &scene.agent(&gateway.at)), "200 200");
        gateway.process.kill().unwrap();
        gateway.process.wait().unwrap();
        let log = scene.gateway.ok(&["proxy", "log"]);
        assert_eq!(log.matches("\"decision\":\"inject\"").count(), count, "{log}");
        assert_eq!(scene.gateway.keyward(&["proxy", "log", "--verify"]).code, 0);
    }
    // What a power cut leaves of the last line does not keep the gateway from starting, and what was cut off in the midst does.
    let path = scene.gateway.path("keyward").join("gateway/requests.log");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 20]).unwrap();
    scene.start().end();
    let log = scene.gateway.ok(&["proxy", "log"]);
    assert!(log.contains("\"decision\":\"torn\""), "{log}");
}

#[test]
fn l11_of_a_key_that_no_agent_was_granted_nothing_is_in_memory() {
    let scene = Scene::new();
    let (name, other) = ("CANARY_NOBODYS", "sk-canary-of-nobody-Wq8ZrT2vKx5NmYb");
    let owner = &scene.world.owner;
    let words = ["key", "create", name, "--value-stdin", "--host", "never.test", "--inject", "bearer"];
    owner.keyward_with(&words, other.as_bytes()).ok(&words);
    owner.ok(&["deployment", "map", DEPLOYMENT, name]);
    let mut command = scene.gateway.command("/usr/bin/unshare".into());
    // Whoever runs this is root of the gateway's namespace, and so reads what nobody else does.
    command.args(["--map-root-user", "--"]).arg(program("keyward"));
    let gateway = Running::start(command.args(["proxy", "--listen", "127.0.0.1:0"]).args(scene.reach()));
    assert_eq!(status(&scene, &scene.agent(&gateway.at)), "200 200");
    let memory = memory(gateway.process.id());
    assert!(memory.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "the test is blind");
    absent(&[Secret::new("a key that was not granted", other)], &memory, "the gateway's memory");
}

/// All that a process may write to.
fn memory(pid: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let file = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut memory = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|may| may.starts_with("rw"))) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        if file.read_exact_at(&mut bytes, start).is_ok() {
            memory.extend_from_slice(&bytes);
        }
    }
    memory
}

#[test]
fn l3_a_program_that_runs_as_the_gateways_own_user_is_said_to_be_without_isolation() {
    let scene = Scene::new();
    let ended = scene.gateway.keyward(&["proxy", "--agent", "bot", "--", "true"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("no isolation"), "{}", ended.stderr);
}

#[test]
fn the_attacks_ship_and_none_succeeds_where_there_is_no_server_and_no_credential() {
    let machine = Machine::new("").without("KEYWARD_URL");
    let ended = machine.keyward(&["proxy", "selftest", "--json"]);
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&ended.stdout).unwrap();
    let failed: Vec<_> = cases.iter().filter(|case| case["passed"] != true).collect();
    assert!(ended.code == 0 && failed.is_empty() && cases.len() > 100, "{failed:#?} {}", ended.stderr);
    let rows: std::collections::BTreeSet<&str> = cases
        .iter()
        .flat_map(|case| case["rows"].as_array().unwrap())
        .map(|row| row.as_str().unwrap())
        .collect();
    for letter in ["R", "D", "N", "P", "H", "S", "L", "C"] {
        assert!(rows.iter().any(|row| row.starts_with(letter)), "nothing of {letter}: {rows:?}");
    }
    assert_eq!(fs::read_dir(machine.home()).unwrap().count(), 0, "it writes nowhere else");
}
