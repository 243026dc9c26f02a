//! `--shred`: the source goes once its keys are stored, and never before.

use std::fs;
use std::os::unix::fs::symlink;

use keyward_tests::http::Answer;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, World};

use super::{json, sample, text};

const SOURCE: &str = "FRESH=value-of-fresh\n";

#[test]
fn the_source_goes_after_its_keys_are_stored() {
    let world = World::new(Engine::Sqlite);
    world.owner.write("new.env", SOURCE);
    let told = json(&world.owner, &["key", "import", "new.env", "--shred"]);
    assert_eq!(told["source_removed"], true);
    assert!(!world.owner.path("new.env").exists());
    assert_eq!(world.owner.ok(&["key", "get", "FRESH"]), "value-of-fresh");
}

#[test]
fn what_could_not_be_removed_is_refused_before_anything_is_stored() {
    let world = World::new(Engine::Sqlite);
    let (owner, before) = (&world.owner, world.insider().org.seq);
    let path = owner.write("new.env", SOURCE);
    symlink(&path, owner.path("link.env")).unwrap();
    fs::hard_link(owner.write("one.env", SOURCE), owner.path("two.env")).unwrap();
    for (words, code, why) in [
        (&["link.env"][..], 9, "symbolic link"),
        (&["one.env"], 9, "hard links"),
        (&["."], 9, "no regular file"),
        (&["-"], 2, "standard input"),
        (&["missing.env"], 2, "missing.env"),
        (&["new.env", "--dry-run"], 2, "--dry-run"),
    ] {
        let ended = owner.keyward_with(&[&["key", "import", "--shred"], words].concat(), SOURCE.as_bytes());
        assert_eq!(ended.code, code, "{words:?}: {}", ended.said());
        assert!(ended.stderr.contains(why), "{words:?}: {}", ended.stderr);
    }
    // A key that is skipped would be nowhere.
    owner.write("both.env", format!("{}=other\n{SOURCE}", ALPHA.0));
    let ended = owner.keyward(&["key", "import", "both.env", "--on-conflict", "skip", "--shred"]);
    assert!(ended.code == 9 && ended.stderr.contains(ALPHA.0), "{}", ended.said());
    for file in ["new.env", "link.env", "one.env", "two.env"] {
        assert_eq!(text(owner, file), SOURCE, "{file}");
    }
    assert_eq!(world.insider().org.seq, before);
    // Nor would be what the file says of it beside its value.
    owner.write("said.json", format!(r#"[{{"key": "{}", "value": {:?}, "id": "i", "organizationId": "o", "revisionDate": "r", "note": "n"}}]"#, ALPHA.0, ALPHA.1));
    let ended = owner.keyward(&["key", "import", "said.json", "--on-conflict", "skip", "--shred"]);
    assert!(ended.code == 9 && ended.stderr.contains(ALPHA.0), "{}", ended.said());
    // One that has the very same value is not lost.
    owner.write("same.env", format!("{}={}\n", ALPHA.0, ALPHA.1));
    let told = json(owner, &["key", "import", "same.env", "--on-conflict", "skip", "--shred"]);
    assert_eq!(told["source_removed"], true, "{told}");
    assert!(!owner.path("same.env").exists());
}

#[test]
fn a_file_with_what_no_key_can_keep_is_neither_stored_nor_removed() {
    let world = World::new(Engine::Sqlite);
    let (owner, before) = (&world.owner, world.insider().org.seq);
    for (file, from, lost) in [
        ("1password-item.json", "1password", "fields of type OTP"),
        ("doppler-secrets.json", "doppler", "raw"),
    ] {
        owner.write(file, sample(file));
        let ended = owner.keyward(&["key", "import", file, "--from", from, "--shred"]);
        assert!(ended.code == 9 && ended.stderr.contains(lost), "{file}: {}", ended.said());
        assert!(ended.stderr.contains("nothing was stored"), "{file}: {}", ended.stderr);
        assert_eq!(text(owner, file).as_bytes(), sample(file), "{file}");
    }
    assert_eq!(world.insider().org.seq, before);
}

#[test]
fn comments_are_a_reason_to_keep_a_file_and_are_counted_where_it_is_kept() {
    let world = World::new(Engine::Sqlite);
    let (owner, before) = (&world.owner, world.insider().org.seq);
    let source = format!("# STRIPE_OLD=value-of-old\n{SOURCE}");
    owner.write("new.env", &source);
    let ended = owner.keyward(&["key", "import", "new.env", "--shred"]);
    assert!(ended.code == 9 && ended.stderr.contains("comments on 1 line"), "{}", ended.said());
    assert!(ended.stderr.contains("nothing was stored") && !ended.said().contains("STRIPE_OLD"));
    assert_eq!((text(owner, "new.env"), world.insider().org.seq), (source, before));
    let told = json(owner, &["key", "import", "new.env"]);
    assert_eq!(told["not_kept"], serde_json::json!(["comments on 1 line"]));
}

#[test]
fn ids_and_dates_of_another_tool_are_no_reason_to_keep_its_file() {
    let world = World::new(Engine::Sqlite);
    world.owner.write("bws.json", sample("bws.json"));
    let ended = world.owner.keyward(&["key", "import", "bws.json", "--from", "bws", "--shred"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.stderr.contains("organizationId"), "what is not kept is said: {}", ended.stderr);
    assert!(!world.owner.path("bws.json").exists());
}

#[test]
fn another_users_file_is_not_removed() {
    let world = World::new(Engine::Sqlite);
    let before = world.insider().org.seq;
    let path = world.owner.write("new.env", SOURCE);
    std::os::unix::fs::chown(&path, Some(65_534), None).expect("the tests run as root, as in CI");
    let ended = world.owner.keyward(&["key", "import", "new.env", "--shred"]);
    assert!(ended.code == 9 && ended.stderr.contains("another user"), "{}", ended.said());
    assert_eq!((text(&world.owner, "new.env").as_str(), world.insider().org.seq), (SOURCE, before));
}

#[test]
fn the_source_stays_if_its_keys_are_not_stored() {
    let mut world = World::new(Engine::Sqlite);
    let before = world.insider().org.seq;
    world.owner.write("new.env", SOURCE);
    let liar = world.liar();
    world.owner.redirect(&liar.url());
    // The server says that it is stored, and it is not.
    let said = serde_json::json!({ "seq": before + 1, "sha256": "A".repeat(43) });
    liar.answer("POST /v1/org/write", Answer::new(200, said.to_string()));
    let ended = world.owner.keyward(&["key", "import", "new.env", "--shred"]);
    assert_ne!(ended.code, 0, "{}", ended.said());
    assert_eq!(text(&world.owner, "new.env"), SOURCE);
    liar.answer("POST /v1/org/write", Answer::new(500, "no"));
    assert_ne!(world.owner.keyward(&["key", "import", "new.env", "--shred"]).code, 0);
    assert_eq!(text(&world.owner, "new.env"), SOURCE);
    // The organisation's state has the keys, but the server does not have their values.
    liar.reform();
    for (code, answer) in [(8, r#"{"secrets":[]}"#), (5, "no")] {
        let status = if code == 5 { 500 } else { 200 };
        liar.answer(
            "POST /v1/secrets/get",
            Answer::new(status, answer).header("content-type", "application/json"),
        );
        let name = format!("{code}.env");
        world.owner.write(&name, format!("FRESH_{code}=value-of-fresh\n"));
        let ended = world.owner.keyward(&["key", "import", &name, "--shred"]);
        assert_eq!(ended.code, code, "{}", ended.said());
        assert!(ended.stderr.contains("is NOT removed"), "{}", ended.stderr);
        assert!(world.owner.path(&name).exists());
    }
    liar.reform();
    world.owner.write("new.env", "broken\n");
    assert_eq!(world.owner.keyward(&["key", "import", "new.env", "--shred"]).code, 2);
    assert_eq!(text(&world.owner, "new.env"), "broken\n");
}

#[test]
fn a_source_that_cannot_be_removed_in_the_end_is_an_error_though_the_keys_are_stored() {
    let mut world = World::new(Engine::Sqlite);
    let path = world.owner.write("new.env", SOURCE);
    let liar = world.liar();
    world.owner.redirect(&liar.url());
    // Somebody writes to the file while its keys are on their way.
    liar.lie("POST /v1/org/write", move |request, honest| {
        fs::write(&path, "LATER=value-of-later\n").unwrap();
        keyward_tests::liar::Reply::Whole(honest(request))
    });
    let ended = world.owner.keyward(&["key", "import", "new.env", "--shred"]);
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("the keys are stored, but new.env is NOT removed"), "{}", ended.stderr);
    assert_eq!(text(&world.owner, "new.env"), "LATER=value-of-later\n");
    assert_eq!(world.owner.ok(&["key", "get", "FRESH"]), "value-of-fresh");
}
