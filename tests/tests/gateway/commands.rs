//! `keyward proxy` and what it keeps.

use std::sync::{Arc, Mutex};

use keyward_tests::http::Answer;
use keyward_tests::machine::Machine;
use keyward_tests::server::program;
use keyward_tests::world::{ALPHA, BETA, GROUP};

use crate::{Running, SECRET, Scene, private};

/// Asks the service through the gateway. Its status, 000 if the gateway did not let it.
pub(super) fn status(scene: &Scene, agent: &Machine) -> String {
    let mut command = agent.command("curl".into());
    command.args(["-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_connect}"]);
    command.arg(format!("https://localhost:{}/x?token=canary-query", scene.service.port));
    String::from_utf8(keyward_tests::machine::run(command, b"").stdout).unwrap()
}

#[test]
fn a_revoked_key_and_a_removed_agent_are_gone_while_the_gateway_runs() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    assert_eq!(status(&scene, &agent), "200 200");
    let owner = &scene.world.owner;
    let until = |wanted: &str| while status(&scene, &agent) != wanted {};
    owner.ok(&["agent", "revoke", "bot", BETA.0]);
    until("000 403");
    owner.ok(&["agent", "grant", "bot", BETA.0]);
    until("200 200");
    owner.ok(&["agent", "remove", "bot"]);
    until("000 407");
    let said = gateway.end();
    assert!(!said.contains(SECRET) && said.contains("the log ends with line"), "{said}");
    // Every request is in the log, without its query.
    let log = scene.gateway.ok(&["proxy", "log"]);
    assert!(log.contains("\"decision\":\"inject\"") && log.contains("\"path\":\"/x\""), "{log}");
    assert!(log.contains("\"code\":\"proxy_auth_required\""), "{log}");
    assert!(!log.contains("canary-query") && !log.contains(SECRET), "{log}");
    assert!(scene.gateway.ok(&["proxy", "log", "--verify"]).contains("lines, the last is "));
    // For people: a line a request, and no more of them than are asked for.
    let table =
        scene.gateway.ok(&["proxy", "log", "--format", "table", "--host", "localhost", "--since", "1h"]);
    assert!(table.starts_with("TIME ") && table.contains("/x ") && !table.contains(" send "), "{table}");
    assert!(table.contains(" inject ") && table.contains(" 200 "), "{table}");
    let none = scene.gateway.ok(&["proxy", "log", "--format", "table", "--agent", "nobody"]);
    assert_eq!(none.lines().count(), 1, "{none}");
    let raw = scene.gateway.ok(&["proxy", "log", "--agent", "bot"]);
    assert!(!raw.is_empty() && raw.lines().all(|line| log.contains(line)), "{raw}");
    assert!(raw.lines().count() < log.lines().count(), "{raw}");
}

#[test]
fn the_owner_s_audit_has_how_many_requests_were_decided_how_and_not_where_they_went() {
    let scene = Scene::new();
    // Its service is at an address that the gateway does not call.
    let refused = ["key", "set", ALPHA.0, "--value-stdin", "--host", "localhost:7", "--inject", "bearer"];
    scene.world.owner.keyward_with(&refused, SECRET.as_bytes()).ok(&refused);
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    for _ in 0..3 {
        assert_eq!(status(&scene, &agent), "200 200");
    }
    for url in ["https://canary-nowhere.test/", "https://localhost:7/"] {
        let mut elsewhere = agent.command("curl".into());
        elsewhere.args(["-sS", "-o", "/dev/null", url]);
        keyward_tests::machine::run(elsewhere, b"");
    }
    gateway.end();
    let owner = &scene.world.owner;
    let audit = owner.ok(&["audit", "list"]);
    let told: Vec<&str> = audit.lines().filter(|line| line.contains("agent.requests")).collect();
    let has = |what: &str| told.iter().filter(|line| line.contains("edge") && line.contains(what)).count();
    assert_eq!(has(&format!("agent bot, key {}, decision:inject, count:3", BETA.0)), 1, "{audit}");
    assert_eq!(has("agent bot, decision:refuse, count:1"), 1, "{audit}");
    assert_eq!(has(&format!("agent bot, key {}, decision:refuse, count:1", ALPHA.0)), 1, "{audit}");
    assert_eq!(told.len(), 3, "{audit}");
    for name in ["localhost", "canary-nowhere", "/x", "canary-query"] {
        assert!(!owner.ok(&["audit", "list", "--json"]).contains(name), "{name}");
    }
    owner.ok(&["audit", "verify"]);
}

