//! Lies to an owner who is about to write.

use std::sync::atomic::{AtomicU64, Ordering};

use keyward_crypto::{Context, new_id, open};
use keyward_tests::forge::rewrite;
use keyward_tests::http::Answer;
use keyward_tests::insider::Insider;
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, EMAIL, EXCLUDED, PASSWORD, ROBOT, World, env_file};
use keyward_wire::api::org::OrgAnswer;
use keyward_wire::api::write::WriteRequest;
use keyward_wire::{IdentityId, Purpose};
use serde_json::{Value, json};

use crate::json_answer;

const READ: &str = "GET /v1/org";
const WRITE: &str = "POST /v1/org/write";

/// An owner who believes to talk to the server.
struct Court {
    world: World,
    liar: Liar,
}

impl Court {
    fn new() -> Self {
        let mut world = World::new(Engine::Sqlite);
        let liar = world.liar();
        world.owner.redirect(&liar.url());
        Self { world, liar }
    }

    fn owner(&self, words: &[&str]) -> Ended {
        self.world.owner.keyward_with(words, b"another-value-3d3d")
    }

    /// The writes that were sent.
    fn writes(&self) -> Vec<WriteRequest> {
        let sent = self.liar.traffic().into_iter().map(|exchange| exchange.request);
        let writes = sent.filter(|request| request.route() == WRITE);
        writes.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
    }

    /// The owner is told this lie, refuses, and writes nothing.
    fn refused(&self, machine: &Machine, code: i32, lie: &str) {
        let before = self.liar.traffic().len();
        let ended = machine.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"another-value-3d3d");
        assert_eq!(ended.code, code, "{lie}: {}", ended.said());
        assert!(ended.stdout.is_empty(), "{lie}");
        let traffic = self.liar.traffic();
        assert!(!traffic[before..].iter().any(|e| e.request.route() == WRITE), "{lie}: it wrote");
        assert_eq!(traffic.last().unwrap().request.route(), READ, "{lie}: it went on");
    }
}

/// The server's word about who and what there is, beside ORG.
fn plaintext(intruder: IdentityId, robot: IdentityId) -> Value {
    json!({
        "identities": [
            { "id": intruder, "role": "viewer", "kind": "api", "name": "intruder" },
            { "id": robot, "role": "owner", "kind": "human" },
        ],
        "members": [intruder], "owners": [intruder, robot], "admins": [robot],
        "groups": [{ "name": "canary-agents", "members": [intruder] }],
        "assignments": [{ "group": "canary-agents", "deployment": "canary-production", "excluded": [] }],
        "exclusions": [], "recipients": [intruder],
    })
}

/// Puts the server's word into every answer.
fn add_plaintext(liar: &Liar, said: Value) {
    liar.lie("*", move |request, honest| {
        let mut answer = honest(request);
        if answer.body.starts_with(b"{") {
            answer.edit(|value| value.as_object_mut().unwrap().extend(said.as_object().unwrap().clone()));
        }
        if request.route() == "GET /v1/identities" && answer.status == 200 {
            answer.edit(|value| value["identities"] = said["identities"].clone());
        }
        Reply::Whole(answer)
    });
}

#[test]
fn ms_39_whom_the_server_names_gets_no_grant() {
    let court = Court::new();
    let insider = court.world.insider();
    let (intruder, robot) = (new_id::<IdentityId>(), insider.identity(ROBOT).id);
    add_plaintext(&court.liar, plaintext(intruder, robot));
    for words in [
        &["key", "create", "GAMMA", "--value-stdin"] as &[&str],
        &["deployment", "map", "canary-production", "GAMMA"],
        &["key", "set", ALPHA.0, "--value-stdin"],
        &["group", "create", "others"],
        &["org", "heartbeat"],
    ] {
        let ended = court.owner(words);
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.said());
    }
    let writes = court.writes();
    assert_eq!(writes.len(), 5);
    for write in writes {
        assert!(write.grants.iter().all(|grant| grant.identity == robot), "{write:?}");
        assert!(write.roots.is_empty() && write.credentials.is_empty() && write.escrows.is_empty());
        assert!(write.epoch.is_none());
    }
}

