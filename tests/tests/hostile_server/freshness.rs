//! Old truths: authentic once, and not what the server was last told.

use keyward_crypto::{derive_delivery, open, seal};
use keyward_tests::insider::{now, sign_in, token_halves};
use keyward_tests::machine::Machine;
use keyward_tests::world::{ALPHA, DEPLOYMENT, ENV_FILE, ROBOT, env_file, secret};
use keyward_wire::Nonce;
use keyward_wire::api::bundle::Bundle;
use serde_json::{Value, json};

use crate::{BUNDLE, Trap};

const NEW: &str = "alpha-value-after-the-change";
const YEARS: i64 = 10 * 365 * 86_400_000;

/// The bundle of before a change, and the seq of the one after it.
fn changed(trap: &Trap) -> (Bundle, u64) {
    let old = trap.bundle();
    let key = trap.world.insider().key(ALPHA.0);
    trap.world.change(|draft, _| draft.add_version(key, &secret(NEW)).unwrap());
    (old, trap.bundle().grant.unwrap().seq)
}

#[test]
fn ms_14_a_complete_older_state_is_refused_by_a_client_with_memory() {
    let trap = Trap::new();
    let machine = trap.remembering();
    let (old, _) = changed(&trap);
    assert!(env_file(&machine).ok(ENV_FILE).contains(NEW));
    trap.serve(&old);
    trap.refused_by(&machine, 7, "the state of before the change");
    trap.refused_by(&machine, 7, "once more: the refusal was not what it remembers");
    trap.liar.reform();
    assert!(env_file(&machine).ok(ENV_FILE).contains(NEW));
}

#[test]
fn ms_15_a_floor_replaces_memory() {
    let trap = Trap::new();
    let (old, seq) = changed(&trap);
    let halves = token_halves(&trap.world.token);
    let (own, _) = sign_in(&trap.world.server, &halves);
    let identity = trap.world.insider().identity(ROBOT).id;
    // A token that was issued after the change says so itself.
    let token = trap.world.change(|draft, _| draft.issue_token(identity, 1, &own.ik).encode());
    let mut newer = old.clone();
    newer.cred = trap.world.bundle(&token).cred;

    trap.serve(&old);
    let robot = &trap.world.robot;
    let asked = |words: &[&str]| robot.keyward(&[ENV_FILE, words].concat());
    asked(&["--min-seq", &seq.to_string()]).refused(7, "--min-seq");
    asked(&["--min-epoch", "2"]).refused(7, "--min-epoch");
    assert_eq!(asked(&["--min-seq", &(seq - 1).to_string(), "--min-epoch", "1"]).code, 0);
    for (name, floor) in [("KEYWARD_MIN_SEQ", seq.to_string()), ("KEYWARD_MIN_EPOCH", "2".to_owned())] {
        let machine =
            Machine::new(&trap.liar.url()).with("KEYWARD_TOKEN", &trap.world.token).with(name, floor);
        trap.refused_by(&machine, 7, name);
    }
    trap.serve(&newer);
    let machine = Machine::new(&trap.liar.url()).with("KEYWARD_TOKEN", &*token);
    trap.refused_by(&machine, 7, "a state older than the token");
}

