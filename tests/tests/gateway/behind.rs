//! Programs that are started behind a gateway: `keyward proxy -- CMD` and `keyward run --proxy -- CMD`.

use std::collections::BTreeMap;

use keyward_tests::machine::{Ended, Machine, variables};
use keyward_tests::server::program;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP};

use crate::{SECRET, Scene};

/// `keyward WORD… -- sh -c SCRIPT` where the gateway's token is.
pub(super) fn start(scene: &Scene, words: &[&str], script: &str) -> Ended {
    let reach = scene.reach();
    let reach = reach.iter().map(String::as_str);
    let words: Vec<&str> = words.iter().copied().chain(reach).chain(["--", "sh", "-c", script]).collect();
    scene.gateway.keyward(&words)
}

const PROXY: &[&str] = &["proxy", "--agent", "bot"];
pub(super) const RUN: &[&str] = &["run", "--proxy", "--agent", "bot"];

fn environment(ended: &Ended) -> BTreeMap<String, String> {
    assert_eq!(ended.code, 0, "{}", ended.said());
    let all = variables(&ended.stdout);
    all.into_iter().map(|(name, value)| (name, String::from_utf8(value).unwrap())).collect()
}

#[test]
fn a_program_makes_requests_with_the_key_and_has_none_and_its_code_is_the_commands() {
    let scene = Scene::new();
    for words in [PROXY, RUN] {
        let path = format!("/{}", words[0]);
        let url = scene.url(&path);
        let script = format!("unset NO_PROXY no_proxy; curl -sS --fail {url}; env; exit 7");
        let ended = start(&scene, words, &script);
        let out = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.code, 7, "the program's own code: {}", ended.said());
        let seen = scene.service.seen();
        assert!(seen.contains(&format!("GET {path} HTTP/1.1\r\n")) && seen.contains(SECRET), "{seen}");
        assert!(out.contains(&format!("GET {path} ")) && !out.contains(SECRET), "{out}");
        assert!(!out.contains("KEYWARD_") && !out.contains(&scene.credential), "{out}");
        let state = scene.gateway.path("keyward").join("gateway");
        let is_kept = state.join("ca.pem").exists();
        assert!(state.join("requests.log").exists() && !is_kept, "its authority was for this run");
    }
}

#[test]
fn both_commands_tell_a_program_the_same() {
    let scene = Scene::new();
    let names = |words: &[&str]| {
        let all = environment(&start(&scene, words, "exec env -0"));
        let own = |name: &String| !["PWD", "SHLVL", "_", "OLDPWD"].contains(&name.as_str());
        all.into_keys().filter(own).collect::<Vec<_>>()
    };
    let told = names(RUN);
    assert_eq!(names(PROXY), told);
    for name in ["HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE", "JAVA_TOOL_OPTIONS", BETA.0] {
        assert!(told.iter().any(|own| own == name), "{name}: {told:?}");
    }
    assert!(!told.iter().any(|name| name == ALPHA.0), "a key without a rule has no variable: {told:?}");
}

#[test]
fn a_deployment_says_which_keys_have_variables_and_what_they_are_called() {
    let scene = Scene::new();
    let owner = &scene.world.owner;
    owner.ok(&["deployment", "create", "other"]);
    owner.ok(&["deployment", "map", "other", &format!("{}=SERVICE_KEY", BETA.0), ALPHA.0]);
    owner.ok(&["group", "assign", GROUP, "other"]);
    let words = ["run", "other", "--proxy", "--agent", "bot"];
    let ended = start(&scene, &words, "exec env -0");
    let told = environment(&ended);
    assert!(told.contains_key("SERVICE_KEY") && !told.contains_key(BETA.0), "{told:?}");
    // Of what it cannot use it is told.
    assert!(ended.stderr.contains(&format!("not set: {}", ALPHA.0)), "{}", ended.stderr);
    assert!(ended.stderr.contains("(keyward agent secrets bot)"), "{}", ended.stderr);
    let ended = start(&scene, &["run", DEPLOYMENT, "--proxy", "--agent", "bot"], "exec env -0");
    assert!(
        environment(&ended).contains_key(BETA.0) && !ended.said().contains(EXCLUDED.0),
        "{}",
        ended.said()
    );
    let ended = start(&scene, &["run", "othr", "--proxy", "--agent", "bot"], "echo started");
    assert_eq!((ended.code, ended.stdout.len()), (4, 0), "{}", ended.said());
    assert!(ended.stderr.contains("did you mean other?"), "{}", ended.stderr);
}

