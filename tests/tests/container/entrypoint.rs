//! `entrypoint.sh` where there is nothing: no HOME, no user name, no terminal, and not a file that can be written.

use std::collections::BTreeMap;
use std::fs;

use keyward_tests::engines;
use keyward_tests::machine::{Ended, variables};
use keyward_tests::server::Engine;
use keyward_tests::world::{DEPLOYMENT, World, expected, secret};

use crate::room::Room;

const PATH: (&str, &str) = ("PATH", "/usr/local/bin:/usr/bin:/bin");
const SECRET: &str = "/run/secrets/keyward_token";

/// A room with the token as a container engine mounts it.
fn room(world: &World) -> Room {
    let room = Room::new();
    room.file("run/secrets/keyward_token", &world.token, 0o444);
    room
}

fn start(room: &Room, world: &World, env: &[(&str, &str)], words: &[&str]) -> Ended {
    start_with(room, world, env, words, b"")
}

fn start_with(room: &Room, world: &World, env: &[(&str, &str)], words: &[&str], input: &[u8]) -> Ended {
    let url = world.server.url();
    let mut all = vec![PATH, ("KEYWARD_URL", &url), ("KEYWARD_DEPLOYMENT", DEPLOYMENT)];
    all.extend(env);
    let words: Vec<&str> = ["entrypoint.sh"].iter().chain(words).copied().collect();
    room.run(&all, &words, input)
}

/// What the program was given, without what its shell adds.
fn given(ended: &Ended) -> BTreeMap<String, String> {
    assert_eq!(ended.code, 0, "{}", ended.said());
    let all = variables(&ended.stdout).into_iter();
    let own = all.filter(|(name, _)| !["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name.as_str()));
    own.map(|(name, value)| (name, String::from_utf8(value).unwrap())).collect()
}

engines! {
    fn a_bare_container_gets_its_variables_and_nothing_of_keyward(engine) {
        let world = World::new(engine);
        let room = room(&world);
        let before = room.snapshot();
        let ended = start(&room, &world, &[("KEYWARD_TOKEN_FILE", SECRET)], &["env", "-0"]);
        assert_eq!(given(&ended), expected());
        assert_eq!(ended.stderr, "");
        assert_eq!(room.snapshot(), before, "something was written");
    }
}

#[test]
fn the_token_comes_from_a_file_the_environment_or_standard_input_and_ends_with_keyward() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    let file = start(&room, &world, &[("KEYWARD_TOKEN_FILE", SECRET)], &["env", "-0"]);
    assert_eq!(given(&file), expected());
    let variable = start(&room, &world, &[("KEYWARD_TOKEN", &world.token)], &["env", "-0"]);
    assert_eq!(given(&variable), expected());
    let line = format!("{}\n", world.token);
    let input = start_with(&room, &world, &[("KEYWARD_TOKEN_FILE", "-")], &["env", "-0"], line.as_bytes());
    assert_eq!(given(&input), expected());
}

#[test]
fn what_is_no_token_on_standard_input_is_refused_without_being_shown() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    let long = "x".repeat(5000);
    for (input, code) in [("", 3), ("canary-no-token\n", 3), (long.as_str(), 2)] {
        let ended =
            start_with(&room, &world, &[("KEYWARD_TOKEN_FILE", "-")], &["echo", "started"], input.as_bytes());
        assert_eq!((ended.code, ended.stdout.as_slice()), (code, &b""[..]), "{}", ended.said());
        assert!(ended.stderr.contains("standard input"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("canary-no-token"), "{}", ended.stderr);
    }
}

#[test]
fn a_program_that_asks_for_it_keeps_what_it_needs_to_refresh() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    let env = [("KEYWARD_TOKEN_FILE", SECRET), ("KEYWARD_KEEP", "1")];
    let refresh = "keyward deployment env-file --stdout --format json \"$KEYWARD_DEPLOYMENT\"";
    let ended = start(&room, &world, &env, &["sh", "-c", refresh]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    let again: BTreeMap<String, String> = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(again, expected());
}

#[test]
fn the_program_is_never_started_without_its_variables() {
    let mut world = World::new(Engine::Sqlite);
    let room = room(&world);
    let file = ("KEYWARD_TOKEN_FILE", SECRET);
    let mut cases: Vec<(&str, i32, Ended)> = Vec::new();
    let started = ["echo", "started"];
    cases.push(("no token", 3, start(&room, &world, &[], &started)));
    cases.push(("no such file", 3, start(&room, &world, &[("KEYWARD_TOKEN_FILE", "/none")], &started)));
    cases.push(("a wrong token", 3, start(&room, &world, &[("KEYWARD_TOKEN", "kwt1_wrong")], &started)));
    let unknown = [file, ("KEYWARD_DEPLOYMENT", "elsewhere")];
    cases.push(("no such deployment", 4, start(&room, &world, &unknown, &started)));
    for option in ["--help", "--version", "-h", "--format=json"] {
        let ended = start(&room, &world, &[file, ("KEYWARD_DEPLOYMENT", option)], &started);
        cases.push(("a name like an option", 4, ended));
    }
    cases.push(("no deployment", 2, start(&room, &world, &[file, ("KEYWARD_DEPLOYMENT", "")], &started)));
    cases.push(("no program", 2, start(&room, &world, &[file], &[])));
    world.server.stop();
    cases.push(("no server", 5, start(&room, &world, &[file], &started)));
    for (case, code, ended) in cases {
        assert_eq!(ended.code, code, "{case}: {}", ended.said());
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "", "{case}");
        assert!(!ended.stderr.is_empty(), "{case}: no reason was given");
    }
}