#[test]
fn ms_40_whom_the_server_calls_an_owner_gets_no_organisation_key() {
    let court = Court::new();
    let insider = court.world.insider();
    let robot = insider.identity(ROBOT).id;
    add_plaintext(&court.liar, plaintext(robot, robot));
    for words in [&["key", "set", ALPHA.0, "--value-stdin"] as &[&str], &["org", "heartbeat"]] {
        let ended = court.owner(words);
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.said());
    }
    for write in court.writes() {
        assert!(write.roots.is_empty() && write.escrows.is_empty() && write.epoch.is_none(), "{write:?}");
        assert!(write.grants.iter().all(|grant| grant.env.purpose() == Purpose::Grant));
    }
    assert_eq!(court.writes().len(), 2);
    // Told that it is an owner, the robot gets the owner's envelopes, and can open none.
    let owners = court.world.bundle_of(&insider);
    let mut bundle = serde_json::to_value(court.world.bundle(&court.world.token)).unwrap();
    bundle["org"] = owners["org"].clone();
    bundle["orgkey"] = owners["orgkey"].clone();
    court.liar.answer("GET /v1/me/bundle", json_answer(&bundle.to_string()));
    let robot = Machine::new(&court.liar.url()).with("KEYWARD_TOKEN", &court.world.token);
    env_file(&robot).refused(6, "an owner's envelopes");
}

#[test]
fn ms_40_an_owner_without_the_root_key_enrols_nobody() {
    let court = Court::new();
    court.liar.lie(READ, |request, honest| {
        let mut answer = honest(request);
        answer.edit(|value| drop(value.as_object_mut().unwrap().remove("root")));
        Reply::Whole(answer)
    });
    let ended = court.owner(&["api-user", "create", "late", "--group", "canary-agents"]);
    assert_eq!(ended.code, 8, "{}", ended.said());
    assert!(ended.stdout.is_empty() && court.writes().is_empty());
    assert!(ended.stderr.contains("left out the root key"), "{}", ended.stderr);
}

