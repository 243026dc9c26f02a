//! `refresh-secrets`: whoever may run it can cause one thing, and choose nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

use keyward_tests::machine::Ended;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, DEPLOYMENT, World, expected};

use crate::room::{NOBODY, Room};

const SCRIPT: &str = "/usr/local/bin/refresh-secrets";
const FILE: &str = "run/keyward/app.json";

/// A room where it is set up, and nothing is in its place yet.
fn room(world: &World) -> Room {
    furnish(Room::new(), world)
}

fn furnish(room: Room, world: &World) -> Room {
    room.file("etc/keyward/token", &world.token, 0o400);
    chown(room.path("etc/keyward/token"), Some(NOBODY), Some(NOBODY)).unwrap();
    configure(&room, world, &format!("/{FILE}"));
    room.keeps("run/keyward")
}

fn configure(room: &Room, world: &World, file: &str) {
    let url = world.server.url();
    let text = format!(
        "deployment={DEPLOYMENT}\nfile='{file}'\nformat=json\nurl={url}\ntoken_file=/etc/keyward/token\n"
    );
    room.file("etc/keyward/refresh.conf", &text, 0o644);
}

/// Runs it with an environment of nothing.
fn refresh(room: &Room) -> Ended {
    room.run(&[], &[SCRIPT], b"")
}

/// The file holds what the robot may read, and is its owner's alone.
fn is_fresh(room: &Room) {
    let facts = fs::symlink_metadata(room.path(FILE)).unwrap();
    assert!(facts.is_file());
    assert_eq!((facts.mode() & 0o7777, facts.uid()), (0o600, NOBODY));
    let text = fs::read(room.path(FILE)).unwrap();
    let read: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap();
    assert_eq!(read, expected());
    let beside: Vec<_> = fs::read_dir(room.path("run/keyward")).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
}

/// Checks that a command was refused and changed nothing.
fn is_refused(room: &Room, ended: &Ended, code: i32, what: &str) {
    assert_eq!(ended.code, code, "{what}: {}", ended.said());
    assert_eq!(ended.stdout, b"", "{what}");
    assert!(ended.stderr.contains("refresh-secrets: ") || code == 5, "{what}: {}", ended.stderr);
    assert!(!room.path(FILE).exists(), "{what}: something was written");
}

#[test]
fn it_refreshes_one_file_and_touches_nothing_else() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    let mut before = room.snapshot();
    let ended = refresh(&room);
    assert_eq!((ended.code, ended.stdout.as_slice()), (0, &b""[..]), "{}", ended.said());
    is_fresh(&room);
    let mut after = room.snapshot();
    after.remove(&room.path(FILE)).unwrap();
    for snapshot in [&mut before, &mut after] {
        snapshot.remove(&room.path("run/keyward"));
    }
    assert_eq!(before, after);
    // Again, over a file that is there.
    fs::write(room.path(FILE), "old").unwrap();
    assert_eq!(refresh(&room).code, 0);
    is_fresh(&room);
}

#[test]
fn every_argument_is_refused() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    for words in [&[""][..], &["--help"], &["-h"], &["--"], &[DEPLOYMENT], &["/tmp/elsewhere"], &["a", "b"]] {
        let words: Vec<&str> = [SCRIPT].iter().chain(words).copied().collect();
        is_refused(&room, &room.run(&[], &words, b""), 2, &format!("{words:?}"));
    }
}

