//! Real shells complete real names, and only those that the reader may have.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use keyward_tests::engines;
use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::{Engine, Server, wait_until};
use keyward_tests::terminal::Terminal;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP, ROBOT, World, read};

engines! {
    fn fish_completes_what_the_identity_may_see_and_nothing_else(engine) {
        let world = World::new(engine);
        for machine in [&world.robot, &world.remembering_robot()] {
            offers(machine, "keyward deployment env-file can", &[DEPLOYMENT]);
            offers(machine, "keyward run c", &[DEPLOYMENT]);
            offers(machine, "keyward key get ", &[ALPHA.0, BETA.0]);
            assert_eq!(fish(machine, &format!("keyward key get {}", EXCLUDED.0)), [""; 0], "EX-27");
            assert_eq!(fish(machine, "keyward group show "), [""; 0], "names of groups are an administrator's");
            assert_eq!(fish(machine, "keyward access "), [""; 0]);
        }
        let owner = &world.owner;
        offers(owner, "keyward key get CANARY_", &[ALPHA.0, BETA.0, EXCLUDED.0]);
        offers(owner, "keyward group assign ", &[GROUP]);
        offers(owner, &format!("keyward group assign {GROUP} "), &[DEPLOYMENT]);
        offers(owner, "keyward group assign g d --exclude CANARY_E", &[EXCLUDED.0]);
        offers(owner, "keyward api-user revoke ", &[ROBOT]);
        offers(owner, "keyward access can", &[ROBOT]);
        offers(owner, "keyward key import --map=can", &[&format!("--map={DEPLOYMENT}")]);
        owner.ok(&["key", "tag", ALPHA.0, "--add", "billing", "--set", "Main database"]);
        owner.ok(&["deployment", "unmap", DEPLOYMENT, BETA.0]);
        offers(owner, "keyward key list --tag b", &["billing"]);
        offers(owner, "keyward key create NEW --set M", &["Main database"]);
        offers(owner, &format!("keyward key tag {} --remove ", ALPHA.0), &["billing"]);
        // What the owner looked at before may be a minute old.
        let fresh = || std::fs::remove_dir_all(owner.path(".keyward/cache")).unwrap_or_default();
        fresh();
        offers(owner, &format!("keyward deployment unmap {DEPLOYMENT} "), &[ALPHA.0, EXCLUDED.0]);
        offers(owner, "keyward deployment unmap nowhere ", &[ALPHA.0, BETA.0, EXCLUDED.0]);
        assert_eq!(fish(&world.robot, "keyward key list --tag "), [""; 0], "tags are an administrator's");
    }
}

#[test]
fn bash_completes_a_name_and_a_hostile_one_does_nothing() {
    let world = hostile_world();
    let functions = "source <(keyward completions bash); complete_() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                     _keyward keyward \"${@:$#}\" x; printf '%s\\n' \"${COMPREPLY[@]}\"; }; ";
    let complete = |line: &str| {
        let ended = world.owner.shell(&["bash", "--norc"], &format!("{functions} complete_ {line}"));
        lines(&quiet(ended))
    };
    assert_eq!(complete("keyward deployment env-file can"), [DEPLOYMENT]);
    assert_eq!(complete("keyward key import --map = can"), [DEPLOYMENT]);
    assert_eq!(complete("keyward deployment show Open"), [r"Open\ \$\(touch\ pwned\)\;\'\*"]);

    let mut terminal = Terminal::run(&world.owner, "bash --norc --noprofile -i");
    terminal.types("PS1='ready: '; source <(keyward completions bash)\n");
    terminal.shows("ready: ");
    terminal.types("keyward deployment show Open\t\n");
    terminal.shows(&id_of(&world));
    terminal.types("exit\n");
    assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
    assert!(!world.owner.path("pwned").exists(), "{}", terminal.seen());
}