/// With a token in a variable, and no folder named.
#[test]
fn d26_a_gateway_that_is_started_anew_does_not_believe_an_older_state() {
    const SHOWN: [&str; 2] = ["GET /v1/me/agents", "GET /v1/me/bundle"];
    let scene = Scene::new();
    let liar = scene.world.liar();
    let gateway = Machine::new(&liar.url()).with("KEYWARD_TOKEN", &scene.token);
    let start = || {
        let mut command = gateway.command(program("keyward"));
        Running::start(command.args(["proxy", "--listen", "127.0.0.1:0"]).args(scene.reach())).end()
    };
    let old = SHOWN.map(|route| {
        let shown = Arc::<Mutex<Option<Answer>>>::default();
        let own = Arc::clone(&shown);
        liar.change(route, move |answer| {
            // The first: a request that waits is answered when the state has changed.
            own.lock().unwrap().get_or_insert_with(|| answer.clone());
        });
        (route, shown)
    });
    start();
    liar.reform();
    scene.world.owner.ok(&["agent", "revoke", "bot", BETA.0]);
    start();
    for (route, answer) in old {
        liar.answer(route, answer.lock().unwrap().clone().unwrap());
    }
    let ended = gateway.keyward(&["proxy", "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.code, 7, "{}", ended.said());
    // The operator knows why.
    let folder = gateway.home().join(".keyward/gateway");
    gateway.ok(&["--home", folder.to_str().unwrap(), "pin", "--forget", "--yes"]);
    start();
}

#[test]
fn l9_a_log_that_was_changed_is_not_believed_and_not_gone_on_with() {
    let scene = Scene::new();
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    assert_eq!(status(&scene, &agent), "200 200");
    gateway.end();
    let path = scene.gateway.path("keyward").join("gateway/requests.log");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"bot\"", "\"cat\"")).unwrap();
    for words in [&["proxy", "log"][..], &["proxy", "log", "--verify"], &["proxy", "--listen", "127.0.0.1:0"]]
    {
        let ended = scene.gateway.keyward(words);
        assert_eq!(ended.code, 6, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("line 1 does not follow"), "{}", ended.stderr);
    }
}

