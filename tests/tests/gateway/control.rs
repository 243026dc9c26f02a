//! The control listener, and what is fetched from it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use keyward_tests::machine::{Machine, run};
use keyward_tests::server::program;

use crate::{Running, Scene};

/// What a gateway said when it was ready, and the gateway.
fn start(scene: &Scene, control: &str, more: &[&str]) -> (serde_json::Value, Running) {
    let mut command = scene.gateway.command(program("keyward"));
    command.args(["proxy", "--listen", "127.0.0.1:0", "--json", "--control", control]);
    let (out, running) = Running::begin(command.args(scene.reach()).args(more));
    let mut said = serde_json::Deserializer::from_reader(out).into_iter();
    (said.next().unwrap().unwrap(), running)
}

#[test]
fn c3_a_certificate_that_comes_over_a_network_is_the_one_that_was_named_or_none() {
    let scene = Scene::new();
    let (said, running) = start(&scene, "127.0.0.1:0", &[]);
    let (at, sha256) = (said["control"].as_str().unwrap(), said["ca_sha256"].as_str().unwrap());
    let agent = Machine::new("").without("KEYWARD_URL");
    let ca = |from: &str, sha256: &str, more: &[&str]| {
        let mut words = vec!["proxy", "ca", "--from", from, "--fingerprint", sha256];
        words.extend(more);
        agent.keyward(&words)
    };
    let own = scene.gateway.ok(&["proxy", "ca"]);
    for (from, sha256) in [
        (at.to_owned(), sha256.to_owned()),
        (format!("http://{at}/"), sha256.to_uppercase()),
        (
            at.replace("127.0.0.1", "localhost"),
            sha256.as_bytes().chunks(2).fold(String::new(), |text, pair| {
                let colon = if text.is_empty() { "" } else { ":" };
                text + colon + std::str::from_utf8(pair).unwrap()
            }),
        ),
    ] {
        let ended = ca(&from, &sha256, &[]);
        assert_eq!((ended.code, String::from_utf8(ended.stdout).unwrap()), (0, own.clone()), "{from}");
    }
    // Somebody in between has an authority of his own.
    let other = Scene::new();
    let (mitm, also_running) = start(&other, "127.0.0.1:0", &[]);
    let out = agent.path("authorities.pem");
    let ended = ca(mitm["control"].as_str().unwrap(), sha256, &["--out", &out.to_string_lossy(), "--bundle"]);
    assert!(ended.code == 6 && ended.stdout.is_empty() && !out.exists(), "{}", ended.stderr);
    // And a pin is asked for.
    assert_eq!(agent.keyward(&["proxy", "ca", "--from", at]).code, 2);
    assert_eq!(ca(at, "abcd", &[]).code, 2);
    running.end();
    also_running.end();
    assert_eq!(ca(at, sha256, &[]).code, 5, "nobody answers");
}

#[test]
fn a_container_is_told_by_an_exit_code_whether_its_gateway_is_well() {
    let scene = Scene::new();
    let (said, running) = start(&scene, "127.0.0.1:0", &[]);
    let at = said["control"].as_str().unwrap().to_owned();
    // With no credential, no home and no server of its own.
    let watcher = Machine::new("").without("KEYWARD_URL");
    assert_eq!(watcher.ok(&["proxy", "health", "--at", &at]), "ok\n");
    let said: serde_json::Value =
        serde_json::from_str(&watcher.ok(&["proxy", "health", "--at", &at, "--json"])).unwrap();
    assert_eq!(said, serde_json::json!({ "status": "ok" }));
    running.end();
    let ended = watcher.keyward(&["proxy", "health", "--at", &at]);
    assert!(ended.code == 5 && ended.stderr.contains("--control"), "{}", ended.stderr);
    // A socket, which only its user opens.
    let socket = scene.gateway.path("control.sock");
    let at = format!("unix:{}", socket.display());
    let (said, running) = start(&scene, &at, &[]);
    assert_eq!(said["control"], at.as_str());
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(watcher.ok(&["proxy", "health", "--at", &at]), "ok\n");
    running.end();
    // One that serves nobody, and something else that answers.
    for (answer, code) in [
        ("503 Service Unavailable\r\nContent-Length: 25\r\n\r\n{\"status\":\"grants_stale\"}", 7),
        ("503 Service Unavailable\r\nContent-Length: 23\r\n\r\n{\"status\":\"log_failed\"}", 1),
        ("200 OK\r\nContent-Length: 5\r\n\r\nhello", 5),
        ("200 OK\r\nContent-Length: 2\r\n\r\n{}", 5),
        ("503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", 5),
        ("403 Forbidden\r\nContent-Length: 26\r\n\r\n{\"error\":\"foreign_origin\"}", 5),
    ] {
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = stranger.local_addr().unwrap().to_string();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = stranger.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).unwrap();
        });
        let ended = watcher.keyward(&["proxy", "health", "--at", &at]);
        assert_eq!((ended.code, ended.stdout.len()), (code, 0), "{}", ended.stderr);
        answering.join().unwrap();
    }
}

#[test]
fn n5_no_agent_reaches_the_control_listener_whatever_else_is_allowed() {
    let scene = Scene::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let control = free.local_addr().unwrap().to_string();
    drop(free);
    let port = control.rsplit_once(':').unwrap().1;
    let (by_name, by_six) = (format!("localhost:{port}"), format!("[::1]:{port}"));
    let allow = ["--egress", "allow", "--allow-private", &control, "--allow-private", &by_name];
    let (said, running) = start(&scene, &control, &allow);
    let at = said["listen"][0].as_str().unwrap();
    let agent = scene.agent(at);
    for to in [&control, &by_name, &by_six] {
        let mut command = agent.command("curl".into());
        command.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", &format!("http://{to}/health")]);
        assert_eq!(String::from_utf8(run(command, b"").stdout).unwrap(), "403", "{to}");
    }
    running.end();
    // Beyond this machine, it listens only if it is told to.
    let ended = scene.gateway.keyward(&["proxy", "--listen", "127.0.0.1:0", "--control", "0.0.0.0:0"]);
    assert!(ended.code == 9 && ended.stderr.contains("--allow-remote"), "{}", ended.stderr);
}
