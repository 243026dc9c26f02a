//! A server that lies to a gateway: it can take away, and nothing else. Rows MS-56, MS-57 of THREATS.md, D20, D26 and D27 of
//! the gateway's attacks.

use keyward_cli::fault::Code;
use keyward_crypto::agent::ProxyCredential;
use keyward_crypto::new_id;
use keyward_gateway::Closed;
use keyward_tests::forge::Forge;
use keyward_tests::http::{Answer, Request};
use keyward_tests::insider::{sign_in, token_halves};
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::server::{Engine, wait_until};
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP, ROBOT};
use keyward_wire::api::bundle::Bundle;
use serde_json::{Value, json};

use crate::{BOT, EDGE, Edge, open};

const AGENTS: &str = "GET /v1/me/agents";
const BUNDLE: &str = "GET /v1/me/bundle";

/// A gateway that believes to talk to its server.
struct Trap {
    edge: Edge,
    liar: Liar,
}

impl Trap {
    fn new() -> Self {
        let edge = Edge::new(Engine::Sqlite);
        let liar = edge.liar();
        Self { edge, liar }
    }

    /// Starts the gateway.
    fn start(&self) -> Result<crate::Running, Code> {
        self.edge.start_at(&self.liar.url(), None)
    }

    /// Checks that the gateway, told this lie, refuses with this code and asks nothing more.
    fn refused(&self, code: Code, lie: &str) {
        assert_eq!(self.start().err(), Some(code), "{lie}");
        let asked = self.liar.routes();
        assert_eq!(asked.last().map(String::as_str), Some(BUNDLE), "{lie}: it asked {asked:?}");
        self.liar.reform();
    }

    fn bundle(&self) -> Bundle {
        self.edge.world.bundle(&self.edge.token)
    }

    fn serve(&self, bundle: &Bundle) {
        self.liar.answer(BUNDLE, json_answer(&serde_json::to_string(bundle).unwrap()));
    }

    fn tamper(&self, route: &str, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.liar.change(route, move |answer| answer.edit(&change));
    }

    /// The honest answer of before, to be served again.
    fn answer(&self, route: &str) -> Answer {
        let (_, session) = sign_in(&self.edge.world.server, &token_halves(&self.edge.token));
        let path = route.strip_prefix("GET ").unwrap();
        self.edge.world.server.send(&Request::get(path).by(&session))
    }
}

fn json_answer(text: &str) -> Answer {
    Answer::new(200, text).header("content-type", "application/json")
}

#[test]
fn through_an_honest_proxy_everything_works() {
    let trap = Trap::new();
    let running = trap.start().unwrap();
    assert_eq!(running.usable(&trap.edge.bot), [ALPHA.0, BETA.0]);
    assert_eq!(trap.liar.routes(), ["POST /v1/auth/login", AGENTS, BUNDLE]);
}

#[test]
fn ms_56_a_list_that_names_more_than_the_view_allows_gives_nothing() {
    let trap = Trap::new();
    let (excluded, stranger) = (trap.edge.key(EXCLUDED.0), ProxyCredential::generate(new_id()));
    let made_up = json!({ "id": new_id::<keyward_wire::AgentId>(), "keys": [excluded] });
    trap.tamper(AGENTS, move |answer| {
        for agent in answer["agents"].as_array_mut().unwrap() {
            agent["keys"].as_array_mut().unwrap().push(json!(excluded));
        }
        answer["agents"].as_array_mut().unwrap().push(made_up.clone());
    });
    let running = trap.start().unwrap();
    assert_eq!(running.usable(&trap.edge.bot), [ALPHA.0, BETA.0]);
    assert_eq!(running.open(&trap.edge.bot, excluded), Err(Closed::NotGranted));
    assert!(running.live.agent(&stranger.encode()).is_none());
}

#[test]
fn ms_56_what_the_list_does_not_name_is_denied_though_the_view_allows_it() {
    let trap = Trap::new();
    let (alpha, beta) = (trap.edge.key(ALPHA.0), trap.edge.key(BETA.0));
    trap.tamper(AGENTS, move |answer| {
        for agent in answer["agents"].as_array_mut().unwrap() {
            agent["keys"].as_array_mut().unwrap().retain(|key| *key != json!(alpha));
        }
    });
    let running = trap.start().unwrap();
    assert_eq!(running.open(&trap.edge.bot, alpha), Err(Closed::NotGranted));
    assert_eq!(running.open(&trap.edge.bot, beta).as_deref(), Ok(BETA.1));
    trap.tamper(AGENTS, |answer| answer["agents"] = json!([]));
    let running = trap.start().unwrap();
    assert!(running.live.agent(&trap.edge.bot).is_none());
}

