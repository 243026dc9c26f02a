//! `key export`: a way out, and back in again.

use std::os::unix::fs::PermissionsExt as _;

use keyward_tests::liar::Liar;
use keyward_tests::machine::{Machine, run};
use keyward_tests::server::{Engine, program};
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, World, founded};
use serde_json::{Value, json};

use super::{json, text};

/// The keys of an export, without what belongs to the organisation that they were in.
fn keys(export: &str) -> Vec<Value> {
    let mut export: Value = serde_json::from_str(export).unwrap();
    let keys = export["keys"].as_array_mut().unwrap();
    for key in keys.iter_mut() {
        for field in ["version", "updated_at", "variables", "history"] {
            key.as_object_mut().unwrap().remove(field);
        }
    }
    std::mem::take(keys)
}

/// Keys with everything that a key can have.
fn furnish(owner: &Machine) {
    let put = |words: &[&str], value: &[u8]| {
        let words = [&["key"], words, &["--value-stdin"]].concat();
        owner.keyward_with(&words, value).ok(&words);
    };
    put(&["create", "BINARY"], b"\xff\x00\xfe\n\n");
    put(
        &["create", "Name of é 🗝", "--note", "in\ntwo lines", "--tag", "a b", "--tag", "live"],
        b"line\r\n'\"\\$x\n\n",
    );
    put(
        &["create", "WORDS", "--alias", "w", "--provider", "Acme", "--set", "Pair", "--note", "first"],
        b"one",
    );
    put(&["set", "WORDS"], b"two");
    put(&["create", "EMPTY"], b"");
    // An AWS pair that is in no set, and is to stay in none.
    put(&["create", "AWS_ACCESS_KEY_ID"], b"invented-id");
    put(&["create", "AWS_SECRET_ACCESS_KEY"], b"invented-secret");
}

#[test]
fn an_export_that_is_imported_elsewhere_is_exported_the_same() {
    let world = World::new(Engine::Sqlite);
    furnish(&world.owner);
    world.owner.ok(&["key", "export", "--out", "keys.json"]);
    let export = text(&world.owner, "keys.json");
    assert!(export.contains("\"value_b64\": \"/wD+Cg==\""), "{export}");
    let (_server, other) = founded(Engine::Sqlite);
    other.write("keys.json", &export);
    let ended = other.keyward(&["key", "import", "keys.json"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.stderr.contains("not kept: updated_at, variables, version"), "{}", ended.stderr);
    assert_eq!(keys(&other.ok(&["key", "export"])), keys(&export));
    assert_eq!(keys(&export).len(), 9);
}

#[test]
fn an_export_says_everything_that_is_known_and_each_read_is_in_the_audit_log() {
    let world = World::new(Engine::Sqlite);
    furnish(&world.owner);
    let export: Value =
        serde_json::from_str(&world.owner.ok(&["key", "export", "WORDS", ALPHA.0, "WORDS", "--history"]))
            .unwrap();
    let [alpha, words] = export["keys"].as_array().unwrap().as_slice() else { panic!("{export}") };
    assert_eq!((&alpha["name"], &alpha["value"]), (&json!(ALPHA.0), &json!(ALPHA.1)));
    assert_eq!(alpha["variables"], json!([{ "deployment": DEPLOYMENT, "env": ALPHA.0 }]));
    assert_eq!(
        (&words["value"], &words["note"], &words["version"]),
        (&json!("two"), &json!("first"), &json!(2))
    );
    assert_eq!(
        (&words["set"], &words["alias"], &words["provider"]),
        (&json!("Pair"), &json!("w"), &json!("Acme"))
    );
    let [old] = words["history"].as_array().unwrap().as_slice() else { panic!("{words}") };
    assert_eq!((&old["version"], &old["value"]), (&json!(1), &json!("one")));
    assert!(
        !world.owner.ok(&["key", "export", "WORDS"]).contains("\"one\""),
        "old versions only with --history"
    );
    let log = json(&world.owner, &["audit", "list"]);
    let reads = log.as_array().unwrap().iter().filter(|entry| entry["action"] == "secrets.read");
    let read: Vec<String> = reads.map(|entry| entry["objects"].to_string()).collect();
    assert!(read.iter().any(|objects| objects.contains("WORDS") && objects.contains(ALPHA.0)), "{read:?}");
}

#[test]
fn a_deployments_keys_leave_as_dotenv_or_it_is_said_why_not() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    furnish(owner);
    let ended = owner.keyward(&["key", "export", "--format", "dotenv", "--deployment", DEPLOYMENT]);
    owner.write("back.env", String::from_utf8(ended.stdout).unwrap().replace("CANARY_", "BACK_"));
    owner.ok(&["key", "import", "back.env"]);
    for (name, value) in [ALPHA, BETA, EXCLUDED] {
        assert_eq!(owner.ok(&["key", "get", &name.replace("CANARY_", "BACK_")]), value);
    }
    for name in ["PATH", "E-J"] {
        let words = ["key", "create", name, "--value-stdin"];
        owner.keyward_with(&words, b"x").ok(&words);
    }
    for (key, why) in [
        ("Name of é 🗝", "do not have the name of a variable: Name of é 🗝"),
        ("E-J", "do not have the name of a variable: E-J"),
        ("PATH", "steer programs: PATH"),
        ("BINARY", "BINARY"),
    ] {
        let ended = owner.keyward(&["key", "export", "--format", "dotenv", "--out", "out.env", key]);
        assert!(ended.code == 9 && ended.stderr.contains(why), "{}", ended.said());
        assert!(!owner.path("out.env").exists());
    }
    let ended = owner.keyward(&["key", "export", "--format", "dotenv", "WORDS"]);
    assert_eq!((ended.code, ended.stdout.as_slice()), (0, &b"WORDS='two'\n"[..]), "{}", ended.said());
    assert!(ended.stderr.contains("those of 1 key are left out"), "{}", ended.stderr);
    assert_eq!(owner.keyward(&["key", "export", "--format", "dotenv", "--history"]).code, 2);
}

