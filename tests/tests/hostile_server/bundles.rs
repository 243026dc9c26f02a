//! Bundles with too little, too much, or somebody else's in them.

use keyward_tests::http::{Answer, Request};
use keyward_tests::liar::Reply;
use keyward_tests::machine::Machine;
use keyward_tests::world::{ALPHA, BETA, ENV_FILE, EXCLUDED, GROUP, env_file, secret};
use keyward_wire::Envelope;
use keyward_wire::api::write::NewKeys;
use serde_json::{Value, json};

use crate::{BUNDLE, Trap, json_answer};

#[test]
fn ms_21_whatever_is_left_out_is_missed() {
    let trap = Trap::new();
    for at in 0..2 {
        let mut bundle = trap.bundle();
        bundle.secrets.remove(at);
        trap.serve(&bundle);
        trap.refused(8, &format!("without secret {at}"));
    }
    let mut bundle = trap.bundle();
    bundle.secrets.clear();
    trap.serve(&bundle);
    trap.refused(8, "secrets: []");
    for status in [204, 404] {
        trap.liar.answer(BUNDLE, Answer::new(status, ""));
        trap.refused(8, &format!("a bare {status}"));
    }
    trap.liar.answer(BUNDLE, Answer::new(404, r#"{"error":{"code":"not_found","message":"gone"}}"#));
    trap.refused(8, "a 404 with a reason");
    // A 304 to a client that has nothing is as empty.
    trap.liar.answer(BUNDLE, Answer::new(304, ""));
    trap.refused(8, "a 304 to a client without a copy");
    trap.serve_text("{}");
    let code = env_file(&trap.world.robot).code;
    assert!(matches!(code, 6 | 8), "an empty object: {code}");
}

#[test]
fn ms_22_what_was_not_asked_for_is_ignored() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let excluded = insider.key(EXCLUDED.0);
    let stray = insider.version(&trap.world.server, excluded, 1).unwrap();
    let mut bundle = trap.bundle();
    bundle.secrets.insert(0, stray.clone());
    bundle.secrets.push(stray);
    let mut unknown = bundle.secrets[1].clone();
    unknown.key = keyward_crypto::new_id();
    bundle.secrets.push(unknown);
    let mut bundle = serde_json::to_value(&bundle).unwrap();
    let mapping = json!({ "env": EXCLUDED.0, "key": excluded });
    bundle["mappings"] = json!([mapping]);
    bundle["deployments"] = json!([{ "name": "canary-production", "mappings": [mapping] }]);
    trap.serve(&bundle);
    trap.unharmed("more secrets and plaintext mappings");
}

#[test]
fn ms_23_a_second_copy_of_a_secret_is_never_used() {
    let trap = Trap::new();
    let honest = trap.bundle();
    for at in [0, honest.secrets.len()] {
        let mut copy = honest.secrets[0].clone();
        let mut bytes = copy.env.as_bytes().to_vec();
        bytes[100] ^= 1;
        copy.env = Envelope::from_bytes(bytes).unwrap();
        let mut bundle = honest.clone();
        bundle.secrets.insert(at, copy);
        trap.serve(&bundle);
        trap.refused(6, &format!("a tampered copy at {at}"));
        let mut bundle = honest.clone();
        bundle.secrets.insert(at, honest.secrets[0].clone());
        trap.serve(&bundle);
        trap.unharmed("an identical copy");
    }
}

#[test]
fn ms_24_plaintext_beside_the_envelopes_means_nothing() {
    let trap = Trap::new();
    let siblings = json!({
        "name": "CANARY_ALPHA", "env": "PATH", "provider": "evil", "host": "evil.test", "role": "owner",
        "expires": 1, "not_after": 1, "org_name": "Evil", "deployment": "evil", "groups": ["evil"], "keys": [1],
        "min_seq": 99_999, "iterations": 1, "value": "evil", "expires_at": "1970-01-01T00:00:00Z",
    });
    trap.tamper(move |bundle| add_everywhere(bundle, &siblings));
    trap.unharmed("siblings everywhere");
    // Selectors select; they change no meaning, they only fail to open.
    for (place, value) in [
        ("/grant/seq", json!(99)),
        ("/grant/view", json!(keyward_crypto::new_id::<keyward_wire::ViewId>())),
        ("/epoch", json!(2)),
    ] {
        trap.tamper(move |bundle| *bundle.pointer_mut(place).unwrap() = value.clone());
        trap.refused(6, place);
    }
    // Those that the sealed GRANT and VIEW settle themselves are not even looked at.
    for place in ["/view/seq", "/secrets/0/version", "/secrets/0/reseal"] {
        trap.tamper(move |bundle| *bundle.pointer_mut(place).unwrap() = json!(77));
        trap.unharmed(place);
    }
}

fn add_everywhere(value: &mut Value, siblings: &Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(|value| add_everywhere(value, siblings));
            for (name, sibling) in siblings.as_object().unwrap() {
                map.entry(name.clone()).or_insert_with(|| sibling.clone());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| add_everywhere(value, siblings)),
        _ => {}
    }
}

