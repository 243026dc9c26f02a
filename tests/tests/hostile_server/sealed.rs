//! What an honest client shows to whoever listens.

use data_encoding::BASE64URL_NOPAD;
use keyward_tests::insider::{sign_in, stored_halves, token_halves};
use keyward_tests::leak::{Secret, absent, contains};
use keyward_tests::liar::Liar;
use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{
    ALPHA, BETA, DEPLOYMENT, EMAIL, EXCLUDED, GROUP, ORG, PASSWORD, ROBOT, World, new_robot, secrets, sign_up,
};
use serde_json::Value;

/// The first value of ALPHA.
const FORMER: &str = "alpha-value-of-before-8e8e";

/// A whole life of an organisation, every byte of which passes the liar.
fn recorded() -> (World, Liar) {
    let server = Server::start(Engine::Sqlite);
    let liar = Liar::before(server.address);
    let owner = Machine::new(&liar.url());
    sign_up(&owner, ORG, EMAIL);
    let former = (ALPHA.0, FORMER);
    let lines =
        [former, BETA, EXCLUDED].map(|(name, value)| format!("{name}=\"{}\"\n", value.replace('"', "\\\"")));
    owner.write("keys.env", lines.concat());
    owner.write("alpha", ALPHA.1);
    for words in [
        &["deployment", "create", DEPLOYMENT] as &[&str],
        &["key", "import", "keys.env", "--map", DEPLOYMENT],
        &["key", "set", ALPHA.0, "--from-file", "alpha"],
        &["key", "get", ALPHA.0],
        &["key", "list"],
        &["key", "show", BETA.0],
        &["key", "history", ALPHA.0],
        &["group", "create", GROUP],
        &["group", "assign", GROUP, DEPLOYMENT, "--exclude", EXCLUDED.0],
        &["group", "exclude", GROUP, DEPLOYMENT, BETA.0],
        &["group", "include", GROUP, DEPLOYMENT, BETA.0],
    ] {
        owner.ok(words);
    }
    let first = new_robot(&owner, ROBOT, &[GROUP]);
    let token = owner.ok(&["api-user", "rotate", ROBOT]).trim_end().to_owned();
    assert_ne!(first, token);
    for words in [
        &["access", ROBOT] as &[&str],
        &["audit", "list"],
        &["audit", "verify"],
        &["org", "show"],
        &["pin", ROBOT],
        &["whoami"],
        &["deployment", "env-file", DEPLOYMENT, "--stdout"],
    ] {
        owner.ok(words);
    }
    let words = ["login", "--email", EMAIL, "--password-stdin"];
    owner.keyward_with(&words, PASSWORD.as_bytes()).ok(&words);
    let robot = Machine::new(&liar.url()).with("KEYWARD_TOKEN", &token);
    robot.ok(&["deployment", "env-file", DEPLOYMENT, "--stdout"]);
    robot.ok(&["run", DEPLOYMENT, "--", "true"]);
    robot.ok(&["key", "list"]);
    robot.ok(&["auth", "api-user"]);
    // Wrong names are typed, too.
    assert_ne!(robot.keyward(&["key", "get", EXCLUDED.0]).code, 0);
    assert_ne!(owner.keyward(&["access", "canary-nobody"]).code, 0);
    (World { server, owner, robot, token }, liar)
}

