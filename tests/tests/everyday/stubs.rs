//! Credential files without credentials: real programs find in them what they look for, and real ones stay.

use std::fs;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use keyward_tests::http::{Answer, Request};
use keyward_tests::machine::{Ended, Machine, run};
use keyward_tests::tools;
use serde_json::Value;

const KINDS: [&str; 9] =
    ["gmail", "google-calendar", "github-cli", "codex", "claude-code", "netrc", "npmrc", "docker", "aws"];

fn machine() -> Machine {
    Machine::new("http://127.0.0.1:9")
}

fn write(machine: &Machine, kind: &str, more: &[&str]) -> Vec<PathBuf> {
    let line = [&["stub", "write", kind, "--json"], more].concat();
    let said: Value = serde_json::from_str(&machine.ok(&line)).unwrap();
    said["files"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().into()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A service that wants a credential and records what it gets.
struct Service {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let Ok(Some(request)) = Request::read(&mut BufReader::new(&stream)) else { continue };
                let known = request.headers.iter().any(|(name, _)| name == "authorization");
                record.lock().unwrap().push(request);
                let answer = if known {
                    Answer::new(404, "{}")
                } else {
                    Answer::new(401, "{}").header("www-authenticate", "Basic realm=\"x\"")
                };
                let _ = stream.write_all(&answer.header("content-type", "application/json").bytes());
            }
        });
        Self { address, seen }
    }

    /// The credentials that the service was shown.
    fn credentials(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let headers = seen.iter().flat_map(|request| &request.headers);
        headers.filter(|(name, _)| name == "authorization").map(|(_, value)| value.clone()).collect()
    }
}

fn command(machine: &Machine, program: &str, words: &[&str]) -> Ended {
    let mut command: Command = machine.command(program.into());
    command.args(words);
    run(command, b"")
}

/// `keyward:keyward-managed`
const BASIC: &str = "Basic a2V5d2FyZDprZXl3YXJkLW1hbmFnZWQ=";

#[test]
fn every_kind_is_private_and_writing_it_again_changes_nothing() {
    for kind in KINDS {
        let machine = machine();
        let files = write(&machine, kind, &[]);
        assert!(!files.is_empty());
        for path in files {
            assert!(path.starts_with(machine.home()), "{}", path.display());
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            for folder in path.ancestors().skip(1).take_while(|folder| *folder != machine.home()) {
                assert_eq!(mode(folder), 0o700, "{}", folder.display());
            }
        }
        // Again: nothing to do, and nothing goes wrong.
        let again: Value = serde_json::from_str(&machine.ok(&["stub", "write", kind, "--json"])).unwrap();
        assert_eq!(again["written"], false, "{kind}");
    }
}

