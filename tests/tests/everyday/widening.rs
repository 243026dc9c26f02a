//! A rule that comes to allow more, whichever way it comes: told before it is stored, and asked for where it could be overlooked.

use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, World};
use serde_json::{Value, json};

use crate::rules::{VALUE, refused, rule, shown};

/// Keys in keyward's own form, as somebody else may have written them.
pub(super) fn file(keys: &Value) -> String {
    json!({ "format": "keyward-export", "v": 1, "keys": keys }).to_string()
}

pub(super) fn bearer(hosts: &[&str]) -> Value {
    let into = json!([{ "kind": "header", "name": "authorization", "template": "Bearer {v}" }]);
    json!({ "v": 1, "hosts": hosts, "into": into, "approval": "never" })
}

#[test]
fn d21_an_import_that_re_points_a_key_says_so_and_asks_for_wildcards() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.ok(&["key", "set", ALPHA.0, "--host", "api.ten.test", "--inject", "bearer"]);
    let names: Vec<String> = (1..=32).map(|n| format!("h{n}.ten.test")).collect();
    let many = bearer(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let keys = |rule: &Value| json!([{ "name": ALPHA.0, "value": ALPHA.1, "inject": rule }]);
    let import = ["key", "import", "keys.json", "--on-conflict", "version"];
    owner.write("keys.json", file(&keys(&many)));
    for (more, stays) in [(&["--dry-run"][..], true), (&[], false)] {
        let ended = owner.keyward(&[&import[..], more].concat());
        assert_eq!(ended.code, 0, "{}", ended.said());
        let told = format!("{}: hosts were: api.ten.test; hosts are: {}", ALPHA.0, names.join(", "));
        assert!(ended.stderr.contains(&told), "all of them, at {more:?}: {}", ended.stderr);
        assert_eq!(rule(owner, ALPHA.0)["hosts"] == json!(["api.ten.test"]), stays);
    }
    assert_eq!(owner.ok(&["key", "get", ALPHA.0]), ALPHA.1);

    // A wildcard has to be meant: on a key that is there, and on a new one. One that was there has been.
    let wide = bearer(&["*.ten.test"]);
    for (key, value) in [(ALPHA.0, ALPHA.1), ("NEW", VALUE)] {
        owner.write("keys.json", file(&json!([{ "name": key, "value": value, "inject": wide }])));
        for dry in [&["--dry-run"][..], &[]] {
            let line = [&import[..], dry].concat();
            refused(owner, &line, "", 9, &[key, "*.ten.test", "--allow-wildcard", "nothing was stored"]);
        }
        let ended = owner.keyward(&[&import[..], &["--allow-wildcard", "--json"]].concat());
        assert_eq!(ended.code, 0, "{}", ended.said());
        let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
        let before = if key == ALPHA.0 { json!(names) } else { Value::Null };
        assert_eq!(told["keys"][0]["rule"]["hosts"], json!(["*.ten.test"]));
        assert_eq!(told["keys"][0]["rule"]["hosts_before"], before);
        owner.write(
            "keys.json",
            file(&json!([{ "name": key, "value": "another-value-of-it", "inject": wide }])),
        );
        assert_eq!(owner.keyward(&import).code, 0);
    }

    // What the file lacks the key has: the rule is held against all of it.
    let two = json!([
        { "kind": "header", "name": "x-key", "template": "{v}" },
        { "kind": "header", "name": "x-app", "template": "{app}" },
    ]);
    let mut rule_of_two = bearer(&["api.ten.test"]);
    rule_of_two["into"] = two;
    let keys = json!([{ "name": BETA.0, "value": BETA.1, "inject": rule_of_two }]);
    owner.write("keys.json", file(&keys));
    refused(owner, &import, "", 9, &[BETA.0, "field app"]);
    let field = "app=canary-application-key-5566";
    owner.ok(&["key", "set", BETA.0, "--field", field]);
    assert_eq!(owner.keyward(&import).code, 0);
    assert_eq!(rule(owner, BETA.0), rule_of_two);
    // Fields are replaced as a whole, so the rule that is kept would be without one.
    owner.write("keys.json", file(&json!([{ "name": BETA.0, "value": BETA.1, "fields": { "other": "x" } }])));
    refused(owner, &import, "", 9, &[BETA.0, "field app", "--no-rule"]);
}