#[test]
fn clients_of_a_provider_find_its_address_and_what_stands_for_its_key() {
    let scene = Scene::new();
    scene.world.owner.ok(&["key", "set", BETA.0, "--provider", "openai"]);
    let script = "curl -sS --fail -H \"Authorization: Bearer $OPENAI_API_KEY\" \"$OPENAI_BASE_URL/models\" >&2; exec env -0";
    let ended = start(&scene, RUN, script);
    let told = environment(&ended);
    assert!(told["OPENAI_BASE_URL"].ends_with(&format!("/-/{}/v1", BETA.0)), "{told:?}");
    assert!(ended.stderr.contains("GET /v1/models ") && !ended.said().contains(SECRET), "{}", ended.said());
    assert!(scene.service.seen().contains(&format!("authorization: Bearer {SECRET}")));
    // Without it, what stands for the key looks like one of the provider's, and goes where the key goes.
    let words = [RUN, &["--no-base-url"]].concat();
    let script = format!(
        "unset NO_PROXY no_proxy; curl -sS --fail -H \"Authorization: Bearer $OPENAI_API_KEY\" {} >&2; exec env -0",
        scene.url("/placeholder")
    );
    let ended = start(&scene, &words, &script);
    let told = environment(&ended);
    assert!(
        told["OPENAI_API_KEY"].starts_with("sk-proj-kwph") && !told.contains_key("OPENAI_BASE_URL"),
        "{told:?}"
    );
    assert_eq!(told["OPENAI_API_KEY"], told[BETA.0]);
    assert!(ended.stderr.contains("GET /placeholder ") && !ended.said().contains(SECRET), "{}", ended.said());
}

#[test]
fn a_program_is_not_started_without_its_gateway() {
    let scene = Scene::new();
    let world = &scene.world;
    let robot = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &world.token);
    let robot = {
        let home = robot.path("keyward");
        robot.with("KEYWARD_HOME", home)
    };
    let nowhere = Machine::new("http://127.0.0.1:1").with("KEYWARD_TOKEN", &world.token);
    let nowhere = {
        let home = nowhere.path("keyward");
        nowhere.with("KEYWARD_HOME", home)
    };
    let words = ["run", "--proxy", "--", "echo", "started"];
    for (machine, code) in [(&robot, 9), (&world.owner, 9), (&nowhere, 5)] {
        let ended = machine.keyward(&words);
        assert_eq!((ended.code, ended.stdout.len()), (code, 0), "{}", ended.said());
    }
    for (words, code) in [
        (&["proxy", "--agent", "nobody", "--", "echo", "started"][..], 4),
        (&["run", "--proxy", "--agent", "nobody", "--", "echo", "started"], 4),
        (&["run", "--egress", "allow", "--", "echo", "started"], 2),
        (&["run", "--agent", "bot", "--", "echo", "started"], 2),
        (&["run", "--proxy", "--offline", "--", "echo", "started"], 2),
        (&["proxy", "--agent", "bot"], 2),
        (&["run", "--proxy", "--", "no-such-program-anywhere"], 127),
    ] {
        let ended = scene.gateway.keyward(words);
        assert_eq!((ended.code, ended.stdout.len()), (code, 0), "{words:?}: {}", ended.said());
    }
    // Where there is one agent only, nobody has to be named; where there are two, nobody is guessed.
    let run = ["run", "--proxy", "--", "echo", "started"];
    assert_eq!(scene.gateway.ok(&run), "started\n");
    world.owner.ok(&["agent", "create", "cat", "--gateway", "edge", "--group", GROUP]);
    let ended = scene.gateway.keyward(&run);
    assert!(ended.code == 2 && ended.stderr.contains("bot, cat"), "{}", ended.said());
}