#[test]
fn a_file_that_is_there_is_never_changed() {
    for kind in KINDS {
        let machine = machine();
        let files = write(&machine, kind, &[]);
        for (number, path) in files.iter().enumerate() {
            for other in &files {
                let _ = fs::remove_file(other);
            }
            // A real credential, a link to one, and an empty file that somebody may write to.
            let real = machine.write("real", "a real credential");
            for occupied in ["file", "link", "empty"] {
                match occupied {
                    "file" => fs::write(path, "a real credential").unwrap(),
                    "link" => std::os::unix::fs::symlink(&real, path).unwrap(),
                    _ => fs::write(path, "").unwrap(),
                }
                let before = fs::read(path).unwrap();
                let ended = machine.keyward(&["stub", "write", kind]);
                assert_eq!(ended.code, 10, "{kind} {occupied}: {}", ended.said());
                assert!(
                    ended.stderr.contains("left alone") && ended.stderr.contains("--stdout"),
                    "{}",
                    ended.stderr
                );
                assert_eq!(fs::read(path).unwrap(), before);
                assert_eq!(fs::read(&real).unwrap(), b"a real credential");
                // Nothing half-done: none of the others was written.
                let others = files.iter().enumerate().filter(|(other, _)| *other != number);
                assert!(others.into_iter().all(|(_, other)| !other.exists()), "{kind}: half of it is there");
                fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn another_home_and_other_hosts_are_taken_and_keyward_home_is_not() {
    let machine = machine();
    let other = machine.path("container");
    fs::create_dir(&other).unwrap();
    let machine = machine.with("KEYWARD_HOME", "/nowhere");
    let home = other.display().to_string();
    let files = write(
        &machine,
        "netrc",
        &["--home", &home, "--host", "git.example.com", "--host", "Other.Example.com"],
    );
    assert_eq!(files, [other.join(".netrc")]);
    let text = fs::read_to_string(&files[0]).unwrap();
    assert!(
        text.contains("machine git.example.com\n") && text.contains("machine other.example.com\n"),
        "{text}"
    );
    assert_eq!(write(&machine, "aws", &[]), [machine.path(".aws/credentials")]);

    for (line, code) in [
        (&["stub", "write", "netrc", "--home", "/nowhere/at/all"][..], 4),
        (&["stub", "write", "netrc", "--host", "https://x.test"], 2),
        (&["stub", "write", "netrc", "--host", "a.test\n  login x"], 2),
        (&["stub", "write", "aws", "--host", "x.test"], 2),
        (&["stub", "write", "kubectl"], 2),
    ] {
        assert_eq!(machine.keyward(line).code, code, "{line:?}");
    }
    // Programs are told of these files, and may be started anywhere.
    assert_eq!(write(&machine, "codex", &["--home", "container"]), [other.join(".codex/auth.json")]);
    let printed = machine.ok(&["stub", "write", "npmrc", "--stdout", "--host", "npm.example.com:8443"]);
    assert_eq!(printed, "//npm.example.com:8443/:_authToken=keyward-managed\n");
    assert!(!machine.path(".npmrc").exists());
}

#[test]
fn curl_and_git_sign_in_with_netrc() {
    let (machine, service) = (machine(), Service::start());
    write(&machine, "netrc", &["--host", "127.0.0.1"]);
    let url = format!("http://{}/repo.git", service.address);
    assert_eq!(command(&machine, "curl", &["-s", "-n", &url]).code, 0);
    assert_eq!(service.credentials(), [BASIC]);
    let machine = machine.with("GIT_TERMINAL_PROMPT", "0");
    let ended = command(&machine, "git", &["ls-remote", &url]);
    assert!(ended.stderr.contains("not found"), "git did not get as far as the answer: {}", ended.said());
    assert_eq!(service.credentials(), [BASIC; 2]);
}

#[test]
fn npm_signs_in_with_npmrc() {
    let (machine, service) = (machine(), Service::start());
    write(&machine, "npmrc", &["--host", &service.address.to_string()]);
    let registry = format!("http://{}/", service.address);
    command(&machine, "npm", &["view", "left-pad", "--registry", &registry, "--fetch-retries", "0"]);
    let credentials = service.credentials();
    assert!(!credentials.is_empty() && credentials.iter().all(|shown| shown == "Bearer keyward-managed"));
}

#[test]
fn a_registrys_client_signs_in_with_the_docker_file() {
    let (machine, service) = (machine(), Service::start());
    let registry = service.address.to_string();
    write(&machine, "docker", &["--host", &registry]);
    assert_eq!(command(&machine, "buildah", &["login", "--get-login", &registry]).stdout, b"keyward\n");
    let (image, store) = (format!("{registry}/x:y"), machine.path("store").display().to_string());
    let words =
        ["--storage-driver", "vfs", "--root", &store, "--runroot", &store, "pull", "--tls-verify=false"];
    command(&machine, "buildah", &[&words[..], &["--retry", "0", &image]].concat());
    let credentials = service.credentials();
    assert!(!credentials.is_empty() && credentials.iter().all(|shown| shown == BASIC), "{credentials:?}");
}

/// One rule writes one thing at a host, and GitHub's registry wants two: a file for it would promise what cannot be.
#[test]
fn only_registries_that_can_be_served_are_in_the_docker_file_unasked() {
    let machine = machine();
    let text = machine.ok(&["stub", "write", "docker", "--stdout"]);
    assert!(text.contains("https://index.docker.io/v1/") && !text.contains("ghcr.io"), "{text}");
    let hosts = ["--host", "docker.io", "--host", "registry-1.docker.io", "--host", "a.test:5000"];
    let text = machine.ok(&[&["stub", "write", "docker", "--stdout"][..], &hosts].concat());
    let auths = serde_json::from_str::<Value>(&text).unwrap()["auths"].as_object().unwrap().clone();
    assert!(auths.keys().eq(["a.test:5000", "https://index.docker.io/v1/"]), "{text}");
    let ended = machine.keyward(&["stub", "write", "docker"]);
    assert!(ended.stderr.contains("--egress allow"), "{}", ended.said());
    let shown = machine.keyward(&["provider", "show", "github-ghcr"]);
    assert!(shown.stderr.contains("not supported yet"), "{}", shown.said());
    assert!(String::from_utf8_lossy(&shown.stdout).contains("base64"), "{}", shown.said());
}

#[test]
fn githubs_command_line_finds_its_token() {
    let machine = machine();
    write(&machine, "github-cli", &[]);
    let ended = command(&machine, "gh", &["auth", "token"]);
    assert_eq!(ended.stdout, b"keyward-managed\n", "{}", ended.said());
}

#[test]
fn aws_signs_with_what_it_finds() {
    let (machine, service) = (machine(), Service::start());
    write(&machine, "aws", &[]);
    let mut command = machine.command(tools::python());
    let script = "import sys, botocore.session as s\n\
        c = s.get_session().create_client('sts', region_name='us-east-1', endpoint_url=sys.argv[1])\n\
        c.get_caller_identity()";
    command.args(["-c", script, &format!("http://{}", service.address)]);
    // The answer is none of AWS', so it ends badly; before that it asked.
    let ended = run(command, b"");
    let credentials = service.credentials();
    assert!(credentials.iter().all(|shown| shown.contains("Credential=keyward-managed/")), "{credentials:?}");
    assert!(!credentials.is_empty(), "{}", ended.said());
}

/// Each was tried with the program itself (docs/STUBS.md); here its form is held.
#[test]
fn what_agents_and_their_servers_read_has_its_form() {
    let machine = machine();
    let read = |kind: &str| -> Vec<Value> {
        let files = write(&machine, kind, &[]);
        files.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
    };
    let codex = read("codex");
    assert_eq!(codex[0]["auth_mode"], "apikey");
    assert_eq!(codex[0]["OPENAI_API_KEY"], "keyward-managed");
    let claude = &read("claude-code")[0]["claudeAiOauth"];
    assert_eq!(claude["accessToken"], "keyward-managed");
    assert!(claude["expiresAt"].as_u64().unwrap() > 4_000_000_000_000, "in milliseconds");
    for (kind, place) in [("gmail", ""), ("google-calendar", "/normal")] {
        let files = read(kind);
        assert_eq!(files[0]["installed"]["client_id"], "keyward-managed", "{kind}");
        let token = files[1].pointer(place).unwrap();
        assert_eq!(
            (&token["access_token"], &token["token_type"]),
            (&"keyward-managed".into(), &"Bearer".into())
        );
        assert!(token["expiry_date"].as_u64().unwrap() > 4_000_000_000_000, "{kind}: in milliseconds");
    }
}
