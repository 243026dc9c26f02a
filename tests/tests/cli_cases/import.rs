//! `key import`: whole or not at all.

use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, DEPLOYMENT, World, read};

#[test]
fn a_line_that_cannot_be_read_is_named_and_nothing_is_stored() {
    let world = World::new(Engine::Sqlite);
    let before = world.insider().org.seq;
    for (text, line) in [
        ("ONE=1\nTWO\n", 2),
        ("ONE=1\n\n# x\nONE=2\n", 4),
        ("ONE='unfinished\nTWO=2\n", 1),
        ("ONE=1\n1TWO=secret-of-line-2\n", 2),
    ] {
        world.owner.write("bad.env", text);
        let ended = world.owner.keyward(&["key", "import", "bad.env", "--map", DEPLOYMENT]);
        assert_ne!(ended.code, 0, "{text:?}");
        assert!(ended.stderr.contains(&format!("line {line}")), "{text:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("secret-of-line-2"), "{}", ended.stderr);
    }
    assert_eq!(world.insider().org.seq, before);
    assert_eq!(world.owner.keyward(&["key", "get", "ONE"]).code, 4);
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let world = World::new(Engine::Sqlite);
    let before = world.insider().org.seq;
    world.owner.write("new.env", "FRESH=value-of-fresh\n");
    let ended = world.owner.keyward(&["key", "import", "new.env", "--map", DEPLOYMENT, "--dry-run"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.said().contains("FRESH") && !ended.said().contains("value-of-fresh"), "{}", ended.said());
    assert_eq!(world.insider().org.seq, before);
}

#[test]
fn names_that_are_taken_are_a_conflict_unless_it_is_said_what_to_do() {
    let world = World::new(Engine::Sqlite);
    let import = |text: &str, words: &[&str]| {
        world.owner.write("again.env", text);
        world.owner.keyward(&[&["key", "import", "again.env"], words].concat())
    };
    let text = format!("{}=other\nFRESH=new\n", ALPHA.0);
    let ended = import(&text, &[]);
    assert_eq!(ended.code, 10, "{}", ended.said());
    assert!(ended.stderr.contains(ALPHA.0), "{}", ended.stderr);
    assert_eq!(world.owner.keyward(&["key", "get", "FRESH"]).code, 4, "half of it was stored");
    assert_eq!(import(&text, &["--on-conflict", "skip"]).code, 0);
    assert_eq!(world.owner.ok(&["key", "get", ALPHA.0]), ALPHA.1);
    assert_eq!(world.owner.ok(&["key", "get", "FRESH"]), "new");
    assert_eq!(import(&text, &["--on-conflict", "version"]).code, 0);
    assert_eq!(world.owner.ok(&["key", "get", ALPHA.0]), "other");
    assert_eq!(import(&format!("{}=third\n", ALPHA.0), &["--on-conflict", "rename"]).code, 0);
    assert_eq!(world.owner.ok(&["key", "get", &format!("{}_2", ALPHA.0)]), "third");
}

#[test]
fn five_hundred_keys_are_one_write_and_reach_their_reader() {
    let world = World::new(Engine::Sqlite);
    let lines: Vec<String> = (0..500).map(|at| format!("BULK_{at}=\"value {at} of 500\"")).collect();
    let before = world.insider().org.seq;
    world.owner.write("bulk.env", lines.join("\n"));
    let ended = world.owner.keyward(&["key", "import", "bulk.env", "--map", DEPLOYMENT]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert_eq!(world.insider().org.seq, before + 1);
    let values = read(&world.robot);
    assert_eq!(values.len(), 502);
    assert_eq!(values["BULK_499"], "value 499 of 500");
}

#[test]
fn keys_of_one_aws_account_are_a_set() {
    let world = World::new(Engine::Sqlite);
    world
        .owner
        .write("aws.env", "PROD_AWS_ACCESS_KEY_ID=AKIAEXAMPLE\nPROD_AWS_SECRET_ACCESS_KEY=wJalrEXAMPLE\n");
    world.owner.ok(&["key", "import", "aws.env"]);
    let listed = world.owner.ok(&["key", "list", "--json"]);
    assert_eq!(listed.matches("PROD AWS Credentials").count(), 2, "{listed}");
}