#[test]
fn ms_57_d27_agents_beside_the_sealed_view_are_not_read() {
    let trap = Trap::new();
    let stranger = ProxyCredential::generate(new_id());
    let made_up = json!([{
        "id": new_id::<keyward_wire::AgentId>(),
        "name": "stranger",
        "secret_sha256": stranger.sha256(),
        "keys": [{ "key": trap.edge.key(ALPHA.0) }],
    }]);
    trap.tamper(BUNDLE, move |bundle| {
        for at in ["", "view", "grant"] {
            let place = if at.is_empty() { &mut *bundle } else { &mut bundle[at] };
            place["agents"] = made_up.clone();
            place["inject"] = json!({ "v": 1, "hosts": ["evil.test"] });
        }
        for secret in bundle["secrets"].as_array_mut().unwrap() {
            secret["inject"] = json!({ "v": 1, "hosts": ["evil.test"] });
        }
    });
    let running = trap.start().unwrap();
    assert!(running.live.agent(&stranger.encode()).is_none());
    assert_eq!(running.usable(&trap.edge.bot), [ALPHA.0, BETA.0]);
    assert_eq!(running.open(&trap.edge.bot, trap.edge.key(ALPHA.0)).as_deref(), Ok(ALPHA.1));
}

/// Whoever reads with the group's key to its view could seal another: it is not the gateway's.
#[test]
fn d27_the_view_and_grant_of_somebody_else_are_refused() {
    let trap = Trap::new();
    let mut mixed = trap.bundle();
    let robot = trap.edge.world.bundle(&trap.edge.world.token);
    (mixed.grant, mixed.view) = (robot.grant.clone(), robot.view.clone());
    trap.serve(&mixed);
    trap.refused(Code::Integrity, "another reader's grant and view");
    let mut mixed = trap.bundle();
    mixed.view = robot.view;
    trap.serve(&mixed);
    trap.refused(Code::Integrity, "another reader's view");
}

#[test]
fn d20_values_that_are_swapped_old_or_missing_are_refused() {
    let trap = Trap::new();
    let old = trap.bundle();
    let mut swapped = old.clone();
    let (first, second) = (swapped.secrets[0].env.clone(), swapped.secrets[1].env.clone());
    (swapped.secrets[0].env, swapped.secrets[1].env) = (second, first);
    trap.serve(&swapped);
    trap.refused(Code::Integrity, "two values swapped");
    let mut less = old.clone();
    less.secrets.pop();
    trap.serve(&less);
    trap.refused(Code::Missing, "one value left out");
    let set = trap.edge.world.owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"newer");
    assert_eq!(set.code, 0, "{}", set.said());
    let mut mixed = trap.bundle();
    mixed.secrets.clone_from(&old.secrets);
    trap.serve(&mixed);
    trap.refused(Code::Integrity, "the version before");
    let mut flipped = trap.bundle();
    flipped.view.as_mut().unwrap().env = flipped.secrets[0].env.clone();
    trap.serve(&flipped);
    trap.refused(Code::Integrity, "a value for the view");
}

/// The former rule named another host. It is sealed with the former value, so it is of another version.
#[test]
fn d20_d26_the_rule_of_before_is_refused() {
    let trap = Trap::new();
    let owner = &trap.edge.world.owner;
    let set = |host| owner.keyward(&["key", "set", ALPHA.0, "--inject", "bearer", "--host", host]);
    assert_eq!(set("old.example.com").code, 0);
    let older = trap.bundle();
    assert_eq!(set("api.example.com").code, 0);
    let alpha = trap.edge.key(ALPHA.0);
    let mut mixed = trap.bundle();
    for secret in &mut mixed.secrets {
        if secret.key == alpha {
            *secret = older.secrets.iter().find(|other| other.key == alpha).unwrap().clone();
        }
    }
    trap.serve(&mixed);
    trap.refused(Code::Integrity, "the rule of before");
}

/// The state of before was true once, and gave more.
#[test]
fn d26_an_older_state_is_refused_and_takes_everything_away() {
    let trap = Trap::new();
    let home = tempfile::tempdir().unwrap();
    let memory = home.path().join("memory");
    let (old, old_list) = (trap.bundle(), trap.answer(AGENTS));
    let running = trap.edge.start_at(&trap.liar.url(), Some(&memory)).unwrap().follow();
    let (client, alpha, beta) =
        (running.client(&trap.edge.bot), trap.edge.key(ALPHA.0), trap.edge.key(BETA.0));
    trap.edge.world.owner.ok(&["agent", "revoke", BOT, ALPHA.0]);
    running.until("revoked", |live| open(live, &client, alpha) == Err(Closed::NotGranted));
    wait_until("the newer view has arrived", || {
        (running.live.seq() > Some(old.grant.as_ref().unwrap().seq)).then_some(())
    });
    trap.serve(&old);
    trap.liar.answer(AGENTS, old_list);
    let (live, code) = running.ended();
    assert_eq!(code, Code::Stale);
    assert_eq!(open(&live, &client, alpha), Err(Closed::Stale));
    assert_eq!(open(&live, &client, beta), Err(Closed::Stale), "what verified before does not count, either");
    assert_eq!(trap.liar.routes().last().map(String::as_str), Some(BUNDLE), "and nothing more is asked");
    let again = trap.edge.start_at(&trap.liar.url(), Some(&memory));
    assert_eq!(again.err(), Some(Code::Stale), "started anew, it remembers");
}