#[test]
fn ms_16_without_memory_and_floor_an_old_state_passes_and_says_how_old_it_is() {
    let trap = Trap::new();
    let (old, seq) = changed(&trap);
    trap.serve(&old);
    trap.unharmed("the documented limit");
    let machine = Machine::new(&trap.liar.url()).with("KEYWARD_TOKEN", &trap.world.token);
    let said = machine.ok(&["deployment", "env-file", DEPLOYMENT, "out.env", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["seq"], json!(old.grant.unwrap().seq));
    assert!(said["seq"].as_u64().unwrap() < seq);
    assert!(said["issued_at"].as_str().unwrap().ends_with('Z'), "{said}");
}

#[test]
fn ms_17_a_second_truth_for_a_known_seq_is_refused() {
    let trap = Trap::new();
    let machine = trap.remembering();
    env_file(&machine).ok(ENV_FILE);
    let insider = trap.world.insider();
    trap.serve(&trap.forge(&insider).view(|view| view["org_name"] = "Another".into()).bundle);
    trap.refused_by(&machine, 7, "another VIEW at the same seq");
    trap.unharmed("to a client without memory it is as good as the first");
}

#[test]
fn ms_18_an_older_epoch_is_refused_and_a_made_up_nonce_opens_nothing() {
    let trap = Trap::new();
    let machine = trap.remembering();
    changed(&trap);
    let insider = trap.world.insider();
    let (own, _) = sign_in(&trap.world.server, &token_halves(&trap.world.token));
    let (truth, mut rotated) = (trap.bundle(), trap.bundle());
    // What the robot would get after a rotation to epoch 2, but at a lower seq: only the epoch is newer.
    let nonce = Nonce::from_bytes([9; 32]);
    let item = rotated.grant.as_mut().unwrap();
    let (dk, here) = insider.grant(ROBOT, item);
    let grant = open(&dk, &here, &item.env).unwrap();
    item.seq -= 1;
    let there = here.n1(2).n2(item.seq);
    item.env = seal(&derive_delivery(&own.ik, own.org, own.id, 2, &nonce), &there, &grant).unwrap();
    (rotated.epoch, rotated.nonce) = (2, nonce);
    trap.serve(&rotated);
    env_file(&machine).ok(ENV_FILE);
    trap.serve(&truth);
    trap.refused_by(&machine, 7, "epoch 1 after epoch 2");

    for (lie, epoch, nonce) in [
        ("a nonce that nobody chose", 1, Nonce::from_bytes([5; 32])),
        ("the right nonce with another epoch", 3, truth.nonce),
    ] {
        let mut bundle = truth.clone();
        (bundle.epoch, bundle.nonce) = (epoch, nonce);
        trap.serve(&bundle);
        trap.refused(6, lie);
    }
}

#[test]
fn ms_19_a_lost_or_damaged_memory_is_an_error_and_no_fresh_start() {
    let trap = Trap::new();
    let machine = trap.remembering();
    env_file(&machine).ok(ENV_FILE);
    let (old, _) = changed(&trap);
    let file = std::fs::read_dir(machine.path("memory/state")).unwrap().next().unwrap().unwrap().path();
    let good = std::fs::read(&file).unwrap();
    let damage: [(&str, &dyn Fn()); 5] = [
        ("deleted", &|| std::fs::remove_file(&file).unwrap()),
        ("emptied", &|| rewrite(&file, b"")),
        ("cut", &|| rewrite(&file, &good[..300])),
        ("flipped", &|| {
            let mut bad = good.clone();
            bad[333] ^= 4;
            rewrite(&file, &bad);
        }),
        ("folder deleted", &|| std::fs::remove_dir_all(machine.path("memory/state")).unwrap()),
    ];
    for (lie, harm) in damage {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        rewrite(&file, &good);
        harm();
        for _ in 0..2 {
            trap.serve(&old);
            let ended = env_file(&machine);
            ended.refused(7, lie);
            assert!(ended.stderr.contains("pin --forget"), "{lie}: {}", ended.stderr);
        }
    }
}

/// Rewrites a file in place, so that its mode stays.
fn rewrite(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt};
    let folder = path.parent().unwrap();
    let _ = std::fs::DirBuilder::new().mode(0o700).create(folder);
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
    let mut options = std::fs::File::options();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn ms_20_a_state_past_its_end_or_older_than_asked_for_is_refused() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let hour = 3_600_000;
    trap.serve(&trap.forge(&insider).grant(|grant| grant["not_after"] = (now() - 1000).into()).bundle);
    trap.refused(7, "a GRANT that has ended");
    trap.serve(&trap.forge(&insider).grant(|grant| grant["not_after"] = (now() + hour).into()).bundle);
    trap.unharmed("a GRANT that ends in an hour");
    trap.serve(&trap.forge(&insider).grant(|grant| grant["issued_at"] = (now() - 2 * hour).into()).bundle);
    let asked = |span| trap.world.robot.keyward(&[ENV_FILE, &["--max-age", span]].concat());
    asked("1h").refused(7, "issued two hours ago, --max-age 1h");
    assert_eq!(asked("3h").stdout, trap.honest);
}

#[test]
fn ms_64_an_end_that_has_passed_counts_whatever_the_server_accepts() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let halves = token_halves(&trap.world.token);
    // The server answers 200 to all of these.
    trap.serve(&trap.forge(&insider).grant(|grant| grant["not_after"] = 1.into()).bundle);
    trap.refused(7, "an identity that ended in 1970");
    let (own, _) = sign_in(&trap.world.server, &halves);
    let facts = keyward_crypto::state::cred::CredFacts {
        kind: keyward_wire::api::credentials::CredentialKind::Device,
        org: own.org,
        id: own.id,
        ik_gen: 1,
        epoch: 1,
        min_seq: 1,
        not_after: Some(now() - 1000),
    };
    let mut bundle = trap.bundle();
    let ended = keyward_crypto::state::cred::Cred::new(facts, &own.ik).seal(&halves.unlock, halves.id);
    bundle.cred = Some(ended);
    trap.serve(&bundle);
    trap.refused(7, "a credential that has ended");
}

#[test]
fn ms_68_a_clock_ten_years_off_matters_only_where_time_does() {
    let trap = Trap::new();
    let insider = trap.world.insider();
    let asked = |words: &[&str]| trap.world.robot.keyward(&[ENV_FILE, words].concat());
    let issued = |at: i64| trap.serve(&trap.forge(&insider).grant(|g| g["issued_at"] = at.into()).bundle);
    let ends = |at: i64| trap.serve(&trap.forge(&insider).grant(|g| g["not_after"] = at.into()).bundle);
    for at in [now() - YEARS, now() + YEARS, 0] {
        issued(at);
        trap.unharmed("issued ten years off");
    }
    issued(now() - YEARS);
    asked(&["--max-age", "24h"]).refused(7, "issued ten years ago");
    issued(now() + YEARS);
    assert_eq!(asked(&["--max-age", "24h"]).code, 0, "issued in ten years");
    ends(now() - YEARS);
    trap.refused(7, "ended ten years ago");
    ends(now() + YEARS);
    trap.unharmed("ends in ten years");
    // Times that no calendar has.
    for at in [i64::MIN, i64::MAX, -1, 1 << 53] {
        issued(at);
        for words in [&[] as &[&str], &["--max-age", "24h"]] {
            let ended = asked(words);
            assert!(matches!(ended.code, 0 | 6 | 7), "issued at {at} {words:?}: {}", ended.said());
        }
        ends(at);
        let ended = env_file(&trap.world.robot);
        assert!(matches!(ended.code, 0 | 6 | 7), "ends at {at}: {}", ended.said());
        assert_eq!(ended.code == 0, at >= 1 << 53, "ends at {at}");
    }
    assert!(trap.liar.routes().iter().all(|route| route == BUNDLE));
}
