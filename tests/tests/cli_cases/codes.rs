//! Exit codes, and what is said with them.

use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, DEPLOYMENT, EMAIL, ENV_FILE, GROUP, PASSWORD, ROBOT, World};

/// Checks that a command ended with this code, and said something with each of these words.
fn ends(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.said());
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.said());
    }
    assert!(
        !ended.stderr.contains("RUST_BACKTRACE") && !ended.stderr.contains("panicked"),
        "{}",
        ended.stderr
    );
}

#[test]
fn each_kind_of_failure_has_its_code_and_says_what_to_do() {
    let world = World::new(Engine::Sqlite);
    let (owner, robot) = (&world.owner, &world.robot);
    let nobody = Machine::new(&world.server.url());

    ends(&owner.keyward(&["key", "lsit"]), 2, &["list"]);
    ends(&owner.keyward(&["nonsense"]), 2, &["--help"]);
    ends(&owner.keyward(&["deployment", "env-file", DEPLOYMENT]), 2, &["--help"]);
    ends(&owner.keyward(&["init", "--org", "X", "--email", "nonsense"]), 2, &["e-mail"]);

    ends(&nobody.keyward(&["key", "list"]), 3, &["keyward login"]);
    let login = |email: &str, password: &str| {
        nobody.keyward_with(&["login", "--email", email, "--password-stdin"], password.as_bytes())
    };
    ends(&login(EMAIL, "not the password of anybody"), 3, &["password"]);
    let unknown = login("nobody@canary.example", PASSWORD);
    let wrong = login(EMAIL, "not the password of anybody");
    assert_eq!(unknown.stderr, wrong.stderr, "who has an account is not told");
    let mistyped = world.token.replace(['2', '3'], "4");
    for token in [mistyped.as_str(), "kwt1_short", "hunter2", "kwr1_aaisem2ekvthpcezvk54zxpoam_x_y"] {
        let ended = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", token).keyward(ENV_FILE);
        ends(&ended, 3, &[]);
        assert!(!ended.stderr.contains(token), "a token is repeated on stderr");
    }

    ends(
        &robot.keyward(&["deployment", "env-file", "canary-prodction", "--stdout"]),
        4,
        &["did you mean canary-production"],
    );
    ends(&robot.keyward(&["deployment", "env-file", "zzz", "--stdout"]), 4, &["canary-production"]);
    ends(&owner.keyward(&["key", "get", "CANARY_ALPHAA"]), 4, &["did you mean CANARY_ALPHA"]);
    ends(&owner.keyward(&["group", "assign", "nobody", DEPLOYMENT]), 4, &["canary-agents"]);
    ends(&owner.keyward(&["access", "nobody"]), 4, &["nobody"]);

    let closed = Machine::new("http://127.0.0.1:1").with("KEYWARD_TOKEN", &world.token);
    ends(&closed.keyward(ENV_FILE), 5, &["127.0.0.1:1"]);
    let elsewhere = Machine::new("http://192.0.2.1:1").with("KEYWARD_TOKEN", &world.token);
    ends(&elsewhere.keyward(ENV_FILE), 9, &["--allow-http"]);
    for url in ["nonsense", "ftp://127.0.0.1", "http://user@127.0.0.1", "http://127.0.0.1/?x"] {
        let ended = Machine::new(url).with("KEYWARD_TOKEN", &world.token).keyward(ENV_FILE);
        ends(&ended, 2, &["https://"]);
    }

    let unknown = Machine::new("https://nosuch.invalid").with("KEYWARD_TOKEN", &world.token);
    ends(&unknown.keyward(ENV_FILE), 5, &["nosuch.invalid:443", "no such name"]);

    ends(&robot.keyward(&["key", "create", "X", "--value", "x"]), 9, &["owners and admins"]);
    ends(
        &owner.keyward(&["deployment", "map", DEPLOYMENT, &format!("{}=LD_PRELOAD", ALPHA.0)]),
        9,
        &["LD_PRELOAD", "--allow-env"],
    );
    let weak = nobody.keyward_with(
        &["init", "--org", "X", "--email", "x@x.example", "--password-stdin", "--recovery-kit", "kit"],
        b"password1234",
    );
    ends(&weak, 9, &[]);
    assert!(!nobody.path("kit").exists(), "a kit for nothing");

    ends(&owner.keyward_with(&["key", "create", ALPHA.0, "--value-stdin"], b"x"), 10, &[ALPHA.0]);
    ends(&owner.keyward(&["group", "create", GROUP]), 10, &[GROUP]);
    ends(&owner.keyward(&["api-user", "create", ROBOT]), 10, &[ROBOT]);
    ends(&owner.keyward(&["deployment", "create", DEPLOYMENT]), 10, &[DEPLOYMENT]);
}