#[test]
fn d21_a_rollback_with_the_rule_is_checked_as_a_new_rule_is() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let set = |more: &[&'static str]| [&["key", "set", ALPHA.0][..], more].concat();
    owner.ok(&set(&["--host", "*.ten.test", "--inject", "bearer", "--allow-wildcard"]));
    owner.ok(&set(&["--host", "api.ten.test"]));
    let rollback = ["key", "rollback", ALPHA.0, "2", "--with-rule"];
    refused(owner, &rollback, "", 9, &["*.ten.test", "--allow-wildcard"]);
    assert_eq!(rule(owner, ALPHA.0)["hosts"], json!(["api.ten.test"]), "nothing was half-done");
    let ended = owner.keyward(&[&rollback[..], &["--allow-wildcard", "--json"]].concat());
    assert!(ended.stderr.contains("hosts were: api.ten.test; hosts are: *.ten.test"), "{}", ended.said());
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        (&told["rule"]["hosts"], &told["rule"]["hosts_before"]),
        (&json!(["*.ten.test"]), &json!(["api.ten.test"]))
    );
    // To the first version, which had none.
    let ended = owner.keyward(&["key", "rollback", ALPHA.0, "1", "--with-rule"]);
    assert!(ended.stderr.contains("sends it nowhere now"), "{}", ended.said());
    assert_eq!(rule(owner, ALPHA.0), Value::Null);
}

#[test]
fn d21_what_a_rule_becomes_is_said_before_it_is_stored_and_without_the_text_of_templates() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let set = |more: &[&'static str]| [&["key", "set", ALPHA.0][..], more].concat();
    let first = |stderr: &str, one: &str, other: &str| {
        let at = |words: &str| stderr.find(words).unwrap_or_else(|| panic!("{words}: {stderr}"));
        assert!(at(one) < at(other), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    };
    owner.ok(&set(&["--host", "api.ten.test", "--inject", "header:x-key=hunter2 {v}"]));
    let ended = owner.keyward(&set(&["--host", "other.ten.test"]));
    first(&ended.stderr, "hosts are: other.ten.test", "is at version 3");
    let ended = owner.keyward(&set(&["--inject", "header:x-key=hunter2-{v}"]));
    first(&ended.stderr, "written in another form", "header:x-key=…{v}");
    let ended = owner.keyward(&["key", "rollback", ALPHA.0, "2", "--with-rule"]);
    first(&ended.stderr, "hosts are: api.ten.test", "is at version 5");
    let mut other = bearer(&["api.evil.test"]);
    other["into"][0]["template"] = json!("hunter2 {v}");
    owner.write("keys.json", file(&json!([{ "name": ALPHA.0, "value": ALPHA.1, "inject": other }])));
    let ended = owner.keyward(&["key", "import", "keys.json", "--on-conflict", "version"]);
    first(&ended.stderr, "hosts are: api.evil.test", "1 value: ");
    assert_eq!(ended.stderr.matches("hosts are").count(), 1, "{}", ended.stderr);
}

/// By the key's provider the gateway knows what is at a host of one's own: with another, nothing would be refused there.
#[test]
fn v6_another_provider_opens_no_path_that_makes_credentials_unless_that_is_meant() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.ok(&["key", "set", ALPHA.0, "--inject", "meilisearch", "--host", "search.ten.test"]);
    let paths = || shown(owner, ALPHA.0)["credential_paths"]["refused"].clone();
    assert_eq!(paths(), json!(["/keys/*"]));
    let allow = "--allow-credential-paths";

    // With the word alone, with a value or a rule beside it, and with no provider at all.
    for more in [
        &["--provider", "other"][..],
        &["--provider", ""],
        &["--provider", "stripe", "--generate"],
        &["--provider", "other", "--method", "GET"],
        &["--provider", "other", "--host", "search.ten.test", "--host", "b.ten.test"],
    ] {
        let line = [&["key", "set", ALPHA.0][..], more].concat();
        refused(owner, &line, "", 9, &[ALPHA.0, "/keys/*", allow, "nothing was stored"]);
    }
    let line = |provider: &str, value: &str| {
        file(&json!([{ "name": ALPHA.0, "value": value, "provider": provider }]))
    };
    let import = ["key", "import", "keys.json", "--on-conflict", "version"];
    for value in [ALPHA.1, "another-value-of-it-12345"] {
        owner.write("keys.json", line("other", value));
        for dry in [&["--dry-run"][..], &[]] {
            refused(owner, &[&import[..], dry].concat(), "", 9, &[ALPHA.0, "/keys/*", allow]);
        }
    }
    assert_eq!((paths(), shown(owner, ALPHA.0)["version"].clone()), (json!(["/keys/*"]), json!(2)));

    // The same provider in other letters, and one that refuses as much, open nothing.
    let ended = owner.keyward(&["key", "set", ALPHA.0, "--provider", "MeiliSearch", "--json"]);
    assert!(ended.code == 0 && !ended.stderr.contains("the gateway may"), "{}", ended.said());
    assert_eq!(serde_json::from_slice::<Value>(&ended.stdout).unwrap()["rule"], Value::Null);

    // Meant, it is done, and told.
    let ended = owner.keyward(&["key", "set", ALPHA.0, "--provider", "other", allow, "--json"]);
    assert!(ended.code == 0 && ended.stderr.contains("no longer refuses"), "{}", ended.said());
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(told["rule"]["credential_paths"]["refused_no_longer"], json!(["/keys/*"]));
    assert_eq!((paths(), told["new_version"].clone()), (json!([]), json!(false)));
    // Back again is narrower: told, not asked.
    owner.write("keys.json", line("meilisearch", ALPHA.1));
    let ended = owner.keyward(&import);
    assert!(ended.code == 0 && ended.stderr.contains("but to no path that makes"), "{}", ended.said());
    assert_eq!(paths(), json!(["/keys/*"]));
    owner.write("keys.json", line("other", ALPHA.1));
    let ended = owner.keyward(&[&import[..], &[allow]].concat());
    assert!(ended.code == 0 && ended.stderr.contains("no longer refuses"), "{}", ended.said());
    assert_eq!(paths(), json!([]));

    // Where there is no rule there is nothing to refuse.
    owner.ok(&["key", "set", BETA.0, "--provider", "meilisearch"]);
    owner.ok(&["key", "set", BETA.0, "--provider", "other"]);
}

