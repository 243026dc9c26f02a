//! Rules on keys: where the gateway may send them, as an owner writes it down and finds it again.

use keyward_tests::machine::Machine;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, World};
use serde_json::{Value, json};

use crate::widening::{bearer, file};

pub(super) fn shown(machine: &Machine, key: &str) -> Value {
    serde_json::from_str(&machine.ok(&["key", "show", key, "--json"])).unwrap()
}

pub(super) fn rule(machine: &Machine, key: &str) -> Value {
    shown(machine, key)["inject"].clone()
}

/// A refusal: its code, and words it must and must not have.
pub(super) fn refused(machine: &Machine, line: &[&str], input: &str, code: i32, said: &[&str]) {
    let ended = machine.keyward_with(line, input.as_bytes());
    assert_eq!((ended.code, ended.stdout.as_slice()), (code, &b""[..]), "{line:?}: {}", ended.said());
    for words in said {
        assert!(ended.stderr.contains(words), "{line:?} does not say {words:?}: {}", ended.stderr);
    }
    assert!(ended.stderr.contains('→'), "{line:?} does not say what to do: {}", ended.stderr);
}

pub(super) const VALUE: &str = "sk-ant-api03-canary-value-0123456789";

#[test]
fn a_rule_goes_with_its_key_through_everything_and_shows_no_value() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let ended = owner.keyward_with(
        &[
            "key",
            "create",
            "CLAUDE",
            "--value-stdin",
            "--inject",
            "anthropic",
            "--method",
            "POST",
            "--per-minute",
            "60",
        ],
        VALUE.as_bytes(),
    );
    assert_eq!(ended.code, 0, "{}", ended.said());
    // A preset is seen by whoever uses it.
    assert!(
        ended.stderr.contains("api.anthropic.com") && ended.stderr.contains("x-api-key"),
        "{}",
        ended.stderr
    );
    let first = json!({
        "v": 1,
        "hosts": ["api.anthropic.com"],
        "methods": ["POST"],
        "into": [{ "kind": "header", "name": "x-api-key", "template": "{v}" }],
        "approval": "never",
        "limits": { "per_minute": 60 },
    });
    assert_eq!(rule(owner, "CLAUDE"), first);
    assert_eq!(shown(owner, "CLAUDE")["provider"], "anthropic");
    let text = owner.ok(&["key", "show", "CLAUDE"]);
    for line in [
        "host       api.anthropic.com",
        "inject     header:x-api-key",
        "method     POST",
        "limit      60 a minute",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains(VALUE));

    // Another value, a reseal, another name: the rule stays.
    owner.keyward_with(&["key", "set", "CLAUDE", "--value-stdin"], format!("{VALUE}-2").as_bytes());
    owner.ok(&["deployment", "map", DEPLOYMENT, "CLAUDE"]);
    owner.ok(&["group", "exclude", "canary-agents", DEPLOYMENT, "CLAUDE"]);
    owner.ok(&["key", "rename", "CLAUDE", "CLAUDE_2"]);
    assert_eq!(rule(owner, "CLAUDE_2"), first);
    assert_eq!(owner.ok(&["key", "get", "CLAUDE_2"]), format!("{VALUE}-2"));

    // Only the rule: a new version with the same value, and old and new hosts are said.
    let ended = owner.keyward(&[
        "key",
        "set",
        "CLAUDE_2",
        "--host",
        "claude.example.com",
        "--method",
        "",
        "--per-minute",
        "0",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    for words in ["version 3", "same value", "hosts were: api.anthropic.com; hosts are: claude.example.com"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    let second = json!({
        "v": 1,
        "hosts": ["claude.example.com"],
        "into": [{ "kind": "header", "name": "x-api-key", "template": "{v}" }],
        "approval": "never",
    });
    assert_eq!(rule(owner, "CLAUDE_2"), second);
    assert_eq!(owner.ok(&["key", "get", "CLAUDE_2"]), format!("{VALUE}-2"));
    // The same once more is no new version.
    let again = owner.keyward(&["key", "set", "CLAUDE_2", "--host", "Claude.Example.com:443", "--json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&again["version"], &again["new_version"]), (&json!(3), &json!(false)));

    // Back to the older value: a host that was closed is not opened again, unless that is said.
    let ended = owner.keyward(&["key", "rollback", "CLAUDE_2", "1"]);
    assert!(ended.code == 0 && ended.stderr.contains("--with-rule"), "{}", ended.said());
    assert_eq!((rule(owner, "CLAUDE_2"), owner.ok(&["key", "get", "CLAUDE_2"])), (second, VALUE.to_owned()));
    let ended = owner.keyward(&["key", "rollback", "CLAUDE_2", "1", "--with-rule"]);
    let hosts = "hosts were: claude.example.com; hosts are: api.anthropic.com";
    assert!(ended.code == 0 && ended.stderr.contains(hosts), "{}", ended.said());
    assert_eq!(rule(owner, "CLAUDE_2"), first);

    let ended = owner.keyward(&["key", "set", "CLAUDE_2", "--no-rule"]);
    assert!(ended.stderr.contains("hosts were: api.anthropic.com"), "{}", ended.said());
    assert_eq!(rule(owner, "CLAUDE_2"), Value::Null);
    assert_eq!(owner.ok(&["key", "get", "CLAUDE_2"]), VALUE);
}

#[test]
fn another_preset_opens_nothing_that_was_closed() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let set = |more: &[&'static str]| [&["key", "set", ALPHA.0][..], more].concat();
    owner.ok(&set(&[
        "--host",
        "api.ten.test",
        "--inject",
        "bearer",
        "--method",
        "GET",
        "--path",
        "/v1/read",
    ]));
    owner.ok(&set(&["--inject", "stripe"]));
    let told = rule(owner, ALPHA.0);
    assert_eq!(
        (&told["hosts"], &told["methods"]),
        (&json!(["api.stripe.com", "files.stripe.com"]), &json!(["GET"]))
    );
    assert_eq!(told["paths"], json!(["/v1/read"]), "Stripe's preset has no paths of its own");
    refused(owner, &set(&["--inject", "asana"]), "", 9, &["--path", "--no-rule"]);
    owner.ok(&set(&["--inject", "asana", "--path", "/api/1.0/users/me"]));
    let told = rule(owner, ALPHA.0);
    assert_eq!((&told["methods"], &told["paths"]), (&json!(["GET"]), &json!(["/api/1.0/users/me"])));
}

#[test]
fn a_key_with_fields_keeps_them_to_itself() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.write("app", "canary-application-key-5566\n");
    let create = ["key", "create", "DATADOG", "--value-stdin", "--inject", "datadog"];
    refused(owner, &create, VALUE, 9, &["field app", "--field-file"]);
    let ended = owner.keyward_with(&[&create[..], &["--field-file", "app=app"]].concat(), VALUE.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.said());
    let told = shown(owner, "DATADOG");
    assert_eq!(told["fields"], json!(["app"]));
    assert!(!told.to_string().contains("5566") && !owner.ok(&["key", "show", "DATADOG"]).contains("5566"));

    // Basic over two: the user is a field; with a : it would be another user.
    let zendesk = ["key", "create", "ZENDESK", "--value-stdin", "--inject", "zendesk"];
    refused(owner, &zendesk, VALUE, 2, &["--host {tenant}.zendesk.com"]);
    let at = ["--host", "acme.zendesk.com", "--field"];
    refused(owner, &[&zendesk[..], &at, &["email=a:b"]].concat(), VALUE, 9, &["Basic"]);
    owner.keyward_with(&[&zendesk[..], &at, &["email=me@acme.example"]].concat(), VALUE.as_bytes());
    let basic = json!([{ "kind": "basic", "user": "{email}/token", "password": "{v}" }]);
    assert_eq!(rule(owner, "ZENDESK")["into"], basic);

    // The variables of a deployment have the value and nothing beside it.
    owner.ok(&["deployment", "map", DEPLOYMENT, "DATADOG"]);
    let printed = owner.ok(&["deployment", "env-file", DEPLOYMENT, "--stdout"]);
    assert!(printed.contains(VALUE) && !printed.contains("5566") && !printed.contains("datadoghq"));

    // Out and in again, with everything.
    owner.ok(&["key", "export", "--out", "keys.json"]);
    let (before, fields) = (rule(owner, "DATADOG"), shown(owner, "DATADOG")["fields"].clone());
    owner.ok(&["key", "delete", "DATADOG", "--yes"]);
    owner.ok(&["key", "import", "keys.json", "--on-conflict", "skip"]);
    assert_eq!(
        (rule(owner, "DATADOG"), shown(owner, "DATADOG")["fields"].clone()),
        (before.clone(), fields.clone())
    );
    // A file without rules keeps those that are there, if they can send its values.
    owner.write("values.env", format!("DATADOG={VALUE}-new\n"));
    owner.ok(&["key", "import", "values.env", "--on-conflict", "version"]);
    assert_eq!((rule(owner, "DATADOG"), shown(owner, "DATADOG")["fields"].clone()), (before, fields));
    assert_eq!(owner.ok(&["key", "get", "DATADOG"]), format!("{VALUE}-new"));
    owner.write("values.env", "DATADOG=\"two\nlines\"\n");
    refused(
        owner,
        &["key", "import", "values.env", "--on-conflict", "version"],
        "",
        9,
        &["new value of DATADOG", "--no-rule"],
    );
    let bad =
        std::fs::read_to_string(owner.path("keys.json")).unwrap().replace("api.datadoghq.com", "*.github.io");
    owner.write("bad.json", bad);
    refused(
        owner,
        &["key", "import", "bad.json", "--on-conflict", "version"],
        "",
        2,
        &["inject", "hosts[0]"],
    );
}

#[test]
fn v5_whoever_writes_a_rule_is_told_which_paths_hand_out_credentials() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let create = ["key", "create", "GITHUB", "--value-stdin", "--inject", "github", "--json"];
    let ended = owner.keyward_with(&create, VALUE.as_bytes());
    for words in ["keys, gpg_keys, access_tokens", "all: keyward provider show github", "--path"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.said());
    }
    let line = ended.stderr.lines().find(|line| line.contains("no path that makes")).unwrap();
    assert!(line.len() < 250, "{line}");
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let refused = told["rule"]["credential_paths"]["refused"].as_array().unwrap();
    assert!(refused.contains(&json!("/user/keys/*")));
    let ended = owner.keyward(&["key", "set", "GITHUB", "--path", "/user/*", "--path", "/user/keys/7"]);
    assert!(
        ended.stderr.contains("outlives the rule") && ended.stderr.contains("/user/keys/*"),
        "{}",
        ended.said()
    );
    let paths = &shown(owner, "GITHUB")["credential_paths"];
    assert_eq!(paths["allowed"], json!(["/user/keys/*"]));
    assert!(
        !paths["refused"].as_array().unwrap().iter().any(|path| path.as_str().unwrap().starts_with("/repos"))
    );
    let text = owner.ok(&["key", "show", "GITHUB"]);
    for line in ["mints      /user/keys/*", "refused    /user/gpg_keys/*"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // A GitHub of one's own has its API below a prefix, too.
    let own = [
        "key",
        "create",
        "OWN",
        "--value-stdin",
        "--provider",
        "github",
        "--host",
        "git.ten.test",
        "--inject",
        "bearer",
    ];
    owner.keyward_with(&own, VALUE.as_bytes()).ok(&own);
    let (text, paths) = (owner.ok(&["key", "show", "OWN"]), &shown(owner, "OWN")["credential_paths"]);
    for path in ["/user/keys/*", "/api/v3/user/keys/*"] {
        assert!(paths["refused"].as_array().unwrap().contains(&json!(path)), "{paths}");
        assert!(text.contains(&format!("refused    {path} ")), "{text}");
    }
    // At a host of one's own the key's provider says what is there; a preset makes it known.
    owner.ok(&["key", "set", ALPHA.0, "--inject", "meilisearch", "--host", "search.ten.test"]);
    assert_eq!(shown(owner, ALPHA.0)["provider"], "meilisearch");
    assert_eq!(shown(owner, ALPHA.0)["credential_paths"]["refused"], json!(["/keys/*"]));
}

#[test]
fn what_can_be_guessed_is_warned_of_wherever_the_rule_writes_it_as_a_secret() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let create = |name: &'static str, more: &[&'static str]| {
        let line = [&["key", "create", name, "--value-stdin", "--host", "a.test"][..], more].concat();
        let ended = owner.keyward_with(&line, VALUE.as_bytes());
        assert_eq!(ended.code, 0, "{}", ended.said());
        ended.stderr
    };
    let header = ["--inject", "header:x-pin={pin}", "--inject", "bearer", "--field", "pin=123456"];
    assert!(create("PIN", &header).contains("short: the field pin"));
    let password = ["--inject", "basic:{v}:{pin}", "--field", "pin=123456"];
    assert!(create("PASSWORD", &password).contains("short: the field pin"));
    let user = create("USER", &["--inject", "basic", "--field", "user=me"]);
    assert!(!user.contains("short"), "a user is no secret: {user}");
    // One that the gateway does not send is not said to be sent.
    let set = |more: &[&str]| {
        let line = [&["key", "set", "PIN", "--value-stdin"][..], more].concat();
        let ended = owner.keyward_with(&line, b"1234567");
        assert_eq!(ended.code, 0, "{}", ended.said());
        ended.stderr
    };
    let line = ["key", "create", "TINY", "--value-stdin", "--host", "a.test", "--inject", "bearer"];
    let created = owner.keyward_with(&line, b"hunter2").stderr.replace("TINY", "PIN");
    for said in [created, set(&[]), set(&["--host", "b.test", "--inject", "bearer"])] {
        let nowhere =
            "the gateway sends PIN nowhere: a value of fewer than 8 bytes cannot be kept out of answers";
        assert!(said.contains(nowhere), "{said}");
        assert!(!said.contains("may send it") && !said.contains("short:"), "{said}");
    }
    let import = |value: &str| {
        let keys = json!([{ "name": "SHORT", "value": value, "inject": bearer(&["a.test"]) }]);
        owner.write("keys.json", file(&keys));
        let ended = owner.keyward(&["key", "import", "keys.json", "--on-conflict", "version"]);
        assert_eq!(ended.code, 0, "{}", ended.said());
        ended.stderr
    };
    let said = import("hunter2");
    assert!(said.contains("sends SHORT nowhere: a value of fewer than 8"), "{said}");
    assert!(!said.contains("may send it") && !said.contains("short:"), "{said}");
    assert!(import("hunter23").contains("SHORT: short: the value"));
}