#[test]
fn zsh_completes_a_name_and_a_hostile_one_does_nothing() {
    let world = hostile_world();
    std::fs::create_dir(world.owner.path("functions")).unwrap();
    world.owner.write("functions/_keyward", world.owner.ok(&["completions", "zsh"]));
    // Loaded by name from a folder of fpath, or sourced: both are how people do it.
    for load in [
        "fpath=($HOME/functions $fpath); autoload -U compinit; compinit -u -D",
        "autoload -U compinit; compinit -u -D; source <(keyward completions zsh)",
    ] {
        let mut terminal = Terminal::run(&world.owner, "zsh -f -i");
        terminal.types(&format!("PS1='ready: '; {load}\n"));
        terminal.shows("ready: ");
        terminal.types("keyward deployment show Open\t\n");
        terminal.shows(&id_of(&world));
        terminal.types("keyward deployment show canary-p\t --json\n");
        terminal.shows(&world.deployment_id());
        terminal.types("exit\n");
        terminal.ends();
        assert!(!world.owner.path("pwned").exists(), "{}", terminal.seen());
    }
}

#[test]
fn a_key_that_was_lost_is_not_offered_and_ten_questions_are_one_read() {
    let world = World::new(Engine::Sqlite);
    let robot = world.remembering_robot();
    for _ in 0..3 {
        offers(&robot, "keyward key get ", &[ALPHA.0, BETA.0]);
    }
    assert_eq!(reads(&world.server), 1, "each TAB is an entry of the audit log");
    world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
    age(&robot);
    offers(&robot, "keyward key get ", &[BETA.0]);
    assert_eq!(read(&robot).len(), 1);
}

#[test]
fn without_a_server_the_kept_names_are_offered_but_not_to_who_was_refused() {
    let mut world = World::new(Engine::Sqlite);
    let mut robot = world.remembering_robot();
    offers(&robot, "keyward key get ", &[ALPHA.0, BETA.0]);
    // One that takes connections and says nothing, and one that is not there.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for url in [format!("http://{}", silent.local_addr().unwrap()), "http://127.0.0.1:1".to_owned()] {
        robot.redirect(&url);
        age(&robot);
        offers(&robot, "keyward key get ", &[ALPHA.0, BETA.0]);
    }
    robot.redirect(&world.server.url());
    world.owner.ok(&["api-user", "revoke", ROBOT]);
    age(&robot);
    assert_eq!(fish(&robot, "keyward key get "), [""; 0], "revoked, and still told names");
    world.server.stop();
    let nobody = Machine::new("http://127.0.0.1:1");
    assert_eq!(fish(&nobody, "keyward key get "), [""; 0]);
    offers(&nobody, "keyward deployment env-f", &["env-file"]);
}

#[test]
fn a_server_that_is_still_being_typed_is_sent_nothing() {
    let world = World::new(Engine::Sqlite);
    let half_typed = TcpListener::bind("127.0.0.1:0").unwrap();
    half_typed.set_nonblocking(true).unwrap();
    let url = format!("http://{}", half_typed.local_addr().unwrap());
    assert_eq!(fish(&world.robot, &format!("keyward --url {url} key get ")), [""; 0]);
    assert_eq!(fish(&world.robot, &format!("keyward key get --url={url} ")), [""; 0]);
    assert!(half_typed.accept().is_err(), "a credential went to an address that nobody has confirmed");
    assert_eq!(reads(&world.server), 0);
}

#[test]
fn what_was_typed_is_no_argument_of_anything() {
    let machine = Machine::new("http://127.0.0.1:1");
    let recorder = "#!/bin/sh\nprintf '%s\\n' \"$@\" >> \"$HOME/arguments\"\ncat >> \"$HOME/input\"\n";
    std::fs::create_dir(machine.path("bin")).unwrap();
    machine.write("bin/keyward", recorder);
    for (shell, name) in [("bash", "bash"), ("fish", "fish")] {
        machine.write(&format!("{name}.script"), machine.ok(&["completions", name]));
        let line = "keyward auth api-user --token kwt1_canary ";
        let script = match shell {
            "bash" => "chmod +x bin/keyward; PATH=$HOME/bin:$PATH; source bash.script; \
                       COMP_WORDS=(keyward auth api-user --token kwt1_canary ''); COMP_CWORD=5; _keyward keyward '' x"
                .to_owned(),
            _ => format!("chmod +x bin/keyward; set PATH $HOME/bin $PATH; source fish.script; complete -C '{line}'"),
        };
        quiet(machine.shell(&[shell], &script));
        let arguments = std::fs::read_to_string(machine.path("arguments")).unwrap();
        assert!(!arguments.contains("kwt1_"), "{shell}: {arguments}");
        assert!(std::fs::read_to_string(machine.path("input")).unwrap().contains("kwt1_canary"), "{shell}");
        std::fs::remove_file(machine.path("input")).unwrap();
    }
}

