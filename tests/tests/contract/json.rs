//! `--json`: one document on stdout, always of the same form. The forms are in `shapes.txt`; a change of theirs is seen
//! there. `KEYWARD_UPDATE=1` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{PASSWORD, new_robot};
use serde_json::Value;

use crate::help::commands;

#[test]
fn the_json_of_every_command_keeps_its_form() {
    let server = Server::start(Engine::Sqlite);
    let machine = Machine::new(&server.url());
    machine.write("all.env", "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nALPHA=1\n");
    let mut shapes = String::new();
    let mut seen = BTreeSet::new();
    let mut record = |who: &str, machine: &Machine, line: &str, input: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = machine.keyward_with(&[&words[..], &["--json"]].concat(), input.as_bytes());
        assert_eq!(ended.code, 0, "{line}: {}", ended.said());
        let shape = match ended.stdout.as_slice() {
            [] => "nothing".to_owned(),
            text => {
                shape(&serde_json::from_slice(text).unwrap_or_else(|_| panic!("{line}: {}", ended.said())))
            }
        };
        writeln!(shapes, "{who}: keyward {line}\n  {shape}").unwrap();
        seen.insert(command_of(line));
    };
    record("owner", &machine, INIT, PASSWORD);
    for (line, input) in OWNER {
        record("owner", &machine, line, input);
    }
    let bot = machine.ok(&["agent", "create", "cat", "--gateway", "edge", "--group", "agents"]);
    std::fs::set_permissions(machine.write("cat.txt", bot), Permissions::from_mode(0o600)).unwrap();
    for line in GATEWAY {
        record("owner", &machine, line, "");
    }
    let token = new_robot(&machine, "robot", &["agents"]);
    let robot = Machine::new(&server.url());
    record("robot", &robot, "auth api-user --token-stdin", &token);
    for line in ROBOT {
        record("robot", &robot, line, "");
    }
    for (line, input) in LAST {
        record("owner", &machine, line, input);
    }
    // `run` has the output of its child, `key copy` needs a clipboard (tests/import), `proxy log` and `proxy health`
    // tell of a gateway that runs (tests/gateway).
    let elsewhere = |command: &str| matches!(command, "run" | "key copy" | "proxy log" | "proxy health");
    let missing: Vec<_> =
        commands().iter().filter(|command| !elsewhere(command) && !seen.contains(*command)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    compare(&shapes);
}

#[test]
fn names_are_in_snake_case_and_times_are_texts() {
    let shapes = std::fs::read_to_string(file()).unwrap();
    let names: Vec<&str> = shapes
        .split(['{', ' ', ',', '[', '\n'])
        .filter_map(|word| word.strip_suffix(':'))
        .filter(|name| !matches!(*name, "owner" | "robot") && name.chars().any(|c| c.is_ascii_lowercase()))
        .collect();
    assert!(names.len() > 100, "{names:?}");
    for name in names {
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        if name.ends_with("_at") || name == "time" {
            assert!(!shapes.contains(&format!("{name}: number")), "{name} is a number");
            assert!(!shapes.contains(&format!("{name}: string")), "{name} is no time");
        }
    }
}

const INIT: &str = "init --org Acme --email olga@canary.example --password-stdin --recovery-kit kit";

