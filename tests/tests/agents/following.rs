//! A gateway that runs learns of every change that touches it, and lets nothing count for ever.

use keyward_cli::fault::Code;
use keyward_gateway::Closed;
use keyward_tests::engines;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP};

use crate::{BOT, EDGE, Edge, FREE, open};

engines! {
    fn what_is_taken_away_is_gone_while_it_runs_and_what_is_given_arrives(engine) {
        let edge = Edge::new(engine);
        let owner = &edge.world.owner;
        let running = edge.start().follow();
        let (alpha, beta) = (edge.key(ALPHA.0), edge.key(BETA.0));
        let client = running.client(&edge.bot);
        owner.ok(&["agent", "revoke", BOT, ALPHA.0]);
        running.until("revoked", |live| open(live, &client, alpha) == Err(Closed::NotGranted));
        assert_eq!(running.open(&edge.bot, beta).as_deref(), Ok(BETA.1), "the other grant stays");
        owner.ok(&["agent", "grant", BOT, ALPHA.0]);
        running.until("granted", |live| open(live, &client, alpha).is_ok());
        owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, BETA.0]);
        running.until("excluded", |live| open(live, &client, beta) == Err(Closed::NotGranted));
        let set = owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"new value");
        assert_eq!(set.code, 0, "{}", set.said());
        running.until("changed", |live| open(live, &client, alpha).as_deref() == Ok("new value"));
        owner.ok(&["agent", "suspend", BOT]);
        running.until("suspended", |live| !live.stands(&client));
        assert!(running.live.agent(&edge.bot).is_none());
        owner.ok(&["agent", "resume", BOT]);
        running.until("resumed", |live| live.stands(&client));
        let renewed = owner.ok(&["agent", "rotate", BOT]);
        running.until("rotated", |live| !live.stands(&client));
        assert!(running.live.agent(&edge.bot).is_none(), "the former credential is none");
        assert_eq!(running.client(renewed.trim_end()).id, client.id);
        assert_eq!(open(&running.live, &client, alpha), Err(Closed::NotGranted), "proved by it, neither");
        owner.ok(&["agent", "remove", BOT]);
        running.until("removed", |live| live.agent(renewed.trim_end()).is_none());
        assert!(running.live.stands(&running.client(&edge.free)), "the other agent is not touched");
    }

    fn a_gateway_that_is_revoked_allows_nothing_and_stops(engine) {
        let edge = Edge::new(engine);
        let running = edge.start().follow();
        let (client, alpha) = (running.client(&edge.free), edge.key(ALPHA.0));
        edge.world.owner.ok(&["api-user", "revoke", EDGE]);
        let (live, code) = running.ended();
        assert_eq!(code, Code::SignIn);
        assert_eq!(open(&live, &client, alpha), Err(Closed::Stale));
        assert!(live.agent(&edge.free).is_none() && !live.stands(&client));
        assert!(edge.world.owner.ok(&["agent", "list", "--json"]).trim() == "[]", "its agents went with it");
    }
}

#[test]
fn a_rule_comes_with_the_value_and_a_changed_one_counts_while_it_runs() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    let words = ["key", "set", ALPHA.0, "--host", "api.example.com", "--inject", "bearer"];
    assert_eq!(owner.keyward(&words).code, 0);
    let running = edge.start().follow();
    let client = running.client(&edge.bot);
    let hosts = |live: &keyward_cli::vault::gateway::Live, name: &str| -> Option<Vec<String>> {
        let usable = live.usable(&client);
        let rule = usable.iter().find(|key| &*key.name == name)?.rule.as_ref()?;
        Some(rule.terms().hosts.iter().map(ToString::to_string).collect())
    };
    assert_eq!(hosts(&running.live, ALPHA.0), Some(vec!["api.example.com".to_owned()]));
    assert_eq!(hosts(&running.live, BETA.0), None, "a key without a rule goes nowhere");
    assert_eq!(running.open(&edge.bot, edge.key(ALPHA.0)).as_deref(), Ok(ALPHA.1));
    assert_eq!(owner.keyward(&["key", "set", ALPHA.0, "--host", "api2.example.com"]).code, 0);
    let other = Some(vec!["api2.example.com".to_owned()]);
    running.until("another rule", |live| hosts(live, ALPHA.0) == other);
    assert_eq!(owner.keyward(&["key", "set", ALPHA.0, "--no-rule"]).code, 0);
    running.until("no rule", |live| hosts(live, ALPHA.0).is_none());
}