#[test]
fn a_password_in_the_servers_address_is_never_shown() {
    let url = "https://bob:hunter2@host.invalid";
    let machines = [Machine::new(url), Machine::new(url).with("KEYWARD_TOKEN", "kwt1_x")];
    for words in [
        &["whoami"][..],
        &["doctor"],
        &["login", "--email", EMAIL, "--password-stdin"],
        &["quickstart", "--email", EMAIL, "--password-stdin"],
        &["init", "--org", "X", "--email", EMAIL, "--password-stdin", "--recovery-kit", "kit"],
    ] {
        for machine in &machines {
            let ended = machine.keyward_with(words, PASSWORD.as_bytes());
            assert_ne!(ended.code, 0, "{words:?}: {}", ended.said());
            assert!(!ended.said().contains("hunter2"), "{words:?}: {}", ended.said());
        }
    }
}

#[test]
fn a_token_that_could_not_be_shown_can_be_had_anew() {
    let world = World::new(Engine::Sqlite);
    let full = |line: &str| world.owner.shell(&["dash"], &format!("keyward {line} > /dev/full"));
    let gateway = ["api-user", "create", "edge", "--gateway", "--group", GROUP];
    world.owner.ok(&gateway);
    for (line, advice) in [
        (format!("api-user create x --group {GROUP}"), "keyward api-user rotate x"),
        ("api-user rotate x".to_owned(), "keyward api-user rotate x"),
        (format!("agent create bot --group {GROUP}"), "keyward agent rotate bot"),
        ("agent rotate bot --json".to_owned(), "keyward agent rotate bot"),
    ] {
        let ended = full(&line);
        ends(&ended, 1, &["cannot write to standard output", "is there now", advice]);
    }
    world.owner.ok(&["api-user", "rotate", "x"]);
}

#[test]
fn what_is_seen_by_others_is_warned_about_and_done() {
    let world = World::new(Engine::Sqlite);
    let ended = world.owner.keyward(&["key", "create", "SEEN", "--value", "value-on-a-command-line"]);
    ends(&ended, 0, &["--value"]);
    assert!(!ended.said().contains("value-on-a-command-line"));
    assert_eq!(world.owner.ok(&["key", "get", "SEEN"]), "value-on-a-command-line");
    let machine = Machine::new(&world.server.url());
    let ended = machine.keyward(&["auth", "api-user", "--token", &world.token]);
    ends(&ended, 0, &["--token-stdin"]);
    assert!(!ended.said().contains(&world.token));
}

#[test]
fn quiet_is_quiet_and_colours_are_for_terminals() {
    let world = World::new(Engine::Sqlite);
    let ended = world.owner.keyward(&["group", "create", "quiet", "--quiet"]);
    assert_eq!((ended.code, ended.said().as_str()), (0, "stdout: \nstderr: "));
    for words in [&["key", "list"] as &[&str], &["key", "get", "nonsense"], &["--help"], &["nonsense"]] {
        assert!(!world.owner.keyward(words).said().contains('\u{1b}'), "{words:?}");
    }
}

#[test]
fn several_owners_machines_can_write_at_once() {
    let world = World::new(Engine::Sqlite);
    let seq = || world.insider().org.seq;
    let before = seq();
    std::thread::scope(|scope| {
        for at in 0..6 {
            let owner = &world.owner;
            scope.spawn(move || {
                let name = format!("group-{at}");
                owner.ok(&["group", "create", &name]);
            });
        }
    });
    assert_eq!(seq(), before + 6);
}

#[test]
fn a_reader_that_hangs_up_is_no_error() {
    let world = World::new(Engine::Sqlite);
    let ended =
        world.owner.shell(&["bash"], "keyward key list | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}");
    assert_eq!((ended.stdout.as_slice(), ended.stderr.as_str()), (&b"0\n"[..], ""));
    let ended = world.owner.shell(&["bash"], "keyward key list >/dev/full");
    assert_eq!(ended.code, 1, "{}", ended.said());
}
