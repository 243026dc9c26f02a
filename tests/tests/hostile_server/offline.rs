//! Without the network: the cached answer is as good as the server's own, never better, and never takes the place of a refusal.

#![expect(clippy::disallowed_methods, reason = "a test's files are its own")]

use std::fs;
use std::path::{Path, PathBuf};

use keyward_crypto::state::local::{Confirmed, Parts};
use keyward_tests::http::Answer;
use keyward_tests::insider::{now, sign_in, token_halves};
use keyward_tests::liar::Reply;
use keyward_tests::machine::{Ended, Machine};
use keyward_tests::world::{
    ALPHA, BETA, DEPLOYMENT, ENV_FILE, EXCLUDED, GROUP, env_file, expected, new_robot, read, secret,
};
use keyward_wire::Sha256;
use keyward_wire::api::bundle::Bundle;
use serde_json::Value;

use crate::{BUNDLE, Trap, json_answer};

const OFFLINE: &[&str] = &["--offline"];
const FALLBACK: &[&str] = &["--offline-fallback", "1h"];

fn asked(machine: &Machine, words: &[&str]) -> Ended {
    machine.keyward(&[ENV_FILE, words].concat())
}

/// A robot with a memory and a kept answer.
fn warm(trap: &Trap) -> Machine {
    let machine = trap.remembering();
    assert_eq!(read(&machine), expected());
    machine
}

/// Ends the server: nobody answers from now on.
fn cut(trap: &Trap) {
    trap.liar.lie("*", |_, _| Reply::Bytes(Vec::new()));
}

fn cache(machine: &Machine) -> PathBuf {
    machine.path("memory/cache")
}

/// The kept files of this ending.
fn kept(machine: &Machine, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache(machine)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == ending)).collect()
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    let _ = fs::DirBuilder::new().mode(0o700).create(to);
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// The body of a kept answer, after the line with its tag.
fn body_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

fn write(path: &Path, body: &str) {
    fs::write(path, format!("{}\n{body}", Sha256::of(body.as_bytes()))).unwrap();
}

/// Caches an answer as the client itself would have: the body, and when it was confirmed.
fn keep(trap: &Trap, machine: &Machine, body: &str, at: i64) {
    let (cred, _) = sign_in(&trap.world.server, &token_halves(&trap.world.token));
    let halves = token_halves(&trap.world.token);
    let bundle: Bundle = serde_json::from_str(body).unwrap();
    let parts = Parts { cred: bundle.cred.unwrap().sha256(), state: bundle.grant.unwrap().env.sha256() };
    let sealed =
        Confirmed::new(Sha256::of(body.as_bytes()), parts, at).seal(&cred.ik, cred.org, cred.id, halves.id);
    write(&kept(machine, "answer")[0], body);
    fs::write(&kept(machine, "kwe")[0], sealed.as_bytes()).unwrap();
}

#[test]
fn a_kept_answer_stands_in_when_the_server_is_gone_and_says_so() {
    let trap = Trap::new();
    let machine = warm(&trap);
    assert_eq!(asked(&machine, FALLBACK).stderr, "", "nothing stands in while the server answers");
    let before = trap.liar.traffic().len();
    let ended = asked(&machine, OFFLINE);
    assert_eq!((ended.code, &ended.stdout), (0, &trap.honest), "{}", ended.said());
    assert!(ended.stderr.contains("offline") && ended.stderr.contains(" ago, at 20"), "{}", ended.stderr);
    assert_eq!(trap.liar.traffic().len(), before, "the network was used");

    cut(&trap);
    env_file(&machine).refused(5, "nobody asked for a fallback");
    for gone in [None, Some(502), Some(503), Some(504)] {
        if let Some(status) = gone {
            trap.liar.answer("*", Answer::new(status, "<html>bad gateway</html>"));
        }
        let ended = asked(&machine, FALLBACK);
        assert_eq!((ended.code, &ended.stdout), (0, &trap.honest), "{gone:?}: {}", ended.said());
        assert!(ended.stderr.contains("offline"), "{gone:?}: {}", ended.stderr);
        let quiet = asked(&machine, &["--offline-fallback", "1h", "--quiet"]);
        assert!(quiet.stderr.contains("offline"), "even when quiet");
    }
    let run = machine.keyward(&["run", DEPLOYMENT, "--offline-fallback", "1h", "--", "printenv", BETA.0]);
    assert_eq!(String::from_utf8_lossy(&run.stdout), format!("{}\n", BETA.1), "{}", run.said());
    // Nobody listens there at all.
    let mut nowhere = machine;
    nowhere.redirect("http://127.0.0.1:1");
    assert_eq!(asked(&nowhere, FALLBACK).stdout, trap.honest);
    // A server that says nothing.
    nowhere.redirect(&trap.liar.url());
    trap.liar.lie(BUNDLE, |_, _| Reply::Stall(Vec::new()));
    let ended = asked(&nowhere, FALLBACK);
    assert_eq!((ended.code, &ended.stdout), (0, &trap.honest), "{}", ended.said());
}