/// Every key, token and name of the world.
fn everything_secret(world: &World) -> Vec<Secret> {
    let mut all: Vec<Secret> = secrets().map(|text| Secret::new(text, text)).into();
    all.push(Secret::new("a name that was typed", "canary-nobody"));
    all.push(Secret::new("an old value", FORMER));
    all.push(Secret::new("the token", &world.token));
    let parts: Vec<&str> = world.token.split('_').collect();
    all.push(Secret::new("the token's secret half", parts[2]));
    all.push(Secret::new("the token's secret half, raw", base32(parts[2])));
    let kit = std::fs::read_to_string(world.owner.path("recovery-kit.txt")).unwrap();
    let kit = kit.lines().find(|line| line.starts_with("kwr1_")).unwrap();
    all.push(Secret::new("the recovery code", kit));
    all.push(Secret::new("the recovery code's secret half", kit.split('_').nth(2).unwrap()));
    let robot = token_halves(&world.token);
    let halves = [("the robot's", &robot), ("the owner's device's", &stored_halves(&world.owner))].map(
        |(whose, halves)| {
            let text = halves.encode();
            Secret::new(format!("{whose} unlock half"), base32(text.split('_').nth(3).unwrap()))
        },
    );
    all.extend(halves);
    let insider = world.insider();
    let (robot, _) = sign_in(&world.server, &robot);
    let documents = [
        serde_json::to_value(&robot).unwrap(),
        serde_json::to_value(&insider.cred).unwrap(),
        serde_json::to_value(&insider.org).unwrap(),
    ];
    let before = all.len();
    for document in &documents {
        gather_keys(document, &mut all);
    }
    // IK twice; DK of both; the DEKs of three keys and of one old version; one VK.
    assert_eq!(all.len() - before, 2 + 2 + 4 + 1);
    all
}

fn gather_keys(document: &Value, all: &mut Vec<Secret>) {
    match document {
        Value::Object(map) => {
            for (name, value) in map {
                match (name.as_str(), value) {
                    ("ik" | "dk" | "dek" | "vk", Value::String(text)) => {
                        all.push(Secret::from_base64url(name, text));
                    }
                    _ => gather_keys(value, all),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| gather_keys(value, all)),
        _ => {}
    }
}

fn base32(text: &str) -> Vec<u8> {
    data_encoding::BASE32_NOPAD.decode(text.to_uppercase().as_bytes()).unwrap()
}

#[test]
fn ms_31_no_secret_half_key_password_value_or_name_ever_passes() {
    let (world, liar) = recorded();
    let traffic = liar.bytes();
    absent(&everything_secret(&world), &traffic, "the traffic");
    absent(&everything_secret(&world), &world.server.everything(), "the server");
    // The same search finds what may pass.
    let halves = token_halves(&world.token);
    for (what, bytes) in [("the address", EMAIL.as_bytes()), ("the proof", halves.auth.as_bytes())] {
        assert!(Secret::new(what, bytes).is_in(&traffic), "{what} is not even found");
    }
    let id = world.deployment_id();
    assert!(contains(&world.server.everything(), id.as_bytes()) || contains(&traffic, id.as_bytes()));
}

#[test]
fn ms_65_values_of_like_size_look_alike_and_every_envelope_fills_a_bucket() {
    let (world, liar) = recorded();
    let sizes = [20, 40, 107, 200];
    for size in sizes {
        let words = ["key", "create", &format!("KEY_OF_{size}"), "--value-stdin"];
        world.owner.keyward_with(&words, "x".repeat(size).as_bytes()).ok(&words);
    }
    let mut written = Vec::new();
    let mut envelopes = 0;
    for exchange in liar.traffic() {
        let reply = exchange.reply;
        let body = reply.windows(4).position(|end| end == b"\r\n\r\n").map(|at| reply[at + 4..].to_vec());
        for body in [exchange.request.body.clone(), body.unwrap_or_default()] {
            let Ok(value) = serde_json::from_slice::<Value>(&body) else { continue };
            visit(&value, &mut |text| {
                let Ok(bytes) = BASE64URL_NOPAD.decode(text.as_bytes()) else { return };
                if bytes.starts_with(b"KWE1") {
                    let padded = bytes.len() - 88;
                    assert!(padded >= 512 && padded.is_power_of_two(), "{} bytes", bytes.len());
                    envelopes += 1;
                }
            });
            if exchange.request.route() == "POST /v1/org/write" {
                written.extend(value["secrets"].as_array().into_iter().flatten().cloned());
            }
        }
    }
    assert!(envelopes > 50, "only {envelopes} envelopes passed");
    let lengths: Vec<usize> =
        written.iter().rev().take(sizes.len()).map(|secret| secret["env"].as_str().unwrap().len()).collect();
    assert_eq!(lengths, [800; 4]);
}

fn visit(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|value| visit(value, see)),
        Value::Object(map) => map.values().for_each(|value| visit(value, see)),
        _ => {}
    }
}
