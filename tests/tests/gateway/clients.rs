//! Programs that people have, behind the gateway: each gets its answer, and never the key.

use keyward_tests::machine::{Ended, Machine, run};
use keyward_tests::tools::{npm, python};
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
    // GnuTLS, which wget is built with, reads no variable.
    for (name, script) in [
        ("curl", "exec curl -sS --fail \"$URL\"".to_owned()),
        ("wget", "exec wget -q -O- --ca-certificate \"$SSL_CERT_FILE\" \"$URL\"".to_owned()),
        ("python", format!("exec python3 -c '{PYTHON}' \"$URL\"")),
    ] {
        let path = format!("/{name}");
        let ended = agent.shell(&["sh"], &format!("URL={}; {script}", scene.url(&path)));
        is_served(&scene, &ended, &path);
    }
    assert_eq!(scene.gateway.keyward(&["proxy", "log", "--verify"]).code, 0);
}

#[test]
fn libraries_of_python_are_served_through_the_variables() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    for (name, script) in [("requests", REQUESTS), ("httpx", HTTPX), ("aiohttp", AIOHTTP)] {
        let path = format!("/{name}");
        let mut command = agent.command(python());
        command.args(["-c", script, &scene.url(&path)]);
        is_served(&scene, &run(command, b""), &path);
    }
}

#[test]
fn libraries_of_node_are_served_through_the_variables() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at).with("NODE_PATH", npm().join("node_modules"));
    for (name, script) in [("undici", UNDICI), ("axios", AXIOS)] {
        let path = format!("/{name}");
        let mut command = agent.command("node".into());
        command.args(["-e", script, &scene.url(&path)]);
        is_served(&scene, &run(command, b""), &path);
    }
}

#[test]
fn base_url_mode_needs_no_certificate_and_no_proxy() {
    let scene = Scene::new();
    let gateway = scene.start();
    let machine = Machine::new("").without("KEYWARD_URL");
    let base = format!("http://{}/-/{}", gateway.at, BETA.0);
    let mut command = machine.command("curl".into());
    command.args(["-sS", "--fail", "-H", &format!("Authorization: Bearer {}", scene.credential)]);
    command.arg(format!("{base}/v1/models"));
    is_served(&scene, &run(command, b""), "/v1/models");
    // Every version of Node has this, and not every one reads HTTPS_PROXY.
    let mut command = machine.command("node".into());
    command.args(["-e", FETCH, &format!("{base}/fetch"), &scene.credential]);
    is_served(&scene, &run(command, b""), "/fetch");
}

const PYTHON: &str =
    "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())";
const REQUESTS: &str = "import sys, requests; sys.stdout.write(requests.get(sys.argv[1]).text)";
const HTTPX: &str = "import sys, httpx; sys.stdout.write(httpx.get(sys.argv[1]).text)";
const AIOHTTP: &str = "
import asyncio, sys, aiohttp
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session, session.get(sys.argv[1]) as answer:
        sys.stdout.write(await answer.text())
asyncio.run(main())
";
const UNDICI: &str = "
const { EnvHttpProxyAgent, request } = require('undici');
request(process.argv[1], { dispatcher: new EnvHttpProxyAgent() })
    .then(answer => answer.body.text()).then(text => process.stdout.write(text));
";
const AXIOS: &str =
    "require('axios').get(process.argv[1]).then(answer => process.stdout.write(answer.data));";
const FETCH: &str = "
fetch(process.argv[1], { headers: { authorization: 'Bearer ' + process.argv[2] } })
    .then(answer => answer.text()).then(text => process.stdout.write(text));
";