#[test]
fn what_was_refused_once_does_not_come_back_with_the_cable_pulled() {
    let trap = Trap::new();
    for status in [401, 403, 404] {
        let machine = warm(&trap);
        assert_eq!((kept(&machine, "answer").len(), kept(&machine, "kwe").len()), (1, 1));
        trap.liar.answer("*", Answer::new(status, r#"{"error":{"code":"forbidden","message":"no"}}"#));
        let refused = asked(&machine, FALLBACK);
        assert_ne!(refused.code, 0, "{status}: {}", refused.said());
        assert_ne!(refused.code, 5, "{status}: {}", refused.said());
        cut(&trap);
        asked(&machine, FALLBACK).refused(5, "gone after it was refused");
        asked(&machine, OFFLINE).refused(5, "and without the network as well");
        assert!(kept(&machine, "answer").is_empty() && kept(&machine, "kwe").is_empty());
        trap.liar.reform();
    }
    let machine = warm(&trap);
    trap.world.owner.ok(&["api-user", "revoke", "canary-robot"]);
    env_file(&machine).refused(3, "revoked");
    cut(&trap);
    asked(&machine, FALLBACK).refused(5, "revoked, then the cable pulled");
}

#[test]
fn a_deployment_that_is_not_there_any_more_does_not_come_back_with_the_cable_pulled() {
    for way in ["its name", "its id", "a name that a file says means its id"] {
        let trap = Trap::new();
        let machine = warm(&trap);
        let shown = trap.world.owner.ok(&["deployment", "show", DEPLOYMENT, "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let id = shown["id"].as_str().unwrap().to_owned();
        let name = if way == "its id" { id.as_str() } else { DEPLOYMENT };
        if way.starts_with("a name") {
            let mapping = format!(r#"{{"environment_mappings": {{"{DEPLOYMENT}": "{id}"}}}}"#);
            fs::write(machine.path(".keyward-deployment"), mapping).unwrap();
        }
        let ask = |words: &[&str]| {
            machine.keyward(&[&["deployment", "env-file", name, "--stdout"], words].concat())
        };
        assert_eq!(ask(&[]).stdout, trap.honest, "{way}");
        trap.world.owner.ok(&["group", "unassign", GROUP, DEPLOYMENT]);
        ask(FALLBACK).refused(4, way);
        cut(&trap);
        for words in [OFFLINE, FALLBACK] {
            let code = ask(words).code;
            assert!([4, 7].contains(&code), "{way}: {code}");
            // Nor from what was kept of another way to ask.
            let code = asked(&machine, words).code;
            assert!([4, 7].contains(&code), "{way}, and then by name: {code}");
        }
    }
}

#[test]
fn what_is_refused_of_a_newer_answer_does_not_come_back_from_the_older_one() {
    let trap = Trap::new();
    let machine = warm(&trap);
    let owner = &trap.world.owner;
    owner.ok(&["deployment", "unmap", DEPLOYMENT, ALPHA.0]);
    owner.ok(&[
        "deployment",
        "map",
        DEPLOYMENT,
        &format!("{}=LD_PRELOAD", BETA.0),
        "--allow-env",
        "LD_PRELOAD",
    ]);
    asked(&machine, FALLBACK).refused(9, "a variable that steers programs");
    cut(&trap);
    for words in [OFFLINE, FALLBACK] {
        asked(&machine, words).refused(9, "and the older answer is none any more");
    }
}

#[test]
fn an_answer_that_is_wrong_or_a_no_is_never_replaced_by_a_kept_one() {
    let trap = Trap::new();
    let machine = warm(&trap);
    for (code, lie, answer) in [
        (5, "a fault of the server", Answer::new(500, "{}")),
        (5, "too many refusals", Answer::new(429, "{}")),
        (9, "a redirect", Answer::new(302, "").header("location", "https://elsewhere.example/")),
        (6, "no JSON", json_answer("<html>")),
        (5, "compressed", json_answer("{}").header("content-encoding", "gzip")),
        (8, "an answer without anything", Answer::new(204, "")),
    ] {
        trap.liar.answer(BUNDLE, answer);
        asked(&machine, FALLBACK).refused(code, lie);
    }
    let mut lied = trap.bundle();
    lied.grant.as_mut().unwrap().seq = 1;
    trap.serve(&lied);
    asked(&machine, FALLBACK).refused(6, "another seq");
    trap.liar.reform();
    assert_eq!(asked(&machine, FALLBACK).stdout, trap.honest);
}

#[test]
fn a_kept_answer_is_held_to_everything_that_the_servers_own_is() {
    let trap = Trap::new();
    let machine = warm(&trap);
    cut(&trap);
    let (body, seal) = (kept(&machine, "answer")[0].clone(), kept(&machine, "kwe")[0].clone());
    let (good, sealed) = (body_of(&body), fs::read(&seal).unwrap());
    let honest: Value = serde_json::from_str(&good).unwrap();
    let parts = [&["cred"][..], &["grant", "env"], &["view", "env"], &["secrets", "0", "env"]];
    for part in parts {
        let mut lied = honest.clone();
        let pointer = format!("/{}", part.join("/"));
        let place = lied.pointer_mut(&pointer).unwrap();
        let mut bytes = data_encoding::BASE64URL_NOPAD.decode(place.as_str().unwrap().as_bytes()).unwrap();
        bytes[200] ^= 1;
        *place = data_encoding::BASE64URL_NOPAD.encode(&bytes).into();
        // Under its own tag, and under that of the true one.
        for tag in [Sha256::of(lied.to_string().as_bytes()), Sha256::of(good.as_bytes())] {
            fs::write(&body, format!("{tag}\n{lied}")).unwrap();
            for words in [OFFLINE, FALLBACK] {
                let ended = asked(&machine, words);
                ended.refused(6, &pointer);
                // Nobody was asked who could have lied.
                assert!(ended.stderr.contains("kept on this machine is damaged"), "{}", ended.stderr);
                assert!(!ended.stderr.contains("tampers"), "{}", ended.stderr);
                assert!(!ended.stderr.contains("using the answer"), "{}", ended.stderr);
            }
        }
    }
    for part in ["cred", "grant", "view"] {
        let mut poorer = honest.clone();
        poorer.as_object_mut().unwrap().remove(part);
        write(&body, &poorer.to_string());
        let ended = asked(&machine, OFFLINE);
        ended.refused(6, part);
        assert!(ended.stderr.contains("kept on this machine is damaged"), "{}", ended.stderr);
    }
    let mut poorer = honest.clone();
    poorer["secrets"].as_array_mut().unwrap().clear();
    fs::write(&body, format!("{}\n{poorer}", Sha256::of(good.as_bytes()))).unwrap();
    let ended = asked(&machine, OFFLINE);
    ended.refused(6, "values of another deployment, or none");
    assert!(ended.stderr.contains("kept on this machine is damaged"), "{}", ended.stderr);
    for cut in ["", "AAAA"] {
        fs::write(&body, cut).unwrap();
        let ended = asked(&machine, OFFLINE);
        ended.refused(6, "cut");
        assert!(ended.stderr.contains("kept on this machine is damaged"), "{}", ended.stderr);
    }
    // True envelopes, but not the body that was confirmed.
    write(&body, &format!("{good} "));
    asked(&machine, OFFLINE).refused(6, "another body than the confirmed one");
    write(&body, &good);
    let mut flipped = sealed.clone();
    flipped[200] ^= 1;
    for (lie, bytes) in [("flipped", flipped), ("cut", sealed[..599].to_vec()), ("emptied", Vec::new())] {
        fs::write(&seal, bytes).unwrap();
        asked(&machine, FALLBACK).refused(6, lie);
    }
    fs::remove_file(&seal).unwrap();
    asked(&machine, OFFLINE).refused(5, "nothing says when it was confirmed");
    fs::write(&seal, &sealed).unwrap();
    fs::set_permissions(&seal, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(asked(&machine, OFFLINE).stdout, trap.honest, "untouched it is good");

    // Somebody else's, under this name; and this one, in the hands of somebody else.
    trap.liar.reform();
    let token = new_robot(&trap.world.owner, "canary-other", &[GROUP]);
    let other = Machine::new(&trap.liar.url()).with("KEYWARD_TOKEN", &token);
    let memory = other.path("memory");
    let other = other.with("KEYWARD_HOME", memory);
    read(&other);
    cut(&trap);
    let (theirs, their_seal) = (kept(&other, "answer")[0].clone(), kept(&other, "kwe")[0].clone());
    fs::copy(&body, &theirs).unwrap();
    fs::copy(&seal, &their_seal).unwrap();
    asked(&other, OFFLINE).refused(6, "the kept answer of another identity");
    trap.liar.reform();
    read(&other);
    cut(&trap);
    fs::copy(&seal, &their_seal).unwrap();
    asked(&other, OFFLINE).refused(6, "the confirmation of another identity");
    fs::remove_file(machine.path("memory/state").read_dir().unwrap().next().unwrap().unwrap().path())
        .unwrap();
    asked(&machine, OFFLINE).refused(7, "a lost memory");
}

#[test]
fn how_old_a_kept_answer_may_be_is_not_the_folders_to_say() {
    let trap = Trap::new();
    let machine = warm(&trap);
    let good = body_of(&kept(&machine, "answer")[0]);
    cut(&trap);
    let (hour, within) = (3_600_000, |hours: i64| format!("{hours}h"));
    let asked_within = |hours| asked(&machine, &["--offline-fallback", &within(hours)]);
    asked(&machine, &["--offline-fallback", "1ms"]).refused(5, "confirmed longer ago than a millisecond");
    keep(&trap, &machine, &good, now() - 2 * hour);
    let ended = asked_within(1);
    ended.refused(5, "confirmed two hours ago");
    assert!(
        ended.stderr.contains("2h") && ended.stderr.contains("--offline-fallback 1h"),
        "{}",
        ended.stderr
    );
    assert_eq!(asked_within(3).code, 0, "confirmed two hours ago, three are allowed");
    keep(&trap, &machine, &good, now() + hour);
    asked_within(3).refused(7, "confirmed in the future: a clock was set back");
    asked(&machine, OFFLINE).refused(7, "the same");
    keep(&trap, &machine, &good, now());
    assert_eq!(asked_within(1).code, 0);
    asked(&machine, &["--offline-fallback", "1h", "--max-age", "1ms"]).refused(7, "--max-age holds as ever");
    asked(&machine, &["--offline", "--min-seq", "99999"]).refused(7, "--min-seq holds as ever");
    let insider = trap.world.insider();
    let ended = trap.forge(&insider).grant(|grant| grant["not_after"] = (now() - 1).into()).bundle;
    keep(&trap, &machine, &serde_json::to_string(&ended).unwrap(), now());
    asked(&machine, OFFLINE).refused(7, "an access that has ended");
    let both = asked(&machine, &["--offline", "--offline-fallback", "1h"]);
    assert_eq!(both.code, 2, "{}", both.said());
}

#[test]
fn what_this_client_knows_to_be_superseded_stays_superseded() {
    let trap = Trap::new();
    let machine = warm(&trap);
    let saved = machine.path("saved");
    copy(&cache(&machine), &saved);
    trap.world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
    assert_eq!(read(&machine), [(BETA.0.to_owned(), BETA.1.to_owned())].into());
    cut(&trap);
    let ended = asked(&machine, FALLBACK).ok(ENV_FILE);
    assert!(!ended.contains(ALPHA.0), "the newer answer is the kept one");
    copy(&saved, &cache(&machine));
    for words in [OFFLINE, FALLBACK] {
        let ended = asked(&machine, words);
        ended.refused(7, "an older copy brought back");
        // It is not the server that shows an older state, and no memory need be given up.
        assert!(ended.stderr.contains("kept on this machine is of seq"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("--forget"), "{}", ended.stderr);
    }
}

#[test]
fn whoever_keeps_nothing_is_told_so_and_owners_may_go_offline_too() {
    let trap = Trap::new();
    for words in [OFFLINE, FALLBACK] {
        let mut robot = Machine::new(&trap.liar.url()).with("KEYWARD_TOKEN", &trap.world.token);
        robot.redirect("http://127.0.0.1:1");
        let ended = asked(&robot, words);
        ended.refused(5, "a container without a folder");
        assert!(ended.stderr.contains("KEYWARD_HOME"), "{}", ended.stderr);
    }
    let fresh = trap.remembering();
    asked(&fresh, OFFLINE).refused(5, "nothing was kept yet");
    let owner = &trap.world.owner;
    let all = owner.ok(ENV_FILE);
    assert!(all.contains(EXCLUDED.0));
    let ended = asked(owner, OFFLINE);
    assert_eq!(ended.stderr.matches("using the answer").count(), 1, "{}", ended.stderr);
    assert_eq!(ended.ok(ENV_FILE), all);
    let key = trap.world.insider().key(ALPHA.0);
    trap.world.change(|draft, _| draft.add_version(key, &secret("newer")).unwrap());
    owner.ok(&["org", "show"]);
    asked(owner, OFFLINE).refused(7, "an owner who has seen a newer state");
}