#[test]
fn whatever_becomes_of_keyward_the_program_is_not_started() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    for (what, fate, code) in [
        ("killed before it prints", "kill -9 $$", 137),
        ("killed while it prints", "echo \"export CANARY_ALPHA='half\"; kill -9 $$", 137),
        ("ended after it printed", "echo \"export CANARY_ALPHA='all'\"; exit 6", 6),
        ("failed, and said nothing", "exit 1", 1),
    ] {
        room.file("usr/local/bin/keyward", &format!("#!/bin/sh\n{fate}\n"), 0o755);
        let ended = start(&room, &world, &[("KEYWARD_TOKEN_FILE", SECRET)], &["echo", "started"]);
        assert_eq!((ended.code, ended.stdout.as_slice()), (code, &b""[..]), "{what}: {}", ended.said());
    }
    fs::remove_file(room.path("usr/local/bin/keyward")).unwrap();
    let ended = start(&room, &world, &[("KEYWARD_TOKEN_FILE", SECRET)], &["echo", "started"]);
    assert_eq!((ended.code, ended.stdout.as_slice()), (127, &b""[..]), "{}", ended.said());
}

#[test]
fn the_script_leaves_no_variable_of_its_own_and_takes_none_of_the_deployment() {
    let world = World::new(Engine::Sqlite);
    world.change(|draft, insider| {
        let deployment = insider.org.deployments[0].id;
        let key = draft.add_key("kw_exports".parse().unwrap(), &secret("a value of that name")).unwrap();
        draft.org.map(deployment, key, "kw_exports".parse().unwrap()).unwrap();
    });
    let room = room(&world);
    let ended = start(&room, &world, &[("KEYWARD_TOKEN_FILE", SECRET)], &["env", "-0"]);
    let mut wanted = expected();
    wanted.insert("kw_exports".to_owned(), "a value of that name".to_owned());
    assert_eq!(given(&ended), wanted);
}

#[test]
fn the_program_takes_the_place_of_the_script() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    let env = [("KEYWARD_TOKEN_FILE", SECRET)];
    let ended = start(&room, &world, &env, &["sh", "-c", "cat; exit 7"]);
    assert_eq!(ended.code, 7, "{}", ended.said());
    let ended = start_with(&room, &world, &env, &["sh", "-c", "cat; kill -TERM $$"], b"its own input");
    assert_eq!((ended.code, ended.stdout.as_slice()), (143, &b"its own input"[..]));
    // An argument arrives as it is, whatever is in it.
    let ended = start(&room, &world, &env, &["printf", "<%s>", "a  b", "", "$(id)", "*"]);
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "<a  b><><$(id)><*>");
}

#[test]
fn every_shell_that_is_sh_somewhere_runs_it() {
    let world = World::new(Engine::Sqlite);
    for shell in ["dash", "bash", "mksh", "ksh93"] {
        let room = Room::with_shell(shell);
        room.file("run/secrets/keyward_token", &world.token, 0o444);
        let ended = start(&room, &world, &[("KEYWARD_TOKEN_FILE", SECRET)], &["env", "-0"]);
        let mut given = given(&ended);
        given.retain(|name, _| !name.starts_with("A__z"));
        assert_eq!(given, expected(), "{shell}");
    }
}

#[test]
fn it_unsets_every_variable_that_keyward_reads() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let script = fs::read_to_string(format!("{root}/examples/container/entrypoint.sh")).unwrap();
    let unset: Vec<&str> = script
        .lines()
        .filter_map(|line| line.trim().strip_prefix("unset KEYWARD_"))
        .flat_map(|rest| rest.split(" KEYWARD_"))
        .collect();
    let context = fs::read_to_string(format!("{root}/cli/src/ctx.rs")).unwrap();
    let read: Vec<&str> =
        context.split("\"KEYWARD_").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(read.contains(&"TOKEN") && read.len() > 5, "{read:?}");
    for name in read {
        assert!(unset.contains(&name), "KEYWARD_{name} is left in the program's environment");
    }
}
