//! Exclusions: the rows EX-* of THREATS.md, black box, on both engines. What a group may not read, its members cannot even
//! count.

#![expect(clippy::unwrap_used, reason = "a test's helpers: a failure is the test's failure")]

mod asking;
mod client;
mod losing;
mod racing;
mod reading;
mod stored;
mod writing;

use keyward_crypto::state::cred::Cred;
use keyward_crypto::verify::{Floors, Verified, verify_bundle};
use keyward_tests::http::{Answer, Request};
use keyward_tests::insider::{now, sign_in, token_halves};
use keyward_tests::leak::{Secret, absent};
use keyward_tests::world::{EXCLUDED, World};
use keyward_wire::api::bundle::Bundle;
use serde_json::json;

/// The robot, as it talks to the server without any client.
struct Robot {
    cred: Cred,
    session: String,
    proof: String,
}

impl Robot {
    fn of(world: &World) -> Self {
        Self::with(world, &world.token)
    }

    fn with(world: &World, token: &str) -> Self {
        let halves = token_halves(token);
        let (cred, session) = sign_in(&world.server, &halves);
        Self { cred, session, proof: halves.auth.authorization(halves.id).to_string() }
    }

    fn ask(&self, world: &World, request: Request) -> Answer {
        world.server.send(&request.by(&self.session))
    }

    fn bundle(&self, world: &World) -> Bundle {
        world.server.send(&Request::get("/v1/me/bundle").by(&self.proof)).read()
    }

    /// Names of the keys in its view.
    fn sees(&self, world: &World) -> Vec<String> {
        let bundle = self.bundle(world);
        self.opened(&bundle).view.keys.iter().map(|key| key.name.to_string()).collect()
    }

    fn opened(&self, bundle: &Bundle) -> Verified {
        verify_bundle(&self.cred, bundle, &Floors::default(), now()).unwrap()
    }
}

/// Everything by which the excluded key could be recognised.
fn traces(world: &World) -> Vec<Secret> {
    let insider = world.insider();
    let id = insider.key(EXCLUDED.0);
    let entry = insider.org.key(id).unwrap();
    let envelope = insider.envelope(&world.server, id);
    let dek = serde_json::to_value(entry).unwrap()["dek"].as_str().unwrap().to_owned();
    vec![
        Secret::new("its name", EXCLUDED.0),
        Secret::new("its value", EXCLUDED.1),
        Secret::new("its id", id.to_string()),
        Secret::new("its id, raw", id.as_bytes()),
        Secret::new("its hash", entry.sha256.as_bytes()),
        Secret::new("its blob", &envelope.as_bytes()[8..]),
        Secret::from_base64url("its DEK", &dek),
    ]
}

/// Checks that nothing of the excluded key is in the answer.
fn clean(traces: &[Secret], answer: &Answer, what: &str) {
    absent(traces, &answer.bytes(), what);
}

/// Two answers that nobody can tell apart, but by the time and by the hash of their own audit entry.
fn alike(one: &Answer, other: &Answer, what: &str) {
    let told = |answer: &Answer| {
        let own = |name: &str| matches!(name, "date" | "keyward-audit");
        let headers = answer.headers.iter().map(|(name, value)| {
            let value = if own(name) { value.len().to_string() } else { value.clone() };
            (name.clone(), value)
        });
        (answer.status, headers.collect::<Vec<_>>(), String::from_utf8_lossy(&answer.body).into_owned())
    };
    assert_eq!(told(one), told(other), "{what}");
}

/// What the server keeps about who may read what, as numbers.
fn relations(world: &World) -> String {
    [
        "orgs",
        "identities",
        "credentials",
        "groups",
        "members",
        "assignments",
        "exclusions",
        "mappings",
        "keys",
    ]
    .map(|table| format!("{table} {}\n", world.server.sql(&format!("select count(*) from {table}"))))
    .concat()
        + &world.server.sql("select seq, epoch from orgs order by seq")
}

/// A request to read versions of keys.
fn secrets_request(key: &impl serde::Serialize) -> Request {
    Request::post("/v1/secrets/get", &json!({ "secrets": [{ "key": key, "version": 1 }] }))
}
