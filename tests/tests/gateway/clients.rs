//! Programs that people have, behind the gateway: each gets its answer, and never the key.

use keyward_tests::machine::Ended;
use keyward_tests::world::BETA;

use crate::{SECRET, Scene};

/// The service got the key, the program did not, and what it got is the service's answer.
fn is_served(scene: &Scene, ended: &Ended, path: &str) {
    let out = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.code, 0, "{out}{}", ended.stderr);
    let seen = scene.service.seen();
    assert!(seen.contains(&format!("GET {path} HTTP/1.1\r\n")), "{seen}");
    assert!(seen.contains(&format!("authorization: Bearer {SECRET}\r\n")), "{seen}");
    assert!(out.contains(&format!("GET {path} ")) && !out.contains(SECRET), "{out}");
}

#[test]
fn curl_wget_and_python_are_served_through_the_variables_alone() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    let base = format!("https://localhost:{}", scene.service.port);
    // GnuTLS, which wget is built with, reads no variable.
    for (name, script) in [
        ("curl", "exec curl -sS --fail \"$URL\"".to_owned()),
        ("wget", "exec wget -q -O- --ca-certificate \"$SSL_CERT_FILE\" \"$URL\"".to_owned()),
        ("python", format!("exec python3 -c '{PYTHON}' \"$URL\"")),
    ] {
        let path = format!("/{name}");
        let ended = agent.shell(&["sh"], &format!("URL={base}{path}; {script}"));
        is_served(&scene, &ended, &path);
    }
    assert_eq!(scene.gateway.keyward(&["proxy", "log", "--verify"]).code, 0);
}

#[test]
fn base_url_mode_needs_no_certificate_and_no_proxy() {
    let scene = Scene::new();
    let gateway = scene.start();
    let machine = keyward_tests::machine::Machine::new("").without("KEYWARD_URL");
    let mut command = machine.command("curl".into());
    command.args(["-sS", "--fail", "-H", &format!("Authorization: Bearer {}", scene.credential)]);
    command.arg(format!("http://{}/-/{}/v1/models", gateway.at, BETA.0));
    is_served(&scene, &keyward_tests::machine::run(command, b""), "/v1/models");
}

const PYTHON: &str =
    "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())";