#[test]
fn the_authority_is_made_once_and_its_key_is_private() {
    let scene = Scene::new();
    let first = scene.gateway.ok(&["proxy", "ca"]);
    assert!(first.starts_with("-----BEGIN CERTIFICATE-----\n") && !first.contains("PRIVATE"), "{first}");
    assert_eq!(scene.gateway.ok(&["proxy", "ca"]), first);
    assert!(scene.gateway.ok(&["proxy", "ca", "--bundle"]).ends_with(&first));
    let folder = scene.gateway.path("keyward").join("gateway");
    let mode = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode(&folder), mode(&folder.join("ca.pem"))), (0o700, 0o600));
    // What programs need lies apart, in a folder that may be given away: no key is in it.
    let file = scene.gateway.write("bot.txt", &scene.credential);
    private(&file);
    // Under a umask of one's own: the folder new, and as it was left by a version that heeded the umask.
    let public = folder.join("public");
    let env = "umask 077; keyward proxy env --agent bot --credential-file bot.txt --no-keys";
    for _ in 0..2 {
        let ended = scene.gateway.shell(&["sh"], env);
        assert_eq!((ended.code, mode(&public)), (0, 0o755), "{}", ended.stderr);
        std::fs::set_permissions(&public, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }
    assert_eq!(scene.gateway.shell(&["sh"], env).code, 0);
    let all: Vec<_> = std::fs::read_dir(&public).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!((mode(&public), all.len()), (0o755, 2), "{all:?}");
    for path in all {
        let bytes = std::fs::read(&path).unwrap();
        assert!(mode(&path) == 0o644 && !String::from_utf8_lossy(&bytes).contains("PRIVATE"), "{path:?}");
    }
    std::fs::set_permissions(folder.join("ca.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    assert_ne!(scene.gateway.keyward(&["proxy", "ca"]).code, 0, "a key that others may read is not used");
}

#[test]
fn s10_s6_a_gateway_stays_on_its_machine_and_takes_a_gateways_token_only() {
    let scene = Scene::new();
    let ended = scene.gateway.keyward(&["proxy", "--listen", "0.0.0.0:0"]);
    assert!(ended.code == 9 && ended.stderr.contains("--allow-remote"), "{}", ended.stderr);
    let robot = Machine::new(&scene.world.server.url()).with("KEYWARD_TOKEN", &scene.world.token);
    let ended = robot.keyward(&["proxy", "--listen", "127.0.0.1:0"]);
    assert!(ended.code == 9 && ended.stdout.is_empty(), "{}: {}", ended.code, ended.stderr);
    let agent = Machine::new(&scene.world.server.url()).with("KEYWARD_TOKEN", &scene.credential);
    let ended = agent.keyward(&["proxy", "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.code, 3, "{}", ended.said());
    // Another token would not be of use: what it has is an agent's.
    let (said, next) = ended.stderr.split_once('→').expect("what to do");
    assert!(said.contains("kwp1_") && !said.contains(&scene.credential), "{said}");
    assert!(next.contains("agent rotate") && next.contains("--gateway"), "{next}");
    assert!(!next.contains("api-user rotate") && !next.contains('→'), "{next}");
}

#[test]
fn what_a_gateway_is_started_with_and_is_not_there_is_named() {
    let scene = Scene::new();
    let ended = scene.gateway.keyward(&["proxy", "--upstream-ca", "/missing/ca.pem"]);
    assert_eq!(ended.code, 2, "{}", ended.said());
    assert!(ended.stderr.contains("cannot read /missing/ca.pem: No such file"), "{}", ended.said());

    let listen = |place: &str| {
        let reach = scene.reach();
        let reach = reach.iter().map(String::as_str);
        let words: Vec<&str> = ["proxy", "--listen", place].into_iter().chain(reach).collect();
        scene.gateway.keyward(&words)
    };
    let ended = listen("unix:/nodir/x.sock");
    assert_eq!(ended.code, 8, "{}", ended.said());
    assert!(ended.stderr.contains("make the folder first"), "{}", ended.stderr);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ended = listen(&taken.local_addr().unwrap().to_string());
    assert_eq!(ended.code, 10, "{}", ended.said());
    assert!(ended.stderr.contains("end what listens there"), "{}", ended.stderr);

    let help = scene.gateway.ok(&["proxy", "--help"]);
    let (before, after) = help.split_once("With CMD:").unwrap();
    for option in ["--min-seq", "--min-epoch", "--max-age"] {
        assert!(before.contains(option) && !after.contains(option), "{option}: {help}");
    }
}

#[test]
fn the_variables_are_written_for_shells_containers_and_programs() {
    let scene = Scene::new();
    let file = scene.gateway.write("bot.txt", &scene.credential);
    private(&file);
    let file = file.to_string_lossy().into_owned();
    let env = |format: &str| {
        let words = [
            "proxy",
            "env",
            "--agent",
            "bot",
            "--credential-file",
            &file,
            "--bundle",
            "/ca.pem",
            "--no-keys",
            "--format",
            format,
        ];
        scene.gateway.ok(&words)
    };
    let url = format!("http://bot:{}@127.0.0.1:8421", scene.credential);
    assert!(env("docker").contains(&format!("HTTPS_PROXY={url}\n")));
    assert!(env("compose").starts_with("environment:\n  ") && env("compose").contains(&url));
    scene.gateway.write("shell.env", env("shell"));
    let ended = scene.gateway.shell(
        &["sh"],
        "export ALL_PROXY=x npm_config_https_proxy=x; eval $(cat shell.env); echo \"$HTTPS_PROXY $SSL_CERT_FILE$ALL_PROXY$npm_config_https_proxy\"",
    );
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout).trim_end(),
        format!("{url} /ca.pem"),
        "{}",
        ended.stderr
    );
    // In a shell's eval, a gateway that is not there stops the script.
    let words = ["proxy", "env", "--agent", "bot", "--credential-file", &file, "--at", "127.0.0.1:1"];
    let ended = scene.gateway.keyward(&words);
    assert_eq!((ended.code, ended.stdout.as_slice()), (5, b"false\n".as_slice()), "{}", ended.stderr);
    let ended = scene.gateway.keyward(&[&words[..], &["--format", "docker"]].concat());
    assert_eq!((ended.code, ended.stdout.len()), (5, 0), "{}", ended.stderr);
    // An authority that no gateway has would be trusted in vain.
    let ended = scene.gateway.keyward(&[&words[..6], &["--no-keys"]].concat());
    assert!(ended.code == 4 && ended.stderr.contains("--bundle"), "{}", ended.stderr);
    assert!(!scene.gateway.path("keyward").join("gateway/ca.pem").exists());
    // Another machine is sent the credential only if somebody says so.
    let words = ["proxy", "env", "--agent", "bot", "--credential-file", &file, "--at", "127.0.0.1.test:1"];
    let ended = scene.gateway.keyward(&words);
    assert!(ended.code == 2 && ended.stderr.contains("--gateway"), "{}", ended.stderr);
    let compose =
        ["--no-keys", "--format", "compose", "--bundle", "/$HOME/ca.pem", "--java-bundle", "/$x/a b.jks"];
    let words = [&words[..6], &compose, &["--no-proxy", "${DB},x"]].concat();
    let text = scene.gateway.ok(&words);
    for part in ["/$$HOME/ca.pem", "'/$$x/a b.jks'", "$${DB},x"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("$$").count(), text.matches('$').count() / 2, "{text}");
    // What is no HOST:PORT is not written into variables.
    for at in [
        "gateway",
        "unix:/run/gateway.sock",
        "http://gateway:8421",
        "u@gateway:8421",
        "a b:1",
        "gateway:0",
        "::1:8421",
        "",
    ] {
        for flag in ["--at", "--gateway"] {
            let ended = scene.gateway.keyward(&[&words[..6], &[flag, at, "--format", "docker"]].concat());
            assert_eq!((ended.code, ended.stdout.len()), (2, 0), "{flag} {at}: {}", ended.stderr);
        }
    }
    let token = scene.gateway.write("token.txt", &scene.world.token);
    private(&token);
    let token = token.to_string_lossy().into_owned();
    let ended = scene.gateway.keyward(&["proxy", "env", "--agent", "bot", "--credential-file", &token]);
    assert!(ended.code == 2 && !ended.stderr.contains(&scene.world.token), "{}", ended.stderr);
}

#[test]
fn the_variables_tell_of_keys_that_the_agent_may_use_and_of_no_other() {
    let scene = Scene::new();
    scene.world.owner.ok(&["key", "set", BETA.0, "--provider", "openai"]);
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at);
    for name in [BETA.0, "OPENAI_API_KEY", "OPENAI_BASE_URL", "JAVA_TOOL_OPTIONS"] {
        assert!(agent.has(name), "{name}");
    }
    // It has no rule, so it goes nowhere.
    assert!(!agent.has(ALPHA.0));
    let file = scene.gateway.path("bot.txt").to_string_lossy().into_owned();
    let words = [
        "proxy",
        "env",
        "--agent",
        "bot",
        "--credential-file",
        &file,
        "--at",
        &gateway.at,
        "--format",
        "docker",
    ];
    let plain = scene.gateway.ok(&[&words[..], &["--no-base-url"]].concat());
    assert!(
        plain.contains("OPENAI_API_KEY=keyward-managed\n") && !plain.contains("OPENAI_BASE_URL"),
        "{plain}"
    );
    scene.world.owner.ok(&["agent", "revoke", "bot", BETA.0]);
    while scene.gateway.ok(&words).contains("OPENAI_") {}
    let log = scene.gateway.ok(&["proxy", "log"]);
    assert!(log.contains("\"decision\":\"list\""), "{log}");
}

#[test]
fn an_agent_is_told_its_own_keys_and_nobody_elses_and_a_stranger_nothing() {
    let scene = Scene::new();
    let cat = scene.world.owner.ok(&["agent", "create", "cat", "--gateway", "edge", "--group", GROUP]);
    let gateway = scene.start();
    let ask = |credential: &str, more: &[&str]| {
        let mut command = scene.gateway.command("curl".into());
        command.args(["-sS", "-w", "%{http_code}", "-H", &format!("Authorization: Bearer {credential}")]);
        command.args(more).arg(format!("http://{}/-/", gateway.at));
        String::from_utf8(keyward_tests::machine::run(command, b"").stdout).unwrap()
    };
    let host = format!("localhost:{}", scene.service.port);
    let own = format!("{{\"keys\":[{{\"name\":\"{}\",\"provider\":null,\"host\":\"{host}\"}}]}}200", BETA.0);
    assert_eq!(ask(&scene.credential, &[]), own);
    assert_eq!(ask(cat.trim_end(), &[]), "{\"keys\":[]}200");
    assert!(ask("kwp1_nobody", &[]).ends_with("401"));
    assert!(ask(&scene.credential, &["-X", "POST"]).ends_with("405"));
}