#[test]
fn a_write_through_another_server_arrives() {
    let edge = Edge::new(Engine::Postgres);
    let twin = edge.world.server.twin();
    let running = edge.start_at(&twin.url(), None).unwrap().follow();
    let (client, alpha) = (running.client(&edge.bot), edge.key(ALPHA.0));
    assert_eq!(running.open(&edge.bot, alpha).as_deref(), Ok(ALPHA.1));
    edge.world.owner.ok(&["agent", "revoke", BOT, ALPHA.0]);
    running.until("revoked", |live| open(live, &client, alpha) == Err(Closed::NotGranted));
}

#[test]
fn s4_five_minutes_after_the_servers_last_word_nothing_counts_until_it_is_heard_again() {
    let edge = Edge::new(Engine::Sqlite);
    let running = edge.start();
    let (client, alpha) = (running.client(&edge.bot), edge.key(ALPHA.0));
    running.clock.advance(240);
    assert_eq!(open(&running.live, &client, alpha).as_deref(), Ok(ALPHA.1));
    assert!(running.live.stands(&client));
    running.clock.advance(61);
    assert_eq!(open(&running.live, &client, alpha), Err(Closed::Stale));
    assert!(!running.live.stands(&client) && running.live.usable(&client).is_empty());
    let running = running.follow();
    running.until("heard again", |live| open(live, &client, alpha).is_ok());
}

#[test]
fn whoever_waits_for_a_change_is_told_that_nothing_counts_any_more() {
    let mut edge = Edge::new(Engine::Sqlite);
    let running = edge.start().follow();
    let client = running.client(&edge.bot);
    edge.world.server.stop();
    assert!(running.live.stands(&client), "for five minutes");
    running.clock.advance(301);
    running.until("stale", |live| !live.stands(&client));
}

#[test]
fn s9_what_has_an_end_ends_by_the_gateways_own_clock() {
    let edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    let words = ["agent", "create", "brief", "--gateway", EDGE, "--group", GROUP, "--expires", "2m"];
    let brief = owner.ok(&words);
    owner.ok(&["agent", "grant", "brief", ALPHA.0]);
    let running = edge.start();
    let (client, alpha) = (running.client(brief.trim_end()), edge.key(ALPHA.0));
    assert_eq!(open(&running.live, &client, alpha).as_deref(), Ok(ALPHA.1));
    running.clock.advance(121);
    assert!(running.live.agent(brief.trim_end()).is_none());
    assert!(!running.live.stands(&client));
    assert_eq!(open(&running.live, &client, alpha), Err(Closed::NotGranted));
    assert!(running.live.stands(&running.client(&edge.bot)), "nobody else ends with it");
}

#[test]
fn a_gateway_replaced_as_compromised_keeps_its_agents_and_its_old_token_opens_nothing() {
    let mut edge = Edge::new(Engine::Sqlite);
    let owner = &edge.world.owner;
    let ended = owner.keyward(&["api-user", "rotate", EDGE, "--compromised"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    let said = ended.stderr.clone();
    assert!(said.contains("keyward agent rotate") && said.contains(BOT) && said.contains(FREE), "{said}");
    assert_eq!(edge.start_at(&edge.world.server.url(), None).err(), Some(Code::SignIn));
    edge.token = String::from_utf8(ended.stdout).unwrap().trim_end().to_owned();
    let running = edge.start();
    assert_eq!(running.usable(&edge.bot), [ALPHA.0, BETA.0]);
    assert_eq!(running.open(&edge.free, edge.key(EXCLUDED.0)).as_deref(), Ok(EXCLUDED.1));
}

#[test]
fn an_api_user_is_no_gateway() {
    let mut edge = Edge::new(Engine::Sqlite);
    edge.token = edge.world.token.clone();
    assert_eq!(edge.start_at(&edge.world.server.url(), None).err(), Some(Code::Policy));
}