/// The environment that somebody who may run the command can bring along.
fn hostile_environment() -> Vec<(&'static str, &'static str)> {
    vec![
        ("PATH", "/trap:/usr/bin:/bin"),
        ("IFS", "/e"),
        ("ENV", "/trap/run"),
        ("BASH_ENV", "/trap/run"),
        ("BASH_FUNC_[%%", "() { echo > /tmp/trap/sprung; }"),
        ("BASH_FUNC_ls%%", "() { echo > /tmp/trap/sprung; }"),
        ("BASH_FUNC_id%%", "() { echo > /tmp/trap/sprung; }"),
        ("BASH_FUNC_env%%", "() { echo > /tmp/trap/sprung; }"),
        ("BASH_FUNC_echo%%", "() { echo > /tmp/trap/sprung; }"),
        ("BASH_FUNC_cd%%", "() { echo > /tmp/trap/sprung; }"),
        ("BASH_FUNC_umask%%", "() { echo > /tmp/trap/sprung; }"),
        ("CDPATH", "/trap"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("TMPDIR", "/trap"),
        ("HOME", "/trap/home"),
        ("KEYWARD_URL", "http://127.0.0.1:1"),
        ("KEYWARD_TOKEN", "kwt1_trap"),
        ("KEYWARD_TOKEN_FILE", "/dev/null"),
        ("KEYWARD_HOME", "/trap/home/.keyward"),
        ("KEYWARD_CA_FILE", "/dev/null"),
        ("KEYWARD_DEPLOYMENT", "trap"),
        ("KEYWARD_MIN_SEQ", "18446744073709551615"),
        ("KEYWARD_MIN_EPOCH", "4294967295"),
        ("deployment", "trap"),
        ("file", "/trap/file"),
        ("format", "shell"),
        ("url", "http://127.0.0.1:1"),
        ("token_file", "/dev/null"),
        ("ca_file", "/dev/null"),
        ("home", "/trap/home/.keyward"),
        ("config", "/trap/run"),
        ("user", "0"),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
        ("SSL_CERT_FILE", "/dev/null"),
    ]
}

/// Programs and settings that must not be used.
fn set_traps(room: Room) -> Room {
    let spring = "#!/bin/sh\n/bin/touch /trap/sprung\nexit 0\n";
    for program in ["ls", "id", "env", "keyward", "cd", "echo", "run"] {
        room.file(&format!("trap/{program}"), spring, 0o755);
    }
    room.file("trap/home/.keyward/config.toml", "a trap", 0o600);
    let elsewhere = "00000000-0000-4000-8000-000000000000";
    let mapping = format!("{{\"environment_mappings\": {{\"{DEPLOYMENT}\": \"{elsewhere}\"}}}}");
    room.file("trap/.keyward-deployment", &mapping, 0o644);
    room.keeps("trap").from("/trap")
}

#[test]
fn the_caller_s_environment_and_folder_count_for_nothing() {
    let world = World::new(Engine::Sqlite);
    let bare = set_traps(room(&world));
    let mut environment = hostile_environment();
    // Nothing but static programs is in there.
    environment.extend([
        ("LD_PRELOAD", "/trap/run"),
        ("LD_LIBRARY_PATH", "/trap"),
        ("LD_AUDIT", "/trap/run"),
    ]);
    let mut rooms = vec![("busybox", bare, environment)];
    for shell in ["dash", "bash", "mksh"] {
        let room = set_traps(furnish(Room::with_shell(shell), &world));
        rooms.push((shell, room, hostile_environment()));
    }
    for (shell, room, environment) in rooms {
        // A caller who names the trap is caught: the test would see it.
        let ended = room.run(&[("PATH", "/trap")], &["/bin/sh", "-c", "keyward"], b"");
        assert!(room.path("trap/sprung").exists(), "{shell}: {}", ended.said());
        fs::remove_file(room.path("trap/sprung")).unwrap();

        let before = room.snapshot();
        let ended = room.run(&environment, &[SCRIPT], b"");
        assert_eq!(ended.code, 0, "{shell}: {}", ended.said());
        is_fresh(&room);
        let trap = |path: &std::path::Path| path.starts_with(room.path("trap"));
        let mut after = room.snapshot();
        after.retain(|path, _| trap(path));
        let before: Vec<_> = before.into_iter().filter(|(path, _)| trap(path)).collect();
        assert_eq!(after.into_iter().collect::<Vec<_>>(), before, "{shell}");
    }
}

#[test]
fn closed_files_and_limits_do_not_bend_what_is_written() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    for how in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let ended = room.run(&[], &["/bin/sh", "-c", &format!("exec {SCRIPT} {how}")], b"");
        assert_eq!(ended.code, 0, "{how}: {}", ended.said());
        is_fresh(&room);
    }
    // Too small a limit for the file: the old one stays, whole.
    world.owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], &[b'x'; 2000]).ok(&["key", "set"]);
    for blocks in [0, 1] {
        let ended = room.run(&[], &["/bin/sh", "-c", &format!("ulimit -f {blocks}; exec {SCRIPT}")], b"");
        assert_eq!(ended.code, 1, "{blocks}: {}", ended.said());
        assert!(ended.stderr.contains("app.json: File too large"), "{blocks}: {}", ended.stderr);
        is_fresh(&room);
    }
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    let mut world = World::new(Engine::Sqlite);
    let room = room(&world);
    assert_eq!(refresh(&room).code, 0);
    world.owner.ok(&["api-user", "revoke", keyward_tests::world::ROBOT]);
    assert_eq!(refresh(&room).code, 3);
    is_fresh(&room);
    world.server.stop();
    assert_eq!(refresh(&room).code, 5);
    is_fresh(&room);
}

#[test]
fn many_at_once_leave_one_whole_file() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    let ended =
        room.run(&[], &["/bin/sh", "-c", &format!("for n in 1 2 3 4 5 6; do {SCRIPT} & done; wait")], b"");
    assert_eq!(ended.stderr.lines().count(), 6, "{}", ended.said());
    is_fresh(&room);
}

/// Something that is done to a room to spoil it.
type Spoil<'a> = &'a dyn Fn(&Room);

