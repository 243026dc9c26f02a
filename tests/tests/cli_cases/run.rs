//! `keyward run` becomes the program: nothing of keyward is left.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use keyward_tests::machine::{Ended, run, variables};
use keyward_tests::server::{Engine, program};
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, World};

fn keyward(world: &World, words: &[&str]) -> Command {
    let mut command = world.robot.command(program("keyward"));
    command.args(["run", DEPLOYMENT]).args(words);
    command
}

fn ends(world: &World, script: &str) -> Ended {
    run(keyward(world, &["--", "sh", "-c", script]), b"")
}

#[test]
fn the_end_of_the_program_is_the_end_of_keyward() {
    let world = World::new(Engine::Sqlite);
    for code in [0, 1, 7, 126, 255] {
        assert_eq!(ends(&world, &format!("exit {code}")).code, code);
    }
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("INT", 2), ("PIPE", 13), ("XFSZ", 25)] {
        assert_eq!(ends(&world, &format!("kill -{signal} $$")).code, 128 + number, "{signal}");
    }
    let missing = run(keyward(&world, &["--", "no-such-program-here"]), b"");
    assert_eq!(missing.code, 127, "{}", missing.said());
    assert!(missing.stdout.is_empty() && missing.stderr.contains("no-such-program-here"));
    let file = world.robot.write("not-executable", "x");
    let refused = run(keyward(&world, &["--", file.to_str().unwrap()]), b"");
    assert_eq!(refused.code, 126, "{}", refused.said());
}

#[test]
fn the_program_has_the_process_the_files_and_the_words() {
    let world = World::new(Engine::Sqlite);
    // The very same process: a signal to keyward is a signal to the program.
    let child = keyward(&world, &["--", "sh", "-c", "echo $$"]).stdout(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let said = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), id.to_string());
    // Standard input and other descriptors.
    world.robot.write("seven", "from descriptor 7");
    let script = format!("exec 7<seven; printf stdin | keyward run {DEPLOYMENT} -- sh -c 'cat; cat <&7'");
    assert_eq!(world.robot.shell(&["sh"], &script).stdout, b"stdinfrom descriptor 7");
    // Nothing of keyward's own is open in it.
    let listing = "ls /proc/self/fd | sort -n";
    assert_eq!(ends(&world, listing).stdout, world.robot.shell(&["sh"], listing).stdout);
    // Words of any bytes.
    let words = [&b"\xff\xfe"[..], b"", b"--", b"a b", b"$(x)", b"--help", "é".as_bytes()];
    let mut command = keyward(&world, &["--", "sh", "-c", "printf '%s\\n' \"$@\"", "sh"]);
    command.args(words.map(OsStr::from_bytes));
    assert_eq!(run(command, b"").stdout, [words.join(&b"\n"[..]), b"\n".to_vec()].concat());
}

#[test]
fn the_program_finds_its_variables_and_none_of_keywards() {
    let world = World::new(Engine::Sqlite);
    let mut command = keyward(&world, &["--", "env", "-0"]);
    command
        .env(ALPHA.0, "from outside")
        .env("OTHER", "stays")
        .env("KEYWARD_MIN_SEQ", "1")
        .env("KEYWARDEN", "stays");
    let found = variables(&run(command, b"").stdout);
    assert_eq!(found[ALPHA.0], ALPHA.1.as_bytes(), "a deployment's variable wins");
    assert_eq!(found[BETA.0], BETA.1.as_bytes());
    assert_eq!((found["OTHER"].as_slice(), found["KEYWARDEN"].as_slice()), (&b"stays"[..], &b"stays"[..]));
    let own: Vec<&String> = found.keys().filter(|name| name.starts_with("KEYWARD_")).collect();
    assert!(own.is_empty(), "{own:?}");
}

#[test]
fn only_secrets_leaves_nothing_else_but_what_is_kept() {
    let world = World::new(Engine::Sqlite);
    let env = |words: &[&str]| {
        let mut command = keyward(&world, &[words, &["--", "/usr/bin/env", "-0"]].concat());
        command.env("OTHER", "x").env("KEPT", "kept");
        variables(&run(command, b"").stdout).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(env(&["--only-secrets"]), [ALPHA.0, BETA.0]);
    assert_eq!(env(&["--only-secrets", "--keep", "KEPT"]), [ALPHA.0, BETA.0, "KEPT"]);
    let ended = run(keyward(&world, &["--keep", "KEPT", "--", "true"]), b"");
    assert_eq!(ended.code, 2, "--keep without --only-secrets: {}", ended.said());
    let mut token =
        keyward(&world, &["--only-secrets", "--keep", "KEYWARD_TOKEN", "--", "/usr/bin/env", "-0"]);
    token.env("KEPT", "x");
    assert!(!variables(&run(token, b"").stdout).contains_key("KEYWARD_TOKEN"), "its own token is never kept");
}

#[test]
fn without_its_variables_the_program_does_not_start() {
    let mut world = World::new(Engine::Sqlite);
    let started = || world.robot.path("started").exists();
    let mut command = world.robot.command(program("keyward"));
    command.args(["run", "nowhere", "--", "touch", "started"]);
    assert_eq!((run(command, b"").code, started()), (4, false));
    let mut command = world.robot.command(program("keyward"));
    command.args(["run", "--", "touch", "started"]);
    let ended = run(command, b"");
    assert_eq!((ended.code, started()), (4, false), "{}", ended.said());
    world.server.stop();
    assert_eq!(ends(&world, "touch started").code, 5);
    assert!(!world.robot.path("started").exists());
}
