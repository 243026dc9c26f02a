//! Values go in and come out byte for byte.

use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, DEPLOYMENT, EXCLUDED, GROUP, ROBOT, World};
use serde_json::{Value, json};

#[test]
fn a_value_comes_out_as_it_went_in() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let largest = vec![b'x'; 63 * 1024];
    let values: [&[u8]; 9] = [
        b"plain",
        b"",
        b"\n",
        b"two\nlines\n",
        b" spaces ",
        b"nul\0within",
        b"\xff\xfe",
        "é🗝".as_bytes(),
        &largest,
    ];
    for (at, value) in values.into_iter().enumerate() {
        let (by_file, by_stdin) = (format!("FILE_{at}"), format!("STDIN_{at}"));
        owner.write("value", value);
        owner.ok(&["key", "create", &by_file, "--from-file", "value"]);
        assert_eq!(owner.keyward(&["key", "get", &by_file]).stdout, value, "from a file: {value:?}");
        let words = ["key", "create", &by_stdin, "--value-stdin"];
        owner.keyward_with(&words, &[value, b"\n"].concat()).ok(&words);
        assert_eq!(owner.keyward(&["key", "get", &by_stdin]).stdout, value, "from stdin: {value:?}");
    }
    owner.write("value", vec![b'x'; 63 * 1024 + 1]);
    let ended = owner.keyward(&["key", "create", "TOO_LARGE", "--from-file", "value"]);
    assert_eq!(ended.code, 9, "{}", ended.said());
    assert!(ended.stderr.contains("63 KiB"), "{}", ended.stderr);
    let json =
        |name: &str| serde_json::from_str::<Value>(&owner.ok(&["key", "get", name, "--json"])).unwrap();
    assert_eq!(json("FILE_0"), json!({ "name": "FILE_0", "value": "plain" }));
    assert_eq!(json("FILE_6"), json!({ "name": "FILE_6", "value_b64": "//4=" }));
}

#[test]
fn a_nul_byte_is_no_variable_and_only_that_deployment_is_refused() {
    let world = World::new(Engine::Sqlite);
    world.owner.write("value", b"nul\0within");
    let told = world.owner.keyward(&["key", "create", "TOLD", "--from-file", "value"]);
    assert!(told.code == 0 && told.stderr.contains("NUL"), "stored, and said: {}", told.said());
    for words in [
        &["key", "create", "WITH_NUL", "--from-file", "value"] as &[&str],
        &["deployment", "create", "staging"],
        &["deployment", "map", "staging", "WITH_NUL"],
        &["group", "assign", "canary-agents", "staging"],
    ] {
        world.owner.ok(words);
    }
    let ended = world.robot.keyward(&["deployment", "env-file", "staging", "--stdout"]);
    ended.refused(9, "a value with a NUL byte");
    assert!(ended.stderr.contains("WITH_NUL"), "{}", ended.stderr);
    assert_eq!(keyward_tests::world::read(&world.robot), keyward_tests::world::expected());
}

#[test]
fn versions_are_kept_and_had_back() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    for value in ["second", "third"] {
        let words = ["key", "set", ALPHA.0, "--value-stdin"];
        owner.keyward_with(&words, value.as_bytes()).ok(&words);
    }
    owner.ok(&["key", "rollback", ALPHA.0, "1"]);
    assert_eq!(owner.ok(&["key", "get", ALPHA.0]), ALPHA.1);
    let robot = keyward_tests::world::read(&world.robot);
    assert_eq!(robot[ALPHA.0], ALPHA.1);
    let history: Value = serde_json::from_str(&owner.ok(&["key", "history", ALPHA.0, "--json"])).unwrap();
    let text = history.to_string();
    assert!(text.contains("\"version\":4") && text.contains("\"version\":1"), "{text}");
    assert!(!text.contains("second"), "a history shows no value");
    assert_eq!(owner.keyward(&["key", "rollback", ALPHA.0, "9"]).code, 4);
}

