//! `keyward agent`, as an admin types it.

use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, EXCLUDED, GROUP, World};

use crate::{BOT, EDGE, EDGES, Edge};

fn refused(machine: &Machine, words: &[&str], code: i32, says: &str) {
    let ended: Ended = machine.keyward(words);
    let said = ended.stderr.clone();
    assert_eq!(ended.code, code, "{words:?}: {said}");
    assert!(said.contains(says), "{words:?}: {said}");
    assert!(ended.stdout.is_empty(), "{words:?}");
}

#[test]
fn a_credential_stands_alone_on_stdout_and_what_to_do_with_it_on_stderr() {
    let edge = Edge::new(Engine::Sqlite);
    let ended = edge.world.owner.keyward(&["agent", "rotate", BOT]);
    let (out, said) = (String::from_utf8(ended.stdout).unwrap(), ended.stderr);
    assert!(out.starts_with("kwp1_") && out.ends_with('\n') && out.trim_end().len() == 91, "{out}");
    assert!(!said.contains(out.trim_end()) && said.contains("HTTPS_PROXY"), "{said}");
    assert!(said.contains(EDGE) && said.contains("never ends"), "{said}");
}

#[test]
fn without_a_gateway_there_is_no_agent_and_with_several_one_is_named() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    refused(owner, &["agent", "create", "bot"], 4, "api-user create NAME --gateway");
    owner.ok(&["api-user", "create", "lisbon", "--gateway"]);
    owner.ok(&["agent", "create", "bot"]);
    owner.ok(&["api-user", "create", "porto", "--gateway"]);
    refused(owner, &["agent", "create", "other"], 2, "--gateway");
    refused(owner, &["agent", "create", "other", "--gateway", "lisbn"], 4, "did you mean lisbon?");
    refused(owner, &["agent", "create", "other", "--gateway", "canary-robot"], 4, "no such gateway");
    refused(
        owner,
        &["agent", "create", "bot", "--gateway", "porto"],
        10,
        "there is an agent named bot already",
    );
    refused(owner, &["api-user", "create", "x", "--gateway", "--role", "user"], 2, "cannot be used with");
}

#[test]
fn grants_are_added_and_removed_and_never_replaced() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    owner.ok(&["agent", "revoke", BOT, ALPHA.0, BETA.0]);
    owner.ok(&["agent", "grant", BOT, BETA.0]);
    owner.ok(&["agent", "grant", BOT, BETA.0]);
    let secrets = owner.ok(&["agent", "secrets", BOT]);
    let row = |key: &str| secrets.lines().find(|line| line.contains(key)).unwrap().to_owned();
    assert!(row(BETA.0).contains("yes") && row(BETA.0).contains("granted"), "{secrets}");
    assert!(row(ALPHA.0).contains("no") && row(ALPHA.0).contains("not granted"), "{secrets}");
    assert!(row(EXCLUDED.0).contains(&format!("excluded for {GROUP}")), "{secrets}");
    refused(owner, &["agent", "revoke", BOT, ALPHA.0, BETA.0], 4, "was not granted");
    assert_eq!(owner.ok(&["agent", "secrets", BOT]), secrets, "nothing was changed");
    refused(owner, &["agent", "grant", BOT, "CANARY_ALFA"], 4, "did you mean CANARY_ALPHA?");
    refused(owner, &["agent", "grant", "canary-bat", ALPHA.0], 4, &format!("did you mean {BOT}?"));
    let ended = owner.keyward(&["agent", "grant", BOT, EXCLUDED.0]);
    let said = ended.stderr.clone();
    assert!(ended.code == 0 && said.contains("cannot use") && said.contains(GROUP), "{said}");
}