#[test]
fn a_program_keeps_only_what_it_is_to_keep_and_its_own_options_of_java() {
    let scene = Scene::new();
    let words = [RUN, &["--only-secrets", "--keep", "PATH"]].concat();
    let told = environment(&start(&scene, &words, "exec env -0"));
    assert!(told.contains_key("PATH") && told.contains_key(BETA.0) && !told.contains_key("HOME"), "{told:?}");
    let reach = scene.reach();
    let mut command = scene.gateway.command(program("keyward"));
    command.env("JAVA_TOOL_OPTIONS", "-Xmx64m").args(RUN).args(&reach).args([
        "--",
        "sh",
        "-c",
        "echo $JAVA_TOOL_OPTIONS",
    ]);
    let ended = keyward_tests::machine::run(command, b"");
    assert!(ended.stdout.starts_with(b"-Xmx64m -Djavax.net.ssl.trustStore="), "{}", ended.said());
}

#[test]
fn a_program_does_not_inherit_what_would_be_used_in_the_place_of_the_gateway() {
    let scene = Scene::new();
    let start = |words: &[&str]| {
        let mut command = scene.gateway.command(program("keyward"));
        let inherited = [
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
            ALPHA.0,
            BETA.0,
            "ALL_PROXY",
            "GIT_SSL_NO_VERIFY",
            "Npm_Config_Proxy",
            "HTTPLIB2_CA_CERTS",
            "NIX_SSL_CERT_FILE",
        ];
        command.envs(inherited.map(|name| (name, "of-whoever-called"))).env("EDITOR", "ed");
        command.args(words).args(scene.reach()).args(["--", "env", "-0"]);
        keyward_tests::machine::run(command, b"")
    };
    for words in [&["run", DEPLOYMENT, "--proxy", "--agent", "bot"][..], PROXY] {
        let ended = start(words);
        let told = environment(&ended);
        for name in
            ["OPENAI_API_KEY", "OPENAI_BASE_URL", "ALL_PROXY", "GIT_SSL_NO_VERIFY", "Npm_Config_Proxy"]
        {
            assert!(!told.contains_key(name), "{words:?}: {name}");
            assert!(ended.stderr.contains(name), "{words:?}: {name}: {}", ended.stderr);
        }
        assert_ne!(told[BETA.0], "of-whoever-called");
        for name in ["HTTPLIB2_CA_CERTS", "NIX_SSL_CERT_FILE"] {
            assert_eq!(told[name], told["SSL_CERT_FILE"], "{name}");
        }
        assert_eq!(told["EDITOR"], "ed");
    }
    // What is said not to be set is not set.
    let told = environment(&start(&["run", DEPLOYMENT, "--proxy", "--agent", "bot"]));
    assert!(!told.contains_key(ALPHA.0), "{told:?}");
    for words in [RUN, PROXY] {
        let keep = ["--only-secrets", "--keep", "PATH,OPENAI_API_KEY"];
        let told = environment(&start(&[words, &keep].concat()));
        assert_eq!(told["OPENAI_API_KEY"], "of-whoever-called");
        assert!(!told.contains_key("EDITOR") && !told.contains_key("ALL_PROXY"), "{told:?}");
        let ended = start(&[words, &["--keep", "OPENAI_API_KEY"]].concat());
        let told = environment(&ended);
        assert_eq!((&*told["OPENAI_API_KEY"], &*told["EDITOR"]), ("of-whoever-called", "ed"));
        assert!(
            !told.contains_key("OPENAI_BASE_URL") && ended.stderr.contains("--keep VAR"),
            "{}",
            ended.stderr
        );
    }
    // Who gets no gateway loses nothing, so there is nothing to keep.
    let ended = scene.gateway.keyward(&["run", DEPLOYMENT, "--keep", "EDITOR", "--", "env"]);
    assert_eq!((ended.code, ended.stdout.len()), (2, 0), "{}", ended.said());
}