#[test]
fn a_value_had_back_is_marked_again_with_who_could_read_it() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let exposed = || -> Value {
        let shown: Value = serde_json::from_str(&owner.ok(&["key", "show", ALPHA.0, "--json"])).unwrap();
        shown["exposed"].clone()
    };
    owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
    let marked = exposed();
    assert_eq!(marked[0]["identity_name"], ROBOT);
    let words = ["key", "set", ALPHA.0, "--value-stdin"];
    for value in ["second", "third"] {
        owner.keyward_with(&words, value.as_bytes()).ok(&words);
        assert_eq!(exposed(), json!([]), "nobody else saw the new value");
    }
    owner.ok(&["key", "rollback", ALPHA.0, "2"]);
    assert_eq!(exposed(), json!([]), "nor the one before it");
    let back = owner.keyward(&["key", "rollback", ALPHA.0, "1"]);
    assert!(
        back.code == 0 && back.stderr.contains(&format!("{ROBOT} could read this value")),
        "{}",
        back.said()
    );
    assert_eq!(exposed(), marked);
}

#[test]
fn a_key_that_is_lost_says_how() {
    let ways: [(&str, &[&str]); 6] = [
        ("excluded", &["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]),
        ("unmapped", &["deployment", "unmap", DEPLOYMENT, ALPHA.0]),
        ("unassigned", &["group", "unassign", GROUP, DEPLOYMENT]),
        ("left group", &["group", "remove", GROUP, ROBOT]),
        ("group deleted", &["group", "delete", GROUP, "--yes"]),
        ("deployment deleted", &["deployment", "delete", DEPLOYMENT, "--yes"]),
    ];
    for (why, words) in ways {
        let world = World::new(Engine::Sqlite);
        world.owner.ok(words);
        let shown = world.owner.ok(&["key", "show", ALPHA.0, "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["exposed"][0]["why"], why);
    }
}

#[test]
fn an_empty_value_is_stored_with_a_warning() {
    let world = World::new(Engine::Sqlite);
    let words = ["key", "set", ALPHA.0, "--value-stdin"];
    let ended = world.owner.keyward_with(&words, b"");
    assert!(ended.code == 0 && ended.stderr.contains("the value is empty"), "{}", ended.said());
    let full = world.owner.keyward_with(&words, b"x");
    assert!(!full.stderr.contains("is empty"), "{}", full.said());
}

#[test]
fn a_name_in_the_form_of_an_id_is_refused() {
    let world = World::new(Engine::Sqlite);
    let id = world.deployment_id();
    for words in [
        &["deployment", "create", &id][..],
        &["deployment", "rename", DEPLOYMENT, &id],
        &["group", "create", &id],
        &["key", "create", &id, "--generate"],
    ] {
        let ended = world.owner.keyward(words);
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.said());
        assert!(ended.stderr.contains("form of an id"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_there_already_is_said_with_its_kind() {
    let world = World::new(Engine::Sqlite);
    for (kind, words) in [
        ("a deployment", &["deployment", "create", DEPLOYMENT][..]),
        ("a group", &["group", "create", GROUP]),
        ("an identity", &["api-user", "create", ROBOT, "--group", GROUP]),
        ("a key", &["key", "rename", ALPHA.0, EXCLUDED.0]),
    ] {
        let ended = world.owner.keyward(words);
        assert_eq!(ended.code, 10, "{}", ended.said());
        assert!(ended.stderr.contains(&format!("there is {kind} named")), "{}", ended.stderr);
        assert!(ended.stderr.contains("→ choose another name"), "{}", ended.stderr);
    }
}

#[test]
fn every_format_says_the_same() {
    let world = World::new(Engine::Sqlite);
    let of = |format: &str| {
        world.robot.ok(&["deployment", "env-file", DEPLOYMENT, "--stdout", "--format", format])
    };
    let json: Value = serde_json::from_str(&of("json")).unwrap();
    assert_eq!(json, json!(keyward_tests::world::expected()));
    // What is written as .env is read again as .env.
    world.owner.write("copy.env", of("dotenv").replace("CANARY_", "COPY_"));
    world.owner.ok(&["key", "import", "copy.env"]);
    assert_eq!(world.owner.ok(&["key", "get", "COPY_ALPHA"]), ALPHA.1);
}