/// For the warning of keys that make answers late: what it had before and what it cannot use is not read, and neither is
/// anything if nothing was stored.
#[test]
fn a_grant_reads_only_what_the_agent_may_use_by_it_and_says_what_it_cannot_open() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    let server = &edge.world.server;
    let into = ["--host", "api.ten.test", "--inject", "bearer"];
    for (key, length) in [(ALPHA.0, "32"), (BETA.0, "1100")] {
        owner.ok(&[&["key", "set", key, "--generate", length][..], &into].concat());
    }
    let reads = || {
        let log: serde_json::Value = serde_json::from_str(&owner.ok(&["audit", "list", "--json"])).unwrap();
        let reads = log.as_array().unwrap().iter().filter(|entry| entry["action"] == "secrets.read");
        reads.map(|entry| entry["objects"].to_string()).collect::<Vec<_>>()
    };
    owner.ok(&["agent", "revoke", BOT, BETA.0, EXCLUDED.0]);
    let before = reads().len();
    let ended = owner.keyward(&["agent", "grant", BOT, ALPHA.0, BETA.0, EXCLUDED.0]);
    let late = |key: &str| format!("{key} makes all answers of {BOT} come late");
    assert!(ended.code == 0 && ended.stderr.contains(&late(BETA.0)), "{}", ended.stderr);
    let all = reads();
    let key = |name: &str| edge.key(name).to_string();
    assert_eq!(all.len(), before + 1, "{all:?}");
    let read = all.last().unwrap();
    assert!(read.contains(&key(BETA.0)), "{all:?}");
    assert!(!read.contains(&key(ALPHA.0)) && !read.contains(&key(EXCLUDED.0)), "{all:?}");
    owner.ok(&["agent", "grant", BOT, ALPHA.0, BETA.0]);
    assert_eq!(reads().len(), before + 1, "it had them");

    // One that is not what was sealed is a fault, and hides nothing of the other.
    owner.ok(&["agent", "revoke", BOT, ALPHA.0, BETA.0]);
    let of = |name: &str| {
        let id = data_encoding::HEXLOWER.encode(edge.key(name).as_bytes());
        format!("{} = '{id}'", server.hex("key_id"))
    };
    let (alpha, other) = (of(ALPHA.0), of(EXCLUDED.0));
    server.sql(&format!(
        "update secrets set env = (select env from secrets where {other} limit 1) where {alpha}"
    ));
    let ended = owner.keyward(&["agent", "grant", BOT, ALPHA.0, BETA.0]);
    let said = ended.stderr.clone();
    assert!(ended.code == 6 && said.contains(&late(BETA.0)) && !said.contains(&late(ALPHA.0)), "{said}");
    assert!(said.contains("the keys are granted") && said.contains(ALPHA.0), "{said}");
    let secrets = owner.ok(&["agent", "secrets", BOT]);
    let row = |key: &str| secrets.lines().find(|line| line.contains(key)).unwrap().to_owned();
    assert!(row(ALPHA.0).contains("yes") && row(BETA.0).contains("yes"), "{secrets}");
}

#[test]
fn a_grant_of_a_key_that_is_sent_nowhere_says_so_until_it_has_a_rule() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    let nowhere = format!("the gateway sends {} nowhere", ALPHA.0);
    let granted = || {
        owner.ok(&["agent", "revoke", BOT, ALPHA.0]);
        let ended = owner.keyward(&["agent", "grant", BOT, ALPHA.0]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended.stderr
    };
    let said = granted();
    assert!(said.contains(&nowhere) && said.contains("keyward key set"), "{said}");
    owner.ok(&["key", "set", ALPHA.0, "--host", "api.ten.test", "--inject", "bearer"]);
    assert!(!granted().contains("nowhere"));
}

#[test]
fn admins_who_change_an_agent_at_once_lose_nothing_of_each_other() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    owner.ok(&["agent", "revoke", BOT, ALPHA.0, BETA.0, EXCLUDED.0]);
    std::thread::scope(|scope| {
        for key in [ALPHA.0, BETA.0, EXCLUDED.0] {
            scope.spawn(move || owner.ok(&["agent", "grant", BOT, key]));
        }
    });
    let listed: serde_json::Value = serde_json::from_str(&owner.ok(&["agent", "list", "--json"])).unwrap();
    let bot = listed.as_array().unwrap().iter().find(|agent| agent["name"] == BOT).unwrap();
    assert_eq!((&bot["granted"], &bot["usable"]), (&3.into(), &2.into()), "{bot}");
}

#[test]
fn an_agent_is_explained_and_is_in_groups_like_any_other() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    assert_eq!(owner.ok(&["access", BOT]), owner.ok(&["agent", "secrets", BOT]));
    assert!(owner.ok(&["group", "show", GROUP]).contains(&format!("agents: {BOT}")));
    refused(owner, &["group", "remove", EDGES, BOT], 4, "is not in");
    refused(owner, &["group", "add", EDGES, "canary-bat"], 4, &format!("did you mean {BOT}?"));
    owner.ok(&["api-user", "create", BOT]);
    refused(owner, &["group", "add", EDGES, BOT], 2, "both an identity and an agent");
}

#[test]
fn a_proxy_credential_is_no_way_to_sign_in() {
    let edge = Edge::new(Engine::Sqlite);
    let machine = Machine::new(&edge.world.server.url()).with("KEYWARD_TOKEN", &edge.bot);
    refused(&machine, &["whoami"], 3, "proxy credential of an agent");
    let ended = machine.keyward(&["agent", "secrets", &edge.bot]);
    assert!(!ended.said().contains(edge.bot.get(32..).unwrap()), "{}", ended.said());
}

#[test]
fn only_owners_and_admins_see_agents() {
    let edge = Edge::new(Engine::Sqlite);
    let words: [&[&str]; 3] =
        [&["agent", "list"], &["agent", "secrets", BOT], &["agent", "grant", BOT, ALPHA.0]];
    for words in words {
        refused(&edge.world.robot, words, 9, "only owners and admins");
    }
}

/// The gateway does not list a suspended agent, so no view changes by what is changed about it.
#[test]
fn a_suspended_agent_can_be_changed_and_is_served_as_it_is_then() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    owner.ok(&["agent", "suspend", BOT]);
    let renewed = owner.ok(&["agent", "rotate", BOT]);
    owner.ok(&["agent", "revoke", BOT, BETA.0]);
    assert!(edge.start().live.agent(renewed.trim_end()).is_none());
    owner.ok(&["agent", "resume", BOT]);
    assert_eq!(edge.start().usable(renewed.trim_end()), [ALPHA.0]);
}