/// What an owner does, each with its standard input. The order matters.
const OWNER: &[(&str, &str)] = &[
    ("whoami", ""),
    ("auth status", ""),
    ("key create STRIPE --value-stdin --provider Stripe --tag live --alias pay --note why", "v1"),
    ("key set STRIPE --value-stdin", "v2"),
    ("key history STRIPE", ""),
    ("key rollback STRIPE 1", ""),
    ("key get STRIPE", ""),
    ("key tag STRIPE --add billing --set Payments", ""),
    ("key export STRIPE --history", ""),
    ("key export --out keys.json", ""),
    ("key prune --all --keep 1 --yes", ""),
    ("deployment create production", ""),
    ("key import all.env --map production --dry-run", ""),
    ("key import all.env --map production", ""),
    ("key import all.env --on-conflict skip", ""),
    ("deployment map production STRIPE=STRIPE_KEY", ""),
    ("group create agents", ""),
    ("group assign agents production --exclude ALPHA", ""),
    ("group list", ""),
    ("group show agents", ""),
    ("deployment list", ""),
    ("deployment show production", ""),
    ("api-user create ci --group agents --expires 90d", ""),
    ("api-user list", ""),
    ("api-user create edge --gateway --group agents", ""),
    ("agent create bot --gateway edge --group agents --expires 90d", ""),
    ("agent grant bot STRIPE ALPHA", ""),
    ("agent secrets bot", ""),
    ("agent list", ""),
    ("agent rotate bot", ""),
    ("agent suspend bot", ""),
    ("agent resume bot", ""),
    ("agent revoke bot ALPHA", ""),
    ("access bot", ""),
    ("group show agents", ""),
    ("group exclude agents production STRIPE", ""),
    ("group include agents production STRIPE", ""),
    ("key show STRIPE", ""),
    ("key set STRIPE --host api.example.com --inject basic --field user=me --path /v1/*", ""),
    ("key show STRIPE", ""),
    ("key list", ""),
    ("access ci", ""),
    ("group create others", ""),
    ("group add others ci", ""),
    ("group remove others ci", ""),
    ("api-user rotate ci", ""),
    ("api-user revoke ci", ""),
    ("agent remove bot", ""),
    ("key rename STRIPE PAY", ""),
    ("deployment unmap production PAY", ""),
    ("deployment rename production prod", ""),
    ("deployment env-file prod out.env", ""),
    ("org show", ""),
    ("org rename Bolt", ""),
    ("org heartbeat", ""),
    ("pin", ""),
    ("provider list", ""),
    ("provider show datadog", ""),
    ("audit list", ""),
    ("audit verify", ""),
    ("audit export audit.jsonl", ""),
    ("quickstart --deployment prod", ""),
    ("doctor", ""),
    ("completions zsh", ""),
    ("man key get", ""),
    ("man --out pages", ""),
];

/// What is done where a gateway and its programs run.
const GATEWAY: &[&str] = &[
    "proxy ca",
    "proxy env --agent cat --credential-file cat.txt --no-keys",
    "proxy selftest D12",
    "stub write netrc --home .",
];

/// The commands of an API user in the group.
const ROBOT: &[&str] = &[
    "whoami",
    "auth status",
    "key list",
    "key show AWS_ACCESS_KEY_ID",
    "key get AWS_ACCESS_KEY_ID",
    "deployment list",
    "deployment show prod",
    "deployment env-file prod out.env",
    "pin",
    "auth logout",
];

/// The commands that remove everything again.
const LAST: &[(&str, &str)] = &[
    ("group unassign agents prod", ""),
    ("group delete others --yes", ""),
    ("deployment delete prod --yes", ""),
    ("key delete PAY --yes", ""),
    ("logout", ""),
    ("login --email olga@canary.example --password-stdin", PASSWORD),
    ("logout", ""),
    ("org recover --email new@canary.example --recovery-kit kit --new-kit kit-2 --password-stdin", PASSWORD),
    ("org show", ""),
];

fn command_of(line: &str) -> String {
    let is_it = |command: &&String| line == *command || line.starts_with(&format!("{command} "));
    commands().iter().find(is_it).unwrap().clone()
}

/// The form of a value: names and kinds, no data.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(text) => kind(text).to_owned(),
        Value::Array(items) => {
            let forms: BTreeSet<String> = items.iter().map(shape).collect();
            format!("[{}]", forms.into_iter().collect::<Vec<_>>().join(" | "))
        }
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", shape(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

fn kind(text: &str) -> &'static str {
    let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let is_id = || {
        text.chars()
            .map(|c| if c == '-' { '-' } else { '0' })
            .eq("00000000-0000-0000-0000-000000000000".chars())
    };
    if text.chars().map(digit).eq("0000-00-00T00:00:00Z".chars()) {
        "time"
    } else if is_id() {
        "id"
    } else {
        "string"
    }
}

fn compare(shapes: &str) {
    if std::env::var_os("KEYWARD_UPDATE").is_some() {
        std::fs::write(file(), shapes).unwrap();
    }
    let known = std::fs::read_to_string(file()).unwrap_or_default();
    for (line, (known, now)) in known.lines().zip(shapes.lines()).enumerate() {
        assert_eq!(known, now, "line {} of {}; KEYWARD_UPDATE=1 writes it anew", line + 1, file().display());
    }
    assert_eq!(known.lines().count(), shapes.lines().count());
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/shapes.txt")
}