#[test]
fn the_file_is_private_and_another_one_is_not_overwritten() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let told = json(owner, &["key", "export", "--out", "keys.json"]);
    assert_eq!(told["keys"], json!([ALPHA.0, BETA.0, EXCLUDED.0]));
    assert_eq!(owner.path("keys.json").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    owner.write("other", "precious");
    let ended = owner.keyward(&["key", "export", "--out", "other"]);
    assert!(ended.code == 10 && ended.stderr.contains("--force"), "{}", ended.said());
    assert_eq!(text(owner, "other"), "precious");
    std::os::unix::fs::symlink(owner.path("other"), owner.path("link")).unwrap();
    for words in [&["--out", "link"][..], &["--out", "link", "--force"], &["--out", "/dev/full", "--force"]] {
        assert_eq!(owner.keyward(&[&["key", "export"], words].concat()).code, 9, "{words:?}");
    }
    assert_eq!(text(owner, "other"), "precious");
    owner.ok(&["key", "export", "--out", "other", "--force"]);
    assert_eq!(keys(&text(owner, "other")).len(), 3);
}

#[test]
fn values_are_not_shown_on_a_terminal_and_only_owners_and_admins_get_any() {
    let world = World::new(Engine::Sqlite);
    let ended = world.robot.keyward(&["key", "export"]);
    assert_eq!((ended.code, ended.stdout.as_slice()), (9, &b""[..]), "{}", ended.said());
    assert!(ended.stderr.contains("owners and admins"), "{}", ended.stderr);
    let on_terminal = |line: &str, typed: &[u8]| {
        let mut command = world.owner.command("script".into());
        command.args(["-qefc", &format!("{} {line}", program("keyward").display()), "/dev/null"]);
        run(command, typed)
    };
    let ended = on_terminal("key export --yes", b"");
    assert_eq!(ended.code, 2, "{}", ended.said());
    for (typed, code) in [(&b"no\n"[..], 2), (b"export\n", 0)] {
        let ended = on_terminal("key export --out keys.json", typed);
        assert_eq!(ended.code, code, "{}", ended.said());
        assert!(ended.said().contains("write the values of 3 keys in the clear"), "{}", ended.said());
        assert_eq!(world.owner.path("keys.json").exists(), code == 0);
        assert!(!ended.said().contains(BETA.1), "{}", ended.said());
    }
}

#[test]
fn more_values_than_one_answer_holds_come_in_several() {
    let (server, mut owner) = founded(Engine::Sqlite);
    // Each takes six bytes in the sealed JSON.
    let value = "\u{1}".repeat(60 * 1024);
    let lines: Vec<String> = (0..20).map(|at| format!("LARGE_{at}={value}{at}\n")).collect();
    owner.write("large.env", lines.concat());
    owner.ok(&["key", "import", "large.env"]);
    let liar = Liar::before(server.address);
    owner.redirect(&liar.url());
    let export = owner.ok(&["key", "export"]);
    assert_eq!(keys(&export).len(), 20);
    assert!(keys(&export).iter().any(|key| key["value"] == json!(format!("{value}19"))));
    let asked = liar.routes().iter().filter(|route| *route == "POST /v1/secrets/get").count();
    assert!(asked > 1, "one answer held it all: the test is blind");
    // And what is there is compared in several, too.
    let ended = owner.keyward(&["key", "import", "large.env", "--on-conflict", "version", "--dry-run"]);
    assert!(ended.code == 0 && ended.stderr.contains("20 unchanged"), "{}", ended.stderr);
}
