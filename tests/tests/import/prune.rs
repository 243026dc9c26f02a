//! Old versions do not live for ever: `key prune`.

use keyward_tests::engines;
use keyward_tests::leak::Secret;
use keyward_tests::world::{ALPHA, BETA, World, expected, read};
use keyward_wire::Envelope;
use serde_json::{Value, json};

use super::json;

/// Gives ALPHA two more values, and BETA one.
fn age(world: &World) {
    for (key, value) in [(ALPHA.0, "second"), (ALPHA.0, "third"), (BETA.0, "other")] {
        let words = ["key", "set", key, "--value-stdin"];
        world.owner.keyward_with(&words, value.as_bytes()).ok(&words);
    }
}

fn versions(world: &World, key: &str) -> Vec<u64> {
    let history: Value = json(&world.owner, &["key", "history", key]);
    history["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].as_u64().unwrap())
        .collect()
}

/// The sealed first version of ALPHA, as the server holds it.
fn first_of_alpha(world: &World) -> Option<Envelope> {
    let insider = world.insider();
    Some(insider.version(&world.server, insider.key(ALPHA.0), 1)?.env)
}

engines! {
    fn forgotten_versions_are_gone_from_the_state_and_the_database(engine) {
        let world = World::new(engine);
        age(&world);
        let envelope = first_of_alpha(&world).unwrap();
        // Sealed bytes look like nothing else: any piece of them is this envelope.
        let piece = |bytes: &[u8]| bytes.windows(32).any(|part| part == &envelope.as_bytes()[200..232]);
        assert!(piece(&world.server.everything()), "the test is blind");
        let told = json(&world.owner, &["key", "prune", "--all", "--keep", "1", "--yes"]);
        let [forgotten] = told["forgotten"].as_array().unwrap().as_slice() else { panic!("{told}") };
        assert_eq!((&forgotten["name"], &forgotten["versions"]), (&json!(ALPHA.0), &json!([1])));
        assert!(first_of_alpha(&world).is_none());
        assert!(!piece(&world.server.everything()), "the server still has it");
        assert_eq!((versions(&world, ALPHA.0), versions(&world, BETA.0)), (vec![3, 2], vec![2, 1]));

        let told = json(&world.owner, &["key", "prune", "--all", "--yes"]);
        assert_eq!(told["forgotten"].as_array().unwrap().len(), 2, "{told}");
        assert_eq!((versions(&world, ALPHA.0), versions(&world, BETA.0)), (vec![3], vec![2]));
        assert_eq!(world.server.sql("select count(*) from secrets"), "3", "one for each key");
        assert_eq!(world.owner.keyward(&["key", "rollback", ALPHA.0, "2"]).code, 4);

        // Whoever reads, reads on; history goes on; the log says who did it.
        let mut values = expected();
        values.extend([(ALPHA.0, "third"), (BETA.0, "other")].map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(read(&world.robot), values);
        let words = ["key", "set", ALPHA.0, "--value-stdin"];
        world.owner.keyward_with(&words, b"fourth").ok(&words);
        assert_eq!(versions(&world, ALPHA.0), [4, 3]);
        let log = world.owner.ok(&["audit", "list", "--json"]);
        assert!(log.contains("key.version_removed"), "{log}");
        world.owner.ok(&["audit", "verify"]);
    }
}

#[test]
fn what_is_kept_is_kept_and_a_dry_run_changes_nothing() {
    let world = World::new(keyward_tests::server::Engine::Sqlite);
    age(&world);
    let before = world.insider().org.seq;
    let would = json(&world.owner, &["key", "prune", ALPHA.0, "--dry-run"]);
    assert_eq!(would["forgotten"][0]["versions"], json!([2, 1]));
    for words in [
        &["--all", "--older-than", "1h", "--yes"][..],
        &["--all", "--keep", "2", "--yes"],
        &[ALPHA.0, "--keep", "9", "--yes"],
        &["CANARY_EXCLUDED", "--yes"],
    ] {
        let told = json(&world.owner, &[&["key", "prune"], words].concat());
        assert_eq!(told["forgotten"], json!([]), "{words:?}");
    }
    // Nobody is asked without a terminal, and nothing is done.
    let ended = world.owner.keyward(&["key", "prune", ALPHA.0]);
    assert!(ended.code == 2 && ended.stderr.contains("--yes"), "{}", ended.said());
    for (words, code) in [(&["--all", ALPHA.0][..], 2), (&[], 2), (&["NO_SUCH_KEY", "--yes"], 4)] {
        assert_eq!(world.owner.keyward(&[&["key", "prune"], words].concat()).code, code, "{words:?}");
    }
    assert_eq!(world.robot.keyward(&["key", "prune", "--all", "--yes"]).code, 9);
    assert_eq!(world.insider().org.seq, before);
    assert_eq!(versions(&world, ALPHA.0), [3, 2, 1]);
    world.owner.ok(&["key", "prune", ALPHA.0, ALPHA.0, "--keep", "1", "--yes"]);
    assert_eq!((versions(&world, ALPHA.0), versions(&world, BETA.0)), (vec![3, 2], vec![2, 1]));
}

#[test]
fn a_value_is_nowhere_in_the_clear_before_or_after() {
    let world = World::new(keyward_tests::server::Engine::Sqlite);
    age(&world);
    world.owner.ok(&["key", "prune", "--all", "--yes"]);
    for (name, value) in [ALPHA, BETA] {
        assert!(!Secret::new(name, value).is_in(&world.server.everything()), "{name}");
    }
}