#[test]
fn ms_25_another_deployments_bundle_is_not_taken_for_the_one_that_was_asked_for() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let (alpha, beta) = (insider.key(ALPHA.0), insider.key(BETA.0));
    let group = insider.org.groups.iter().find(|group| group.name.as_str() == GROUP).unwrap().id;
    let other = trap.world.change(|draft, _| {
        let other = draft.org.add_deployment("staging".parse().unwrap()).unwrap();
        draft.org.map(other, beta, "CANARY_ALPHA".parse().unwrap()).unwrap();
        let extra = draft.add_key("STAGING_ONLY".parse().unwrap(), &secret("staging-value-5c5c")).unwrap();
        draft.org.map(other, extra, "STAGING_ONLY".parse().unwrap()).unwrap();
        draft.org.assign(group, other, [].into(), NewKeys::Allow).unwrap();
        other
    });
    let own = trap.world.deployment_id();
    // By id, the request says which; the liar asks its server for the other one.
    trap.liar.lie(BUNDLE, move |request, honest| {
        let target = request.target.split('?').next().unwrap();
        let other = Request { target: format!("{target}?deployment={other}"), ..request.clone() };
        Reply::Whole(honest(&other))
    });
    let asked = trap.world.robot.keyward(&["deployment", "env-file", &own, "--stdout"]);
    asked.refused(8, "the other deployment's values");
    assert!(trap.liar.traffic().last().unwrap().request.target.ends_with(&own));
    // By name, the name is looked up in the sealed view; renaming beside it changes nothing.
    trap.tamper(|bundle| bundle["deployments"] = json!([{ "name": "canary-production", "id": "staging" }]));
    trap.unharmed("renamed in plaintext");
    let values = trap.world.robot.ok(&["deployment", "env-file", "staging", "--stdout", "--format", "json"]);
    let values: Value = serde_json::from_str(&values).unwrap();
    assert_eq!(values, json!({ "CANARY_ALPHA": BETA.1, "STAGING_ONLY": "staging-value-5c5c" }));
    let _ = alpha;
}

#[test]
fn ms_35_an_authentic_view_cannot_set_what_steers_programs() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let renamed = |env: &str| {
        let env = env.to_owned();
        trap.forge(&insider)
            .view(move |view| view["deployments"][0]["mappings"][0]["env"] = env.into())
            .bundle
    };
    for steering in
        ["LD_PRELOAD", "PATH", "BASH_ENV", "IFS", "NODE_OPTIONS", "https_proxy", "KEYWARD_TOKEN", "GIT_SSH"]
    {
        trap.serve(&renamed(steering));
        trap.refused(9, steering);
        let run = trap.world.robot.keyward(&["run", "canary-production", "--", "true"]);
        assert_eq!(run.code, 9, "run with {steering}");
    }
    trap.serve(&renamed(BETA.0));
    trap.refused(9, "two keys for one variable");
    // No name at all: such a document was never sealed by a keyward.
    for nonsense in ["A=$(id)", "x y", "", "1A", "A-B", "é", "A\nB", "A\u{0}"] {
        trap.serve(&renamed(nonsense));
        let code = env_file(&trap.world.robot).code;
        assert!(matches!(code, 6 | 9), "{nonsense:?}: {code}");
        trap.refused(code, nonsense);
    }
    trap.serve(&renamed("AN_HONEST_NAME"));
    let ended = env_file(&trap.world.robot).ok(ENV_FILE);
    assert!(ended.contains("AN_HONEST_NAME="), "the forge itself is sound");
}

#[test]
fn ms_33_addresses_from_the_server_are_never_used_nor_shown() {
    let trap = Trap::new();
    let evil = keyward_tests::liar::Liar::before(trap.world.server.address);
    let url = evil.url();
    let addresses = json!({
        "api_url": url, "console_url": url, "connect_url": url, "url": url, "server": url, "redirect": url,
        "key_connector_url": url, "help": format!("see {url}"),
    });
    let shown = addresses.clone();
    trap.liar.lie("*", move |request, honest| {
        let mut answer = honest(request).header("location", &url).header("link", &url);
        if answer.body.starts_with(b"{") {
            answer.edit(|value| add_everywhere(value, &addresses));
        }
        Reply::Whole(answer)
    });
    trap.unharmed("addresses everywhere");
    let machine = Machine::new(&trap.liar.url());
    let signed_in = machine.keyward_with(&["auth", "api-user", "--token-stdin"], trap.world.token.as_bytes());
    let whoami = machine.keyward(&["whoami"]);
    for ended in [signed_in, whoami] {
        assert_eq!(ended.code, 0, "{}", ended.said());
        assert!(!ended.said().contains(shown["url"].as_str().unwrap()), "{}", ended.said());
    }
    // In a refusal, too: its text is shown, but as text of the server.
    trap.liar.answer(BUNDLE, json_answer(&json!({ "error": shown }).to_string()));
    let ended = env_file(&trap.world.robot);
    assert!(ended.code != 0 && !ended.said().contains(shown["url"].as_str().unwrap()));
    assert!(evil.traffic().is_empty());
}