#[test]
fn whatever_a_shell_asks_there_is_no_error() {
    let world = World::new(Engine::Sqlite);
    let long = vec![b'a'; 300 * 1024];
    for (words, input) in [
        (&["__complete"][..], &b""[..]),
        (&["__complete", "bash"], b"keyward\0"),
        (&["__complete", "bash", "-1"], b"keyward\0"),
        (&["__complete", "bash", "18446744073709551615"], b"keyward\0"),
        (&["__complete", "fish", "7"], b"keyward\0key\0"),
        (&["__complete", "fish", "0"], b""),
        (&["__complete", "fish", "1"], b"keyward\0\xff\xfe\0"),
        (&["__complete", "nu", "2"], b"keyward\0key\0"),
        (&["__complete", "fish", "1"], &long),
        (&["__complete", "fish", "3"], b"keyward\0key\0get\0\xff\0"),
        (&["__complete", "bash", "3"], b"keyward\0key\0get\0'\"\\\0"),
    ] {
        let ended = world.owner.keyward_with(words, input);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{words:?}");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(said.lines().all(|line| line.starts_with("--")), "{words:?}: {said}");
    }
    // What is kept is damaged: the same silence.
    let broken = Machine::new(&world.server.url());
    std::fs::create_dir(broken.path(".keyward")).unwrap();
    broken.write(".keyward/config.toml", "login = {");
    let ended = broken.keyward_with(&["__complete", "fish", "3"], b"keyward\0key\0get\0\0");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(!ended.said().contains("CANARY"), "{}", ended.said());
}

const HOSTILE: &str = "Open $(touch pwned);'*";

fn hostile_world() -> World {
    let world = World::new(Engine::Sqlite);
    world.owner.ok(&["deployment", "create", HOSTILE]);
    // What is kept is young: TAB need not wait for a busy machine's server.
    world.owner.ok(&["deployment", "list"]);
    world
}

fn id_of(world: &World) -> String {
    let org = world.insider().org;
    org.deployments.iter().find(|deployment| deployment.name.as_str() == HOSTILE).unwrap().id.to_string()
}

/// fish offers just this. On a busy machine the server may be too late for one TAB, as for a person.
fn offers(machine: &Machine, line: &str, names: &[&str]) {
    wait_until(&format!("{names:?} for {line:?}"), || (fish(machine, line) == names).then_some(()));
}

/// What fish offers for this line, without the descriptions.
fn fish(machine: &Machine, line: &str) -> Vec<String> {
    let script = format!("source (keyward completions fish | psub); complete -C '{line}'");
    let mut command = machine.command("fish".into());
    // fish keeps files of its own where there is a home.
    command.args(["--no-config", "-c", &script]);
    if !machine.has("HOME") {
        command.env("XDG_CONFIG_HOME", machine.home()).env("XDG_DATA_HOME", machine.home());
    }
    let ended = keyward_tests::machine::run(command, b"");
    let offered = lines(&quiet(ended)).into_iter().map(|line| line.split('\t').next().unwrap().to_owned());
    // Where there is no name, options are what is left to offer.
    let asks_for_options = line.rsplit(' ').next().unwrap().starts_with('-');
    offered.filter(|offer| asks_for_options || !offer.starts_with('-')).collect()
}

fn quiet(ended: Ended) -> String {
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.said());
    String::from_utf8(ended.stdout).unwrap()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Makes what the robot keeps older than it is used unasked.
fn age(robot: &Machine) {
    for entry in std::fs::read_dir(robot.path("memory/cache")).unwrap() {
        let file = std::fs::File::open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    }
}

fn reads(server: &Server) -> usize {
    server.log().lines().filter(|line| line.contains("/v1/me/bundle")).count()
}
