//! Files of other tools, each in its own form.

use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, ROBOT, World, founded};
use serde_json::json;

use super::{json, sample};

#[test]
fn each_tools_export_is_recognised_and_its_words_are_kept() {
    let (_server, owner) = founded(Engine::Sqlite);
    for (file, tool, not_kept, shown) in [
        (
            "bws.json",
            "bws",
            "organizationId",
            &[(
                "STRIPE_KEY",
                "stripe \"quoted\" \\ value",
                "Rotated every spring.\nAsk billing.",
                &["project:e325ea69-a3ab-4dff-836f-b02e013fe530"][..],
            )][..],
        ),
        (
            "doppler-secrets.json",
            "doppler",
            "computedVisibility",
            &[(
                "DATABASE_URL",
                "postgres://shop:invented@db.example:5432/shop",
                "the primary, not the replica",
                &["config:prd", "environment:prd", "project:shop"],
            )],
        ),
        (
            "infisical.json",
            "infisical",
            "workspace",
            &[("API_TOKEN", "token\nin two lines", "for the worker", &["payments", "path:/backend"])],
        ),
        (
            "1password-item.json",
            "1password",
            "fields of type OTP",
            &[(
                "STRIPE_LIVE_CREDENTIAL",
                "invented-credential",
                "Ask billing before rotating.",
                &["payments", "keyward", "vault:Shop"],
            )],
        ),
        ("dotenvx-get.json", "dotenvx", "DOTENV_PUBLIC_KEY", &[("MULTI", "line one\nline two", "", &[])]),
    ] {
        let words = ["key", "import", "-", "--json"];
        let ended = owner.keyward_with(&words, &sample(file));
        assert!(ended.stderr.contains(&format!("read as {tool}")), "{file}: {}", ended.stderr);
        assert!(ended.stderr.contains(not_kept), "{file}: {}", ended.stderr);
        assert!(!ended.stderr.contains("invented"), "{file}: {}", ended.stderr);
        let told: serde_json::Value = serde_json::from_str(&ended.ok(&words)).unwrap();
        assert_eq!(told["from"], tool, "{file}");
        assert!(told["not_kept"].as_array().unwrap().contains(&json!(not_kept)), "{file}: {told}");
        for (name, value, note, tags) in shown {
            assert_eq!(owner.ok(&["key", "get", name]), *value, "{file}");
            let shown = json(&owner, &["key", "show", name]);
            assert_eq!(shown["note"].as_str().unwrap_or_default(), *note, "{file}: {shown}");
            let mut kept: Vec<&str> =
                shown["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
            let mut wanted = tags.to_vec();
            kept.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(kept, wanted, "{file}");
        }
    }
    let shown = json(&owner, &["key", "show", "STRIPE_LIVE_CREDENTIAL"]);
    assert_eq!(shown["alias"], "Stripe (live) / credential");
    let shown = json(&owner, &["key", "show", "AWS_SECRET_ACCESS_KEY"]);
    assert_eq!(shown["set"], "AWS Credentials");
    let doppler = owner
        .keyward_with(&["key", "import", "-", "--on-conflict", "rename"], &sample("doppler-download.json"));
    assert_eq!(doppler.code, 0, "{}", doppler.said());
    assert_eq!(owner.ok(&["key", "get", "TLS_KEY"]), "first line\nsecond line\n");
    assert_eq!(owner.keyward(&["key", "get", "DOPPLER_CONFIG"]).code, 4);
}

#[test]
fn what_cannot_be_read_is_refused_with_what_to_do_and_nothing_is_stored() {
    let world = World::new(Engine::Sqlite);
    let before = world.insider().org.seq;
    for (file, words, says, hint) in [
        ("bws-commented.env", &[][..], "line 5", "bws secret list --output json"),
        ("bws-commented.env", &["--from", "bws"], "line 1", "bws secret list --output json"),
        ("doppler-restricted.json", &[], "record 2 (line 3)", "doppler secrets download"),
        ("infisical.env", &["--from", "infisical"], "line 1", "infisical export --format=json"),
        ("1password-list.json", &["--from", "1password"], "record 1 (line 2)", "op item get"),
        ("1password-references.env", &[], "line 4", "op inject"),
        ("dotenvx-encrypted.env", &[], "line 2", "dotenvx get -f FILE --overload"),
        ("dotenvx-encrypted.env", &["--from", "dotenvx"], "line 1", "dotenvx get -f .env --overload"),
        ("dotenvx-get-without-key.json", &[], "record 4", "dotenvx get -f .env --overload"),
        ("bws.json", &["--from", "json"], "line 1", "--from"),
        ("bws.json", &["--from", "dotenv"], "line 1", "mend these lines"),
    ] {
        let ended = world.owner.keyward_with(&[&["key", "import", "-"], words].concat(), &sample(file));
        assert_eq!(
            (ended.code, ended.stdout.as_slice()),
            (2, &b""[..]),
            "{file} {words:?}: {}",
            ended.said()
        );
        assert!(ended.stderr.contains(says) && ended.stderr.contains(hint), "{file}: {}", ended.stderr);
        assert!(ended.stderr.contains("nothing was stored"), "{file}: {}", ended.stderr);
        for value in ["invented", "bm90IGEg", "BDJXxWb", "hunter"] {
            assert!(!ended.stderr.contains(value), "{file}: {}", ended.stderr);
        }
    }
    assert_eq!(world.insider().org.seq, before);
}

#[test]
fn a_record_that_says_more_of_a_key_that_is_there_adds_to_it() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.ok(&["key", "set", ALPHA.0, "--tag", "old", "--provider", "Acme"]);
    owner.ok(&["group", "exclude", "canary-agents", "canary-production", ALPHA.0]);
    let import = |key: serde_json::Value| {
        let file = json!({ "format": "keyward-export", "v": 1, "keys": [key] });
        let words = ["key", "import", "-", "--on-conflict", "version", "--json"];
        let told = owner.keyward_with(&words, file.to_string().as_bytes()).ok(&words);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        (told["keys"][0]["action"].clone(), json(owner, &["key", "show", ALPHA.0]))
    };
    // The same value: another note is a version of its own, and who knows the value still knows it.
    let (action, shown) = import(
        json!({ "name": ALPHA.0, "value": ALPHA.1, "note": "new", "tags": ["old", "more"], "alias": "a" }),
    );
    assert_eq!((action, &shown["version"], &shown["note"]), (json!("new_version"), &json!(2), &json!("new")));
    assert_eq!((&shown["tags"], &shown["alias"]), (&json!(["old", "more"]), &json!("a")));
    assert_eq!((&shown["provider"], &shown["exposed"][0]["identity_name"]), (&json!("Acme"), &json!(ROBOT)));
    // Nothing new: no version.
    let (action, shown) = import(json!({ "name": ALPHA.0, "value": ALPHA.1, "note": "new" }));
    assert_eq!((action, &shown["version"]), (json!("skipped"), &json!(2)));
    // Another value keeps the note that is there, and is known to nobody else.
    let (action, shown) = import(json!({ "name": ALPHA.0, "value": "other", "set": "Pair" }));
    assert_eq!((action, &shown["version"], &shown["note"]), (json!("new_version"), &json!(3), &json!("new")));
    assert_eq!((&shown["set"], &shown["exposed"]), (&json!("Pair"), &json!([])));
}