/// An exclusion that was undone by showing the view of before, with a list that is up to date.
#[test]
fn d26_an_exclusion_cannot_be_undone_with_the_view_of_before() {
    let trap = Trap::new();
    let old = trap.bundle();
    trap.edge.world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
    trap.serve(&old);
    // Without any memory: the list itself says that there is a newer grant.
    trap.refused(Code::Stale, "an older view than the list names");
    trap.serve(&old);
    let seq = old.grant.as_ref().unwrap().seq;
    trap.tamper(AGENTS, move |answer| answer["grant_seq"] = json!(seq));
    let running = trap.start().unwrap();
    let alpha = trap.edge.key(ALPHA.0);
    assert_eq!(running.open(&trap.edge.bot, alpha), Err(Closed::NotGranted), "the list takes it away");
}

/// Somebody with the organisation's keys seals what no honest client would: a key that is not in the view.
#[test]
fn a_grant_beyond_the_gateways_own_view_gives_nothing() {
    let trap = Trap::new();
    let insider = trap.edge.world.insider();
    let stranger: keyward_wire::KeyId = new_id();
    let forged = Forge::new(&insider, EDGE, trap.bundle())
        .view(|view| {
            let id = data_encoding::BASE64URL_NOPAD.encode(stranger.as_bytes());
            view["agents"][0]["keys"].as_array_mut().unwrap().push(json!({ "key": id }));
        })
        .grant(|_| ())
        .bundle;
    trap.serve(&forged);
    trap.tamper(AGENTS, move |answer| {
        for agent in answer["agents"].as_array_mut().unwrap() {
            agent["keys"].as_array_mut().unwrap().push(json!(stranger));
        }
    });
    let running = trap.start().unwrap();
    for credential in [&trap.edge.bot, &trap.edge.free] {
        assert_eq!(running.open(credential, stranger), Err(Closed::NotGranted));
        assert!(running.usable(credential).len() >= 2);
    }
}

/// A tightening that this version does not know, such as an approval, is not dropped: the whole view is refused.
#[test]
fn a_view_that_says_more_of_a_grant_than_is_known_is_refused() {
    let trap = Trap::new();
    let insider = trap.edge.world.insider();
    let forged = Forge::new(&insider, EDGE, trap.bundle())
        .view(|view| view["agents"][0]["keys"][0]["approval"] = json!("always"))
        .grant(|_| ())
        .bundle;
    trap.serve(&forged);
    trap.refused(Code::Integrity, "an unknown tightening");
}

#[test]
fn a_server_that_is_not_well_takes_nothing_away_at_once_and_one_that_says_no_does() {
    let trap = Trap::new();
    let running = trap.start().unwrap().follow();
    let (client, alpha) = (running.client(&trap.edge.bot), trap.edge.key(ALPHA.0));
    // The server when it is not well, and what others say in its place.
    for (status, body) in [(503, "{}"), (404, "<html>no such page</html>")] {
        trap.liar.answer("*", Answer::new(status, body));
        let turned_away = |reply: &[u8]| {
            reply.starts_with(format!("HTTP/1.1 {status}").as_bytes()) && reply.ends_with(body.as_bytes())
        };
        wait_until("it was turned away", || {
            trap.liar.traffic().iter().any(|exchange| turned_away(&exchange.reply)).then_some(())
        });
        assert_eq!(open(&running.live, &client, alpha).as_deref(), Ok(ALPHA.1), "{status}");
    }
    trap.liar.reform();
    let no = r#"{"error":{"code":"forbidden","message":"no"}}"#;
    trap.liar.answer(AGENTS, Answer::new(403, no));
    let (live, code) = running.ended();
    assert_eq!(code, Code::Policy);
    assert_eq!(open(&live, &client, alpha), Err(Closed::Stale));
}