#[test]
fn a_place_that_others_can_change_is_refused() {
    let world = World::new(Engine::Sqlite);
    let other = Some(1001);
    // Each spoils the folder of the file, or one above it, or the configuration.
    let spoil: &[(&str, Spoil<'_>)] = &[
        ("all may write", &|room| mode(room, "run/keyward", 0o777)),
        ("all may write, with the sticky bit", &|room| mode(room, "run/keyward", 0o1777)),
        ("the group may write", &|room| mode(room, "run/keyward", 0o770)),
        ("all may write above", &|room| mode(room, "run", 0o777)),
        ("somebody else's", &|room| chown(room.path("run/keyward"), other, None).unwrap()),
        ("somebody else's above", &|room| chown(room.path("run"), other, None).unwrap()),
        ("a link", &|room| {
            symlink("keyward", room.path("run/link")).unwrap();
            configure(room, &world, "/run/link/app.json");
        }),
        ("a relative path", &|room| configure(room, &world, "run/keyward/app.json")),
        ("a way around", &|room| configure(room, &world, "/run/keyward/../keyward/app.json")),
        ("a folder", &|room| configure(room, &world, "/run/keyward/")),
        ("configuration for all", &|room| mode(room, "etc/keyward/refresh.conf", 0o666)),
        ("configuration's folder for all", &|room| mode(room, "etc/keyward", 0o777)),
        ("somebody else's configuration", &|room| {
            chown(room.path("etc/keyward/refresh.conf"), other, None).unwrap();
        }),
        ("configuration by a link", &|room| {
            fs::rename(room.path("etc/keyward/refresh.conf"), room.path("etc/keyward/real")).unwrap();
            symlink("real", room.path("etc/keyward/refresh.conf")).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        let room = room(&world);
        spoil(&room);
        is_refused(&room, &refresh(&room), 9, what);
    }
}

#[test]
fn a_link_in_the_file_s_place_is_not_followed() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world).keeps("run/other");
    room.file("run/other/victim", "precious", 0o600);
    chown(room.path("run/other/victim"), Some(NOBODY), None).unwrap();
    symlink("/run/other/victim", room.path(FILE)).unwrap();
    let ended = refresh(&room);
    assert_eq!(ended.code, 9, "{}", ended.said());
    assert_eq!(fs::read(room.path("run/other/victim")).unwrap(), b"precious");
    assert!(fs::symlink_metadata(room.path(FILE)).unwrap().is_symlink());
    // Nor is a second name of a file written through.
    fs::remove_file(room.path(FILE)).unwrap();
    fs::hard_link(room.path("run/other/victim"), room.path(FILE)).unwrap();
    assert_eq!(refresh(&room).code, 0);
    is_fresh(&room);
    assert_eq!(fs::read(room.path("run/other/victim")).unwrap(), b"precious");
}

#[test]
fn without_settings_nothing_happens() {
    let world = World::new(Engine::Sqlite);
    for missing in ["deployment", "file", "url"] {
        let room = room(&world);
        let conf = room.path("etc/keyward/refresh.conf");
        let text = fs::read_to_string(&conf).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with(&format!("{missing}="))).collect();
        fs::write(&conf, kept.join("\n")).unwrap();
        let ended = refresh(&room);
        is_refused(&room, &ended, 8, missing);
        assert!(ended.stderr.contains(missing), "{}", ended.stderr);
    }
    let room = room(&world);
    configure(&room, &world, "/run/none/app.json");
    is_refused(&room, &refresh(&room), 8, "no folder");
    fs::remove_file(room.path("etc/keyward/refresh.conf")).unwrap();
    is_refused(&room, &refresh(&room), 8, "no configuration");
}

#[test]
fn one_who_is_let_at_it_by_another_user_s_rights_gets_neither_token_nor_values() {
    let world = World::new(Engine::Sqlite);
    let room = room(&world);
    assert_eq!(refresh(&room).code, 0);
    let agent = room.by(1001);
    for path in ["/etc/keyward/token", "/run/keyward/app.json"] {
        let ended = agent.run(&[], &["/bin/cat", path], b"");
        assert_eq!((ended.code, ended.stdout.as_slice()), (1, &b""[..]), "{}", ended.said());
    }
    // With its own rights it does not get far, either.
    assert_eq!(refresh(&agent).code, 9);
    is_fresh(&agent);
}

#[test]
fn the_settings_that_are_shipped_are_the_ones_that_it_reads() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/container");
    let settings = fs::read_to_string(format!("{root}/refresh.conf")).unwrap();
    let script = fs::read_to_string(format!("{root}/refresh-secrets")).unwrap();
    let line = script.lines().find(|line| line.starts_with("deployment=''")).unwrap();
    let read: BTreeSet<&str> = line.split(' ').map(|word| word.split('=').next().unwrap()).collect();
    let given = settings.lines().filter(|line| !line.starts_with('#'));
    let given: BTreeSet<&str> = given.filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert_eq!(given, read);
}

fn mode(room: &Room, name: &str, mode: u32) {
    fs::set_permissions(room.path(name), fs::Permissions::from_mode(mode)).unwrap();
}
