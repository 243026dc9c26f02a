//! Tags, sets, and finding keys by them; values made by chance.

use std::collections::BTreeSet;

use keyward_tests::machine::Machine;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, World};
use serde_json::json;

use super::json;

/// Names of the keys that `keyward key list WORD…` shows.
fn listed(machine: &Machine, words: &[&str]) -> Vec<String> {
    let list = json(machine, &[&["key", "list"], words].concat());
    list.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn keys_get_labels_together_and_are_found_by_them() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.ok(&[
        "key",
        "create",
        "LOOSE",
        "--generate",
        "--provider",
        "Stripe",
        "--tag",
        "live",
        "--set",
        "Pair",
    ]);
    let before = world.insider().org.seq;
    let told = json(owner, &["key", "tag", ALPHA.0, BETA.0, "--add", "live", "--add", "eu", "--set", "Pair"]);
    assert_eq!(told.as_array().unwrap().len(), 2);
    assert!(
        told.as_array()
            .unwrap()
            .iter()
            .all(|key| key["tags"] == json!(["live", "eu"]) && key["set"] == "Pair")
    );
    assert_eq!(world.insider().org.seq, before + 1, "one write");
    let told = json(owner, &["key", "tag", BETA.0, "--remove", "eu", "--set", ""]);
    assert_eq!(
        (&told[0]["tags"], &told[0]["set"], &told[0]["changed"]),
        (&json!(["live"]), &json!(null), &json!(true))
    );
    let told = json(owner, &["key", "tag", BETA.0, "--add", "live"]);
    assert_eq!(told[0]["changed"], false);

    for (words, names) in [
        (&["--tag", "live"][..], &[ALPHA.0, BETA.0, "LOOSE"][..]),
        (&["--tag", "live", "--tag", "eu"], &[ALPHA.0]),
        (&["--tag", "liv"], &[]),
        (&["--set", "Pair"], &[ALPHA.0, "LOOSE"]),
        (&["--provider", "Stripe"], &["LOOSE"]),
        (&["--unused"], &["LOOSE"]),
        (&["--deployment", DEPLOYMENT], &[ALPHA.0, BETA.0, EXCLUDED.0]),
        (&["CANARY_*"], &[ALPHA.0, BETA.0, EXCLUDED.0]),
        (&["*_?ETA"], &[BETA.0]),
        (&["LOOSE"], &["LOOSE"]),
        (&["loose"], &[]),
        (&["CANARY_*", "--tag", "live", "--deployment", DEPLOYMENT], &[ALPHA.0, BETA.0]),
    ] {
        assert_eq!(listed(owner, words), names, "{words:?}");
    }
    let ended = owner.keyward(&["key", "list", "NOTHING*"]);
    assert!(ended.code == 0 && ended.stderr.contains("no key is like that"), "{}", ended.said());
    let ended = owner.keyward(&["key", "list", "--deployment", "canary-produktion"]);
    assert!(ended.code == 4 && ended.stderr.contains(DEPLOYMENT), "{}", ended.said());
    for (words, code) in [
        (&["key", "tag", ALPHA.0][..], 2),
        (&["key", "tag", ALPHA.0, "NOPE", "--add", "x"], 4),
        (&["key", "tag", ALPHA.0, "--add", ""], 2),
        (&["key", "tag", ALPHA.0, "--add", "\u{1b}[2J"], 2),
        (&["key", "list", "--unused", "--deployment", DEPLOYMENT], 2),
    ] {
        assert_eq!(owner.keyward(words).code, code, "{words:?}");
    }
}

#[test]
fn labels_are_for_owners_and_admins_and_others_are_told_so() {
    let world = World::new(Engine::Sqlite);
    world.owner.ok(&["key", "tag", ALPHA.0, "--add", "secret-tag", "--set", "secret-set"]);
    let robot = &world.robot;
    for words in [&["--tag", "secret-tag"][..], &["--set", "secret-set"], &["--unused"]] {
        let ended = robot.keyward(&[&["key", "list"], words].concat());
        assert_eq!((ended.code, ended.stdout.as_slice()), (9, &b""[..]), "{words:?}: {}", ended.said());
        assert!(ended.stderr.contains("owners and admins"), "{}", ended.stderr);
    }
    for (words, names) in [
        (&["--deployment", DEPLOYMENT][..], &[ALPHA.0, BETA.0][..]),
        (&["*"], &[ALPHA.0, BETA.0]),
        (&["*EXCLUDED*"], &[]),
        (&["--provider", "Stripe"], &[]),
    ] {
        assert_eq!(listed(robot, words), names, "{words:?}");
    }
    let shown = robot.ok(&["key", "show", ALPHA.0, "--json"]);
    assert!(!shown.contains("secret-tag") && !shown.contains("secret-set"), "{shown}");
    assert_eq!(robot.keyward(&["key", "tag", ALPHA.0, "--add", "x"]).code, 9);
}

#[test]
fn a_value_made_by_chance_is_not_shown_and_never_the_same() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let mut seen = BTreeSet::new();
    for (name, words, length) in
        [("ONE", &["--generate"][..], 32), ("TWO", &["--generate", "48"], 48), ("THREE", &["--generate"], 32)]
    {
        let ended = owner.keyward(&[&["key", "create", name], words].concat());
        let value = owner.ok(&["key", "get", name]);
        assert!(value.len() == length && value.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{value}");
        assert!(ended.code == 0 && !ended.said().contains(&value), "{}", ended.said());
        assert!(ended.stderr.contains(" bits)"), "{}", ended.stderr);
        assert!(seen.insert(value));
    }
    owner.ok(&["key", "set", "ONE", "--generate", "64"]);
    assert_eq!(owner.ok(&["key", "get", "ONE"]).len(), 64);
    for words in [&["--generate", "7"][..], &["--generate", "4097"], &["--generate", "--value-stdin"]] {
        assert_eq!(owner.keyward(&[&["key", "set", "ONE"], words].concat()).code, 2, "{words:?}");
    }
}