/// The new credential stands in a view that does not come: the list alone cannot say that the former one is in wrong hands.
#[test]
fn s3_a_credential_that_was_rotated_counts_for_seconds_though_the_new_view_is_held_back() {
    let trap = Trap::new();
    let running = trap.start().unwrap().follow();
    let client = running.client(&trap.edge.bot);
    trap.liar.answer(BUNDLE, Answer::new(503, "{}"));
    let renewed = trap.edge.world.owner.ok(&["agent", "rotate", BOT]);
    wait_until("the new view was asked for", || {
        trap.liar.routes().iter().skip(3).any(|route| route == BUNDLE).then_some(())
    });
    running.clock.advance(6);
    assert!(!running.live.stands(&client) && !running.live.is_current());
    assert_eq!(open(&running.live, &client, trap.edge.key(ALPHA.0)), Err(Closed::Stale));
    trap.liar.reform();
    running.until("the new one counts", |live| {
        live.agent(renewed.trim_end()).is_some_and(|one| live.stands(&one))
    });
    assert!(!running.live.stands(&client) && running.live.agent(&trap.edge.bot).is_none());
}

/// A server that is behind the one that named the newer view, which did not hand it out.
#[test]
fn a_server_that_lags_behind_gives_back_what_it_knows() {
    let trap = Trap::new();
    let (former, bundle) = (trap.answer(AGENTS), trap.bundle());
    let running = trap.start().unwrap().follow();
    trap.liar.answer(BUNDLE, Answer::new(503, "{}"));
    trap.edge.world.owner.ok(&["agent", "revoke", BOT, BETA.0]);
    running.until("the newer view was named", |_| {
        trap.liar.routes().iter().skip(3).any(|route| route == BUNDLE)
    });
    running.clock.advance(6);
    assert!(!running.live.is_current());
    trap.liar.answer(AGENTS, former);
    trap.serve(&bundle);
    running.until("the view of before counts again", keyward_cli::vault::gateway::Live::is_current);
}

/// What took long to arrive was true when it was asked for; since then, nobody knows.
#[test]
fn s4_the_servers_word_is_as_old_as_the_question() {
    let trap = Trap::new();
    let running = trap.start().unwrap();
    let client = running.client(&trap.edge.bot);
    let clock = std::sync::Arc::clone(&running.clock);
    // On its way, the first answer takes four minutes; after it none comes.
    let first = std::sync::atomic::AtomicBool::new(true);
    trap.liar.change(AGENTS, move |answer| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            clock.advance(240);
        } else {
            *answer = Answer::new(503, "{}");
        }
    });
    trap.edge.world.owner.ok(&["agent", "revoke", BOT, BETA.0]);
    let running = running.follow();
    running.until("the answer has arrived", |live| live.usable(&client).len() == 1);
    running.clock.advance(70);
    assert!(!running.live.is_current(), "310 seconds after it was asked");
}

/// Others took all the places in which one waits. That is no silence, and changes arrive all the same.
#[test]
fn a_server_without_a_place_to_wait_is_looked_at_instead() {
    let trap = Trap::new();
    let running = trap.start().unwrap();
    let no_place = r#"{"error":{"code":"too_many","message":"no"}}"#;
    trap.liar.lie(AGENTS, move |request, honest| {
        let waits = !request.target.ends_with("wait_secs=0");
        Reply::Whole(if waits { Answer::new(429, no_place) } else { honest(request) })
    });
    let running = running.follow();
    let (client, alpha) = (running.client(&trap.edge.bot), trap.edge.key(ALPHA.0));
    trap.edge.world.owner.ok(&["agent", "revoke", BOT, ALPHA.0]);
    running.until("revoked", |live| open(live, &client, alpha) == Err(Closed::NotGranted));
    let waits = trap.liar.traffic().iter().filter(|one| one.reply.starts_with(b"HTTP/1.1 429")).count();
    assert!(waits < 3, "it does not ask for a place at every turn: {waits}");
}

/// Nothing that would be worth stealing goes to the server, and no name either.
#[test]
fn what_a_gateway_sends_holds_no_secret_and_no_name() {
    let trap = Trap::new();
    let running = trap.start().unwrap().follow();
    let (client, alpha) = (running.client(&trap.edge.bot), trap.edge.key(ALPHA.0));
    trap.edge.world.owner.ok(&["agent", "revoke", BOT, ALPHA.0]);
    running.until("revoked", |live| open(live, &client, alpha) == Err(Closed::NotGranted));
    let sent: Vec<u8> = trap.liar.bytes();
    let text = String::from_utf8_lossy(&sent);
    for secret in [&trap.edge.token, &trap.edge.bot, &trap.edge.free] {
        let middle: String = secret.chars().skip(32).take(40).collect();
        assert!(!text.contains(&middle));
    }
    for name in [BOT, EDGE, ROBOT, ALPHA.0, ALPHA.1] {
        assert!(!text.contains(name), "{name}");
    }
}
