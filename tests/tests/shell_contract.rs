//! What a script can rely on: whatever stops `env-file --stdout`, a shell that evals its output fails; and what is asked or
//! told beside it is safe.

#![expect(clippy::string_slice, reason = "a test: what fails is the test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use keyward_tests::liar::Reply;
use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, Server, wait_until};
use keyward_tests::world::{DEPLOYMENT, EMAIL, ENV_FILE, ORG, World, env_file};

/// An address where nothing listens: a command that ends with another code than 5 ended before it asked.
const NOWHERE: &str = "http://127.0.0.1:1";

#[test]
fn a_signal_while_it_waits_prints_false() {
    let mut world = World::new(Engine::Sqlite);
    let liar = world.liar();
    world.robot.redirect(&liar.url());
    liar.lie("*", |_, _| Reply::Stall(Vec::new()));
    for (name, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let before = liar.traffic().len();
        let mut command = world.robot.command(keyward_tests::server::program("keyward"));
        command.args(ENV_FILE).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        wait_until("the request", || (liar.traffic().len() > before).then_some(()));
        assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "false\n", "{name}");
    }
}

#[test]
fn an_output_cut_anywhere_fails_with_the_word_that_follows() {
    let world = World::new(Engine::Sqlite);
    let whole = env_file(&world.robot).ok(ENV_FILE);
    for end in 1..=whole.len() {
        let cut = format!("{};false\n", &whole[..end]);
        for eval in ["eval \"$CUT\"", "eval $CUT"] {
            let mut shell = world.robot.command("sh".into());
            shell.env("CUT", &cut).args(["-c", &format!("set -e; {eval}; echo alive")]);
            let output = shell.output().unwrap();
            assert!(!output.status.success(), "{eval}: {cut}");
            assert!(!output.stdout.ends_with(b"alive\n"), "{eval}: {cut}");
        }
    }
}

#[test]
fn a_mistyped_command_line_prints_false() {
    let machine = Machine::new(NOWHERE);
    for line in [
        "deployment env-file p --stdout=true",
        "deployment env-file p --stdou",
        "deployment env-file p --sdtout",
        "deployment env-file p",
        "deployment env-file p out.env --stdout",
        "deployment envfile p --stdout",
        "deploymnt env-file p --stdout",
        "deployment env-file p --stdout --format json --format shell",
        "deployment env-file p --stdout --format xml",
        "deployment env-file p --stdout --help",
        "deployment env-file p --stdout --version",
    ] {
        machine.keyward(&line.split(' ').collect::<Vec<_>>()).refused(2, line);
    }
    for line in ["deployment env-file p --stdout --format json", "deployment env-file p out.env"] {
        let ended = machine.keyward(&line.split(' ').collect::<Vec<_>>());
        assert!(ended.code != 0 && ended.stdout.is_empty(), "{line}: {}", ended.said());
    }
    assert!(machine.ok(&["deployment", "env-file", "--help"]).contains("Usage"), "help is still to be had");
}

#[test]
fn only_a_regular_file_is_written_and_it_is_looked_at_first() {
    let machine = Machine::new(NOWHERE).with("KEYWARD_TOKEN", "none");
    machine.write("target", "former");
    symlink(machine.path("target"), machine.path("link")).unwrap();
    assert!(Command::new("mkfifo").arg(machine.path("pipe")).status().unwrap().success());
    for name in ["link", "pipe", ".", "/dev/null"] {
        let ended = machine.keyward(&["deployment", "env-file", DEPLOYMENT, name]);
        assert_eq!(ended.code, 9, "{name}: {}", ended.said());
        assert!(ended.stderr.contains("--stdout"), "{name}: {}", ended.stderr);
    }
    assert!(machine.path("link").is_symlink());
    assert_eq!(fs::read(machine.path("target")).unwrap(), b"former");
}

#[test]
fn a_mapping_file_that_others_can_write_names_nothing() {
    let world = World::new(Engine::Sqlite);
    let id = world.deployment_id();
    let text = format!(r#"{{"environment_mappings": {{"p": "{id}"}}}}"#);
    let file = world.robot.write(".keyward-deployment", text);
    let words = ["deployment", "env-file", "p", "--stdout"];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.robot.keyward(&words).code, 0);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o646)).unwrap();
    let ended = world.robot.keyward(&words);
    ended.refused(9, "writable by others");
    assert!(ended.stderr.contains("chmod go-w"), "{}", ended.stderr);
    assert_eq!(world.robot.keyward(&["deployment", "env-file", &id, "--stdout"]).code, 0, "by its id");
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let machine = Machine::new(NOWHERE);
    for line in
        ["auth api-user hunter2", "key create X hunter2", "key set X hunter2", "key create X --v=hunter2"]
    {
        let ended = machine.keyward(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.code, 2, "{line}");
        assert!(!ended.said().contains("hunter2"), "{line}: {}", ended.said());
    }
}

#[test]
fn a_quiet_init_still_shows_the_passphrase_and_the_kit_that_it_makes() {
    let server = Server::start(Engine::Sqlite);
    let machine = Machine::new(&server.url());
    let init = format!("keyward init --quiet --org '{ORG}' --email {EMAIL}");
    // `script` is the terminal: an empty line takes the passphrase, and the recovery code is not confirmed.
    let mut script = machine.command("script".into());
    script.args(["-qec", &init, "/dev/null"]);
    let ended = keyward_tests::machine::run(script, b"\nno\nno\nno\n");
    assert_eq!(ended.code, 2, "{}", ended.said());
    let shown = String::from_utf8_lossy(&ended.stdout);
    let words = shown.split_once("A strong passphrase, if you like: ").expect("the passphrase").1;
    assert!(words.lines().next().unwrap().len() > 20, "{shown}");
    assert!(shown.contains("recovery code"), "{shown}");
}
