//! git over https behind the gateway, against git's own server: clone, fetch and push without a credential.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use keyward_tests::machine::Machine;

use crate::{SECRET, Scene, Service, Stream};

#[test]
fn git_clones_fetches_and_pushes_and_never_sees_the_key() {
    let server = Machine::new("");
    let made = server.shell(&["sh"], MAKE);
    assert_eq!(made.code, 0, "{}", made.said());
    let root = server.home().to_owned();
    let scene = Scene::of("basic:x-access-token", |authority| {
        Service::start(authority, move |head, stream| backend(&root, head, stream))
    });
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at).with("URL", scene.url("/project.git"));
    let ended = agent.shell(&["sh"], CLONE_AND_PUSH);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(!ended.said().contains(SECRET));
    let log = server.shell(&["sh"], "git -C project.git log --format=%s main");
    assert_eq!(log.stdout, b"from the agent\nfirst\n", "{}", log.stderr);
    // What somebody else pushed meanwhile is fetched.
    let more = server.shell(&["sh"], MORE);
    assert_eq!(more.code, 0, "{}", more.said());
    let ended = agent.shell(
        &["sh"],
        "cd work && git fetch -q && git log -1 --format=%s origin/main && env && cat .git/config",
    );
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.stdout.starts_with(b"second\n") && !ended.said().contains(SECRET), "{}", ended.said());
    // Without the gateway the service lets nobody in.
    let ended = agent.shell(&["sh"], "GIT_SSL_NO_VERIFY=1 HTTPS_PROXY= https_proxy= git ls-remote \"$URL\"");
    assert_ne!(ended.code, 0, "{}", ended.said());
    assert_eq!(scene.gateway.keyward(&["proxy", "log", "--verify"]).code, 0);
}

const MAKE: &str = "set -e
git init -q --bare -b main project.git
git -C project.git config http.receivepack true
git clone -q project.git seed 2>&1
cd seed
git checkout -q -b main
git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
git push -q origin main";

const CLONE_AND_PUSH: &str = "set -e
git clone -q \"$URL\" work
cd work
# More than git sends with a length of its own.
head -c 3000000 /dev/urandom > large
git add large
git -c user.name=a -c user.email=a@b commit -q -m 'from the agent'
git push -q origin main";

const MORE: &str = "set -e
cd seed
git pull -q origin main
git -c user.name=a -c user.email=a@b commit -q --allow-empty -m second
git push -q origin main";

/// Hands a request to `git http-backend` (RFC 3875), if it shows the key.
fn backend(root: &Path, head: &str, stream: &mut Stream) -> Vec<u8> {
    let body = body(head, stream);
    let pair = BASE64.encode(format!("x-access-token:{SECRET}").as_bytes());
    if header(head, "authorization") != Some(&format!("Basic {pair}")) {
        let refused =
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\r\n";
        return refused.as_bytes().to_vec();
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut command = Command::new("git");
    command.arg("http-backend").env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    for (name, value) in [("REQUEST_METHOD", method), ("PATH_INFO", path), ("QUERY_STRING", query)] {
        command.env(name, value);
    }
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", "agent");
    command.env("CONTENT_LENGTH", body.len().to_string()).env("HOME", root);
    for (name, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        command.env(variable, header(head, name).unwrap_or_default());
    }
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = process.wait_with_output().unwrap();
    let _ = writer.join();
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = output.stdout.split_at(end);
    let head = String::from_utf8_lossy(head);
    let (status, rest) = match head.strip_prefix("Status: ") {
        Some(rest) => rest.split_once("\r\n").unwrap(),
        None => ("200 OK", &*head),
    };
    [format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{rest}", body.len()).as_bytes(), body].concat()
}

fn header<'h>(head: &'h str, wanted: &str) -> Option<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value).next()
}

/// The body of a request, in either of its forms.
fn body(head: &str, stream: &mut Stream) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(length) = header(head, "content-length") {
        body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut body).unwrap();
    } else if header(head, "transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let mut chunk = vec![0; usize::from_str_radix(line.trim_end(), 16).unwrap() + 2];
            stream.read_exact(&mut chunk).unwrap();
            chunk.truncate(chunk.len() - 2);
            if chunk.is_empty() {
                break;
            }
            body.extend(chunk);
        }
    }
    body
}