#[test]
fn ms_41_an_exclusion_that_the_server_hides_still_holds_in_rebuilt_views() {
    let court = Court::new();
    let insider = court.world.insider();
    add_plaintext(&court.liar, plaintext(new_id(), insider.identity(ROBOT).id));
    for key in [ALPHA, EXCLUDED] {
        let ended = court.owner(&["key", "set", key.0, "--value-stdin"]);
        assert_eq!(ended.code, 0, "{}", ended.said());
    }
    let writes = court.writes();
    let rebuilt: Vec<_> = writes.iter().flat_map(|write| &write.views).collect();
    assert_eq!(rebuilt.len(), 1, "a new version of an excluded key is no news to the robot");
    let after = court.world.insider();
    let (vk, context) = after.view(ROBOT);
    let view: Value = serde_json::from_slice(&open(&vk, &context, &rebuilt[0].env).unwrap()).unwrap();
    let names: Vec<&str> =
        view["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, [ALPHA.0, BETA.0]);
}

#[test]
fn ms_42_an_older_or_foreign_past_is_refused_and_nothing_is_written() {
    let court = Court::new();
    let old = serde_json::to_string(&court.world.insider().answer).unwrap();
    assert_eq!(court.owner(&["group", "create", "others"]).code, 0);
    court.liar.reform();
    court.liar.answer(READ, json_answer(&old));
    court.refused(&court.world.owner, 7, "the ORG of before the last write");

    let insider = court.world.insider();
    // A successor whose past is another than the one this owner saw.
    let answer = successor(&insider, |org| {
        org["prev"][0]["sha256"] = json!(keyward_wire::Sha256::of(b"another"));
    });
    court.liar.answer(READ, json_answer(&answer));
    court.refused(&court.world.owner, 7, "another predecessor");
    // A gap where the known state should be.
    let answer = successor(&insider, |org| {
        org["prev"].as_array_mut().unwrap().remove(0);
    });
    court.liar.answer(READ, json_answer(&answer));
    court.refused(&court.world.owner, 7, "a past without the state that was seen");
    court.liar.reform();
    assert_eq!(court.owner(&["group", "create", "more"]).code, 0, "the truth still goes on");
}

/// An authentic state that follows the present one.
fn successor(insider: &Insider, change: impl FnOnce(&mut Value)) -> String {
    let answer = &insider.answer;
    let here = Context::new(Purpose::Org).org(insider.org.org).n1(answer.epoch).n2(answer.seq);
    let env = rewrite(&insider.ok, &here, &here.n2(answer.seq + 1), &answer.env, |org| {
        org["seq"] = (answer.seq + 1).into();
        let now = json!({ "seq": answer.seq, "sha256": answer.env.sha256() });
        org["prev"].as_array_mut().unwrap().insert(0, now);
        change(org);
    });
    let next = OrgAnswer { seq: answer.seq + 1, sha256: env.sha256(), env, ..answer.clone() };
    serde_json::to_string(&next).unwrap()
}

#[test]
fn ms_43_two_admins_who_are_shown_two_branches_notice() {
    let court = Court::new();
    let other = Machine::new(&court.liar.url());
    let words = ["login", "--email", EMAIL, "--password-stdin"];
    other.keyward_with(&words, PASSWORD.as_bytes()).ok(&words);
    // One branch for the other machine, another for this one.
    let branch = successor(&court.world.insider(), |org| org["org_name"] = "Another".into());
    assert_eq!(court.owner(&["group", "create", "others"]).code, 0);
    court.liar.answer(READ, json_answer(&branch));
    let ended = other.keyward(&["org", "show"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    court.refused(&court.world.owner, 7, "the other's branch");
    court.liar.reform();
    court.refused(&other, 7, "this one's branch");
    assert_eq!(court.owner(&["org", "show"]).code, 0);
    assert_eq!(court.owner(&["group", "create", "more"]).code, 0);
    court.refused(&other, 7, "this one's branch, grown");
}

#[test]
fn ms_44_a_write_that_is_not_stored_is_not_taken_for_done() {
    let court = Court::new();
    let insider = court.world.insider();
    let stored = json!({ "seq": insider.answer.seq + 1, "sha256": insider.answer.sha256 }).to_string();
    court.liar.answer(WRITE, json_answer(&stored));
    let nothing_done = |lie: &str| {
        let ended = court.owner(&["api-user", "create", "another"]);
        assert_eq!(ended.code, 6, "{lie}: {}", ended.said());
        assert!(ended.stdout.is_empty(), "{lie}: a token was printed that is good for nothing");
    };
    nothing_done("200, and nothing stored");
    let another = successor(&insider, |org| org["org_name"] = "Another".into());
    let asked = AtomicU64::new(0);
    court.liar.lie(READ, move |request, honest| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        Reply::Whole(if first { honest(request) } else { json_answer(&another) })
    });
    nothing_done("200, and something else stored");
}

#[test]
fn ms_44_a_write_whose_answer_is_lost_is_found_by_reading_back() {
    type Loss = fn(Answer) -> Reply;
    let court = Court::new();
    let lost: [(&str, Loss); 3] = [
        ("500", |_| Reply::Whole(Answer::new(500, ""))),
        ("nothing", |_| Reply::Bytes(Vec::new())),
        ("nonsense", |answer| Reply::Whole(Answer { body: b"[]".to_vec(), ..answer })),
    ];
    for (at, (lie, answered)) in lost.into_iter().enumerate() {
        court.liar.lie(WRITE, move |request, honest| answered(honest(request)));
        let ended = court.owner(&["group", "create", &format!("others-{at}")]);
        assert_eq!(ended.code, 0, "stored, but answered with {lie}: {}", ended.said());
        court.liar.lie(WRITE, move |_, _| answered(json_answer("{}")));
        let ended = court.owner(&["group", "create", &format!("never-{at}")]);
        assert_ne!(ended.code, 0, "not stored, and answered with {lie}");
    }
    court.liar.reform();
    let groups = court.owner(&["group", "list", "--json"]).ok(&[]);
    assert!(
        groups.contains("others-0") && groups.contains("others-2") && !groups.contains("never"),
        "{groups}"
    );
}

#[test]
fn ms_45_conflicts_for_ever_end_and_each_attempt_is_verified() {
    let court = Court::new();
    let conflict = Answer::new(409, r#"{"error":{"code":"conflict","message":"again"}}"#);
    court.liar.answer(WRITE, conflict.clone());
    // A lie in between ends it at once.
    let old = serde_json::to_string(&court.world.insider().answer).unwrap();
    assert_eq!(court.world.owner.keyward(&["whoami"]).code, 0);
    let asked = AtomicU64::new(0);
    court.liar.lie(READ, move |request, honest| {
        let mut answer = honest(request);
        // Each attempt reads twice: before its write, and after the conflict whether the write was carried out.
        if asked.fetch_add(1, Ordering::SeqCst) == 4 {
            let mut bytes = old.clone().into_bytes();
            let at = old.find("\"env\":\"").unwrap() + 200;
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            answer.body = bytes;
        }
        Reply::Whole(answer)
    });
    let ended = court.owner(&["group", "create", "others"]);
    assert_eq!(ended.code, 6, "a damaged ORG at the third attempt: {}", ended.said());
    assert_eq!(court.writes().len(), 2);

    court.liar.reform();
    court.liar.answer(WRITE, conflict);
    let ended = court.owner(&["group", "create", "others"]);
    assert_eq!(ended.code, 10, "{}", ended.said());
    let routes = court.liar.routes();
    let count = |wanted| routes.iter().filter(|route| *route == wanted).count();
    assert_eq!(count(READ), 2 * count(WRITE), "each attempt reads and verifies first, and looks afterwards");
    assert!((10..600).contains(&count(WRITE)), "{} attempts", count(WRITE));
}

#[test]
fn ms_60_a_changed_audit_log_is_refused_with_its_first_bad_entry() {
    type Change = fn(&mut Vec<Value>);
    let court = Court::new();
    court.owner(&["audit", "verify"]).ok(&["audit", "verify"]);
    let lies: [(&str, u64, Change); 7] = [
        ("an entry edited", 3, |entries| edit(&mut entries[2])),
        ("an entry deleted", 3, |entries| drop(entries.remove(2))),
        ("an entry inserted", 3, |entries| entries.insert(2, entries[1].clone())),
        ("two entries swapped", 3, |entries| entries.swap(2, 3)),
        ("the first entry deleted", 1, |entries| drop(entries.remove(0))),
        ("all but three cut off", 4, |entries| entries.truncate(3)),
        ("all of them gone", 1, Vec::clear),
    ];
    for (lie, bad, change) in lies {
        court.liar.change("GET /v1/audit", move |answer| {
            answer.edit(|value| {
                change(value["entries"].as_array_mut().unwrap());
                if let Some(last) = value["entries"].as_array().unwrap().last().cloned() {
                    value["head"] = json!({ "seq": last["seq"], "hash": last["hash"] });
                } else {
                    value["head"]["seq"] = 0.into();
                }
            });
        });
        let ended = court.owner(&["audit", "verify", "--all"]);
        assert_eq!(ended.code, 7, "{lie}: {}", ended.said());
        assert!(ended.stderr.contains(&format!("entry {bad} ")), "{lie}: {}", ended.stderr);
    }
    // Rewritten from the genesis on, so that every link fits.
    let org = court.world.insider().org.org;
    court.liar.change("GET /v1/audit", move |answer| {
        answer.edit(|value| {
            let mut hash = keyward_wire::api::audit::genesis(org);
            for entry in value["entries"].as_array_mut().unwrap() {
                if entry["seq"] == 2 {
                    edit(entry);
                }
                hash = keyward_wire::api::audit::link(hash, entry["entry"].as_str().unwrap());
                entry["hash"] = json!(hash);
            }
            value["head"]["hash"] = json!(hash);
        });
    });
    for words in [&["audit", "verify"] as &[&str], &["audit", "verify", "--all"]] {
        let ended = court.owner(words);
        assert_eq!(ended.code, 7, "a fresh past: {}", ended.said());
        assert!(ended.stderr.contains("entry "), "{}", ended.stderr);
    }
    court.liar.reform();
    court.owner(&["audit", "verify", "--all"]).ok(&["audit", "verify"]);
}

/// Puts another time into an entry's text.
fn edit(entry: &mut Value) {
    let text = entry["entry"].as_str().unwrap();
    let mut record: Value = serde_json::from_str(text).unwrap();
    record["time"] = 1.into();
    entry["entry"] = record.to_string().into();
}