#[test]
fn what_would_send_a_value_to_others_is_refused() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let set = |more: &[&'static str]| [&["key", "set", ALPHA.0][..], more].concat();
    for host in [
        "*.amazonaws.com",
        "*.googleapis.com",
        "*.github.io",
        "*.githubusercontent.com",
        "*.vercel.app",
        "*.workers.dev",
        "*.supabase.co",
        "*.myshopify.com",
        "*.atlassian.net",
        "*.com",
        "co.uk",
    ] {
        refused(
            owner,
            &set(&["--host", host, "--inject", "bearer", "--allow-wildcard"]),
            "",
            9,
            &[host, "exact host"],
        );
    }
    refused(owner, &set(&["--host", "*.ten.test", "--inject", "bearer"]), "", 9, &["--allow-wildcard"]);
    for host in [
        "*",
        "a*.ten.test",
        ".ten.test",
        "https://a.test",
        "a.test/x",
        "127.1",
        "u@a.test",
        "a.test:0",
        "ä.test",
    ] {
        refused(owner, &set(&["--host", host, "--inject", "bearer"]), "", 2, &["--host"]);
    }
    let at = |more: &[&'static str]| set(&[&["--host", "a.test"][..], more].concat());
    for (how, code) in [
        (&["--inject", "sigv4"][..], 9),
        (&["--inject", "oauth2"], 9),
        (&["--inject", "gmail"], 9),
        (&["--inject", "header:Host"], 2),
        (&["--inject", "header:x-api-key=hunter2"], 2),
        (&["--inject", "hunter2:x"], 2),
        (&["--inject", "hunter2"], 4),
        (&["--inject", "anthropc"], 4),
        (&["--inject", "bearer", "--inject", "basic:u"], 9),
        (&["--inject", "bearer", "--method", "get"], 2),
        (&["--inject", "bearer", "--method", "TRACE"], 2),
        (&["--inject", "bearer", "--path", "/v1/../x"], 2),
        (&["--inject", "bearer", "--account", "a b"], 2),
        (&["--inject", "bearer", "--per-minute", "9999999"], 9),
    ] {
        let ended = owner.keyward(&at(how));
        assert_eq!((ended.code, ended.stdout.as_slice()), (code, &b""[..]), "{how:?}: {}", ended.said());
        assert!(ended.stderr.contains('→') && !ended.stderr.contains("hunter2"), "{how:?}: {}", ended.stderr);
    }
    refused(owner, &set(&["--host", "a.test"]), "", 2, &["how is it sent?"]);
    refused(owner, &set(&["--inject", "bearer"]), "", 2, &["where may it be sent?"]);
    // A value that would be more than a header: refused when it is stored, with or after its rule.
    for value in ["x\r\nX-Evil: 1", "two words \n"] {
        let line = ["key", "set", ALPHA.0, "--value-stdin", "--host", "a.test", "--inject", "bearer"];
        refused(owner, &line, &format!("{value}\n"), 9, &["header cannot hold it"]);
    }
    owner.ok(&["key", "set", BETA.0, "--host", "a.test", "--inject", "bearer"]);
    refused(owner, &["key", "set", BETA.0, "--value-stdin"], "a\nb", 9, &["header cannot hold it"]);
    assert_eq!(owner.ok(&["key", "get", BETA.0]), BETA.1);
    assert_eq!(rule(owner, ALPHA.0), Value::Null, "nothing was half-done");
}

#[test]
fn a_whole_rule_comes_from_a_file_or_a_pipe() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    let text = r#"{
        "v": 1,
        "hosts": ["api.telegram.org", "*.ten.test"],
        "into": [{"kind": "path", "template": "/bot{v}/"}],
        "paths": ["/bot*/*"],
        "approval": "never"
    }"#;
    refused(owner, &["key", "set", BETA.0, "--rule", "-"], text, 9, &["--allow-wildcard"]);
    let ended =
        owner.keyward_with(&["key", "set", BETA.0, "--rule", "-", "--allow-wildcard"], text.as_bytes());
    assert_eq!(ended.code, 0, "{}", ended.said());
    let stored = rule(owner, BETA.0);
    assert_eq!(stored, serde_json::from_str::<Value>(text).unwrap());
    // What is shown can be given back; a wildcard that is there needs no second word.
    owner.write("rule.json", stored.to_string());
    owner.ok(&["key", "set", BETA.0, "--rule", "rule.json", "--note", "again"]);
    for (change, said) in [
        (r#""v": 2"#, "version that this program does not know"),
        (r#""v": 1, "surprise": 1"#, "surprise"),
        (r#""v": 1, "v": 1"#, "twice"),
    ] {
        refused(
            owner,
            &["key", "set", BETA.0, "--rule", "-"],
            &text.replace(r#""v": 1"#, change),
            9,
            &[said],
        );
    }
    let signed = text.replace(r#""kind": "path""#, r#""kind": "sigv4""#);
    refused(owner, &["key", "set", BETA.0, "--rule", "-"], &signed, 9, &["sigv4 is not supported yet"]);
    refused(owner, &["key", "set", BETA.0, "--rule", "-", "--value-stdin"], text, 2, &["standard input"]);
    assert_eq!(owner.keyward(&["key", "set", BETA.0, "--rule", "nowhere.json"]).code, 2);
}

#[test]
fn a_preset_is_that_of_the_values_own_kind() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.keyward_with(
        &["key", "create", "SUBSCRIPTION", "--value-stdin", "--inject", "anthropic"],
        b"sk-ant-oat01-canary-0123456789",
    );
    let bearer = json!([{ "kind": "header", "name": "authorization", "template": "Bearer {v}" }]);
    assert_eq!(rule(owner, "SUBSCRIPTION")["into"], bearer);
    // Nothing is done unasked: the provider's name alone only makes a proposal.
    let ended = owner
        .keyward_with(&["key", "create", "PAY", "--value-stdin", "--provider", "Stripe"], VALUE.as_bytes());
    assert!(ended.stderr.contains("keyward key set PAY --inject stripe"), "{}", ended.stderr);
    assert_eq!(rule(owner, "PAY"), Value::Null);
}

#[test]
fn providers_can_be_looked_up_without_a_server() {
    let machine = Machine::new("http://127.0.0.1:1");
    let list: Value = serde_json::from_str(&machine.ok(&["provider", "list", "--json"])).unwrap();
    assert!(list.as_array().unwrap().len() > 250);
    let text = machine.ok(&["provider", "list", "zendesk"]);
    assert!(text.contains("basic:{email}/token") && !text.contains("anthropic"), "{text}");
    let text = machine.ok(&["provider", "show", "GitHub"]);
    for words in ["host       api.github.com", "inject     bearer", "mints      /user/keys/*", "source     "]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let ended = machine.keyward(&["provider", "show", "gmail"]);
    assert!(ended.code == 0 && ended.stderr.contains("not supported yet"), "{}", ended.said());
    refused(&machine, &["provider", "show", "githb"], "", 4, &["did you mean github"]);
}
