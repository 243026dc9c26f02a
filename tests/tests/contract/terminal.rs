//! With a terminal, people are asked. Without one, nobody is asked, and nothing waits.

use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, Server};
use keyward_tests::terminal::Terminal;
use keyward_tests::world::{ALPHA, DEPLOYMENT, PASSWORD, World};

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_done() {
    let world = World::new(Engine::Sqlite);
    let before = world.insider().org.seq;
    let nobody = Machine::new(&world.server.url());
    for (machine, line, hint) in [
        (&nobody, "init --org Acme --email a@acme.example --password-stdin", "--recovery-kit"),
        (&nobody, "init --org Acme --email a@acme.example --recovery-kit kit", "--password-stdin"),
        (&nobody, "login --email olga@canary.example", "--password-stdin"),
        (&nobody, "auth api-user", "--token-stdin"),
        (&world.owner, "key create NEW", "--value-stdin"),
        (&world.owner, "key set CANARY_ALPHA", "--value-stdin"),
        (&world.owner, "key delete CANARY_ALPHA", "--yes"),
        (&world.owner, "deployment delete canary-production", "--yes"),
        (&world.owner, "group delete canary-agents", "--yes"),
        (&world.owner, "pin --forget", "--yes"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = machine.keyward_with(&words, PASSWORD.as_bytes());
        assert_eq!((ended.code, ended.stdout.as_slice()), (2, &b""[..]), "{line}: {}", ended.said());
        assert!(ended.stderr.contains(hint), "{line}: {}", ended.stderr);
    }
    assert_eq!(world.insider().org.seq, before);
    let kept: Vec<_> =
        std::fs::read_dir(nobody.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!kept.iter().any(|name| name == "kit"), "{kept:?}");
}

#[test]
fn a_kit_is_never_overwritten() {
    let server = Server::start(Engine::Sqlite);
    let owner = Machine::new(&server.url());
    owner.write("kit", "the kit of another organisation");
    let words =
        ["init", "--org", "Acme", "--email", "a@acme.example", "--password-stdin", "--recovery-kit", "kit"];
    let ended = owner.keyward_with(&words, PASSWORD.as_bytes());
    assert_eq!(ended.code, 10, "{}", ended.said());
    assert_eq!(std::fs::read_to_string(owner.path("kit")).unwrap(), "the kit of another organisation");
    assert_eq!(server.sql("select count(*) from orgs"), "0", "signed up, and the kit is lost");
}

#[test]
fn an_owner_signs_up_on_a_terminal_and_shows_to_have_the_recovery_code() {
    let server = Server::start(Engine::Sqlite);
    let owner = Machine::new(&server.url());
    let mut terminal = Terminal::open(&owner, "init --org Acme --email olga@acme.example");
    terminal.asked("Password", PASSWORD);
    terminal.asked("Once more", PASSWORD);
    terminal.asked("last 6 characters", "zzzzzz");
    let shown = terminal.seen();
    let code = shown.split_whitespace().find(|word| word.starts_with("kwr1_")).unwrap().to_owned();
    assert_eq!(
        server.sql("select count(*) from orgs"),
        "0",
        "signed up before the code was shown to be there"
    );
    terminal.asked("last 6 characters", code.rsplit('_').next().unwrap());
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(!terminal.seen().contains(PASSWORD), "the password was shown: {}", terminal.seen());
    owner.ok(&["key", "list"]);
}

#[test]
fn a_value_is_asked_for_twice_unseen_and_got_with_a_newline() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let value = "canary-typed-value";
    let mut terminal = Terminal::open(owner, "key create TYPED");
    terminal.asked("Value of TYPED", value);
    terminal.asked("Once more", "something else");
    assert_eq!(terminal.ends(), 2, "{}", terminal.seen());
    assert_eq!(owner.keyward(&["key", "show", "TYPED"]).code, 4, "two different values were taken");

    let mut terminal = Terminal::open(owner, "key create TYPED");
    terminal.asked("Value of TYPED", value);
    terminal.asked("Once more", value);
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(!terminal.seen().contains(value), "{}", terminal.seen());
    assert_eq!(owner.ok(&["key", "get", "TYPED"]), value);

    let mut terminal = Terminal::open(owner, "key get TYPED");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(terminal.seen(), format!("{value}\r\n"));
}

#[test]
fn what_a_rule_needs_beside_the_value_is_asked_for_unseen() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let (value, app) = ("canary-typed-value-0123", "canary-typed-application-key");
    // A wrong rule is found before anybody types.
    let mut terminal = Terminal::open(owner, "key create TYPED --inject datadog --host *.github.io");
    assert_eq!(terminal.ends(), 9, "{}", terminal.seen());
    assert!(!terminal.seen().contains("Value of"), "{}", terminal.seen());

    let mut terminal = Terminal::open(owner, "key create TYPED --inject datadog");
    terminal.asked("Value of TYPED", value);
    terminal.asked("Once more", value);
    terminal.asked("Field app", app);
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(!terminal.seen().contains(value) && !terminal.seen().contains(app), "{}", terminal.seen());

    // A rule that needs another field asks for that one only, and keeps the value.
    let mut terminal = Terminal::open(owner, "key set TYPED --inject basic --host api.example.com");
    terminal.asked("Field user", "me");
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert_eq!(owner.ok(&["key", "get", "TYPED"]), value);
    assert!(owner.ok(&["key", "show", "TYPED"]).contains("fields     app, user"));
}

#[test]
fn what_destroys_is_done_only_when_its_name_was_typed() {
    let world = World::new(Engine::Sqlite);
    for (typed, code) in [("yes", 2), ("", 2), (DEPLOYMENT, 0)] {
        assert_eq!(world.owner.keyward(&["deployment", "show", DEPLOYMENT]).code, 0);
        let mut terminal = Terminal::open(&world.owner, &format!("deployment delete {DEPLOYMENT}"));
        terminal.asked(&format!("Type {DEPLOYMENT}"), typed);
        assert_eq!(terminal.ends(), code, "{typed}: {}", terminal.seen());
    }
    assert_eq!(world.owner.keyward(&["deployment", "show", DEPLOYMENT]).code, 4);
    world.owner.ok(&["key", "show", ALPHA.0]);
}