/// What the rule names of such a path is a part of it: the rest was refused, and another provider would open that.
#[test]
fn v6_another_provider_opens_no_rest_of_a_path_that_is_named_in_part() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let items = "/v1/vaults/*/items/*";
    let part = "/v1/vaults/canary-vault/items/one";
    let set = ["key", "set", ALPHA.0, "--inject", "1password-connect", "--host", "op.ten.test"];
    owner.ok(&[&set[..], &["--path", "/v1/*", "--path", part]].concat());
    let paths = |which: &str| {
        let all = shown(owner, ALPHA.0)["credential_paths"][which].clone();
        all.as_array().unwrap().contains(&json!(items))
    };
    assert!(paths("refused") && paths("allowed"), "{}", shown(owner, ALPHA.0));

    let allow = "--allow-credential-paths";
    refused(owner, &["key", "set", ALPHA.0, "--provider", "other"], "", 9, &[ALPHA.0, items, allow]);
    owner.write(
        "keys.json",
        file(&json!([{ "name": ALPHA.0, "value": "another-value-of-it-12345", "provider": "other" }])),
    );
    let import = ["key", "import", "keys.json", "--on-conflict", "version"];
    refused(owner, &import, "", 9, &[ALPHA.0, items, allow]);
    assert!(paths("refused"), "nothing was stored");
    let ended = owner.keyward(&["key", "set", ALPHA.0, "--provider", "other", allow]);
    assert!(ended.code == 0 && ended.stderr.contains("no longer refuses"), "{}", ended.said());
    assert!(!paths("refused"));

    // Of another provider nothing is known at such a host.
    let all = shown(owner, ALPHA.0);
    assert_eq!(all["credential_paths"], json!({ "refused": [], "allowed": [] }));
}
