//! What the server keeps and says of agents, and what it will not take.

use keyward_crypto::new_id;
use keyward_server::ROUTES;
use keyward_tests::engines;
use keyward_tests::http::{Answer, Request};
use keyward_tests::insider::{sign_in, token_halves};
use keyward_tests::leak::{Secret, absent};
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{ALPHA, BETA};
use keyward_wire::{AgentId, KeyId};
use serde_json::{Value, json};

use crate::{BOT, EDGE, Edge, FREE};

fn agents(edge: &Edge, session: &str, known: Option<&str>) -> Answer {
    let request = Request::get("/v1/me/agents?wait_secs=0").by(session);
    edge.world.server.send(&match known {
        Some(tag) => request.header("if-none-match", tag),
        None => request,
    })
}

engines! {
    fn a_gateway_hears_of_its_own_changes_and_of_nobody_elses(engine) {
        let edge = Edge::new(engine);
        let owner = &edge.world.owner;
        let (_, session) = sign_in(&edge.world.server, &token_halves(&edge.token));
        let first = agents(&edge, &session, None);
        let tag = first.of("etag").unwrap().to_owned();
        assert_eq!(agents(&edge, &session, Some(&tag)).status, 304);
        // Nothing of this concerns the gateway, and a waiting request would not be answered.
        let added = owner.keyward_with(&["key", "create", "CANARY_OTHER", "--value-stdin"], b"x");
        assert_eq!(added.code, 0, "{}", added.said());
        owner.ok(&["group", "create", "canary-others"]);
        owner.ok(&["api-user", "create", "canary-other"]);
        owner.ok(&["api-user", "create", "canary-other-edge", "--gateway"]);
        owner.ok(&["agent", "create", "canary-other-bot", "--gateway", "canary-other-edge"]);
        let again = agents(&edge, &session, Some(&tag));
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(agents(&edge, &session, None).body, first.body);
        owner.ok(&["agent", "revoke", BOT, BETA.0]);
        let changed = agents(&edge, &session, Some(&tag));
        assert_eq!(changed.status, 200);
        assert_ne!(changed.of("etag"), Some(tag.as_str()));
    }

    fn what_a_gateway_decided_is_in_the_audit_by_ids_and_only_of_its_own_agents(engine) {
        let edge = Edge::new(engine);
        let owner = &edge.world.owner;
        owner.ok(&["api-user", "create", "canary-other-edge", "--gateway"]);
        owner.ok(&["agent", "create", "canary-other-bot", "--gateway", "canary-other-edge"]);
        let org = edge.world.insider().org;
        let agent = |name: &str| org.agents.iter().find(|one| one.name.as_str() == name).unwrap().id;
        let (_, session) = sign_in(&edge.world.server, &token_halves(&edge.token));
        let tell = |requests: Value| {
            let request = Request::post("/v1/me/agents/requests", &json!({ "requests": requests })).by(&session);
            edge.world.server.send(&request).status
        };
        let key = edge.key(ALPHA.0);
        let injected = json!({ "agent": agent(BOT), "key": key, "decision": "inject", "count": 12 });
        let others = json!({ "agent": agent("canary-other-bot"), "decision": "pass", "count": 777 });
        // It may have been removed since.
        let gone = new_id::<AgentId>();
        let of_gone = json!({ "agent": gone, "key": new_id::<KeyId>(), "decision": "pass", "count": 5 });
        let none = json!({ "agent": agent(BOT), "decision": "tunnel", "count": 0 });
        let more = json!({ "agent": agent(BOT), "key": key, "decision": "inject", "count": 1 });
        assert_eq!(tell(json!([injected, others, more, of_gone, none])), 204);
        assert_eq!(tell(json!([])), 204);
        assert_eq!(tell(vec![injected.clone(); 201].into()), 422);
        for wrong in [json!({ "agent": agent(BOT), "decision": "steal", "count": 1 }), json!({ "host": "a.test" })] {
            assert_eq!(tell(json!([wrong])), 400, "{wrong}");
        }
        let told = owner.ok(&["audit", "list", "--key", ALPHA.0]);
        let line = told.lines().find(|line| line.contains("agent.requests")).unwrap_or_else(|| panic!("{told}"));
        let said = format!("agent {BOT}, key {}, decision:inject, count:13", ALPHA.0);
        assert!(line.contains(EDGE) && line.contains(&said), "{line}");
        let all = owner.ok(&["audit", "list"]);
        assert_eq!(all.matches("agent.requests").count(), 2, "{all}");
        assert!(all.contains(&format!("agent:{gone}, decision:pass, count:5")), "{all}");
        owner.ok(&["audit", "verify"]);
    }

    fn the_server_keeps_ids_and_no_name_credential_or_hash_of_one(engine) {
        let edge = Edge::new(engine);
        let (everything, log) = (edge.world.server.everything(), edge.world.server.log());
        let mut secrets: Vec<Secret> =
            [EDGE, BOT, FREE, ALPHA.0].map(|name| Secret::new("a name", name)).into();
        for (credential, agent) in [(&edge.bot, BOT), (&edge.free, FREE)] {
            let org = edge.world.insider().org;
            let agent = org.agents.iter().find(|one| one.name.as_str() == agent).unwrap();
            secrets.push(Secret::new("a credential", credential.get(32..80).unwrap()));
            secrets.push(Secret::new("a credential's hash", agent.secret_sha256.as_bytes()));
        }
        absent(&secrets, &everything, "the database");
        absent(&secrets, log.as_bytes(), "the log");
    }

    fn s6_a_proxy_credential_is_refused_by_every_route_and_kept_out_of_the_log(engine) {
        let edge = Edge::new(engine);
        let server = &edge.world.server;
        let (_, session) = sign_in(server, &token_halves(&edge.token));
        let refused = |request: &Request| {
            let answer = server.send(request);
            let code = answer.json()["error"]["code"].clone();
            assert_eq!((answer.status, code.as_str()), (400, Some("token_in_request")), "{}", request.route());
        };
        for route in ROUTES {
            let ask = |path: &str| Request::new(route.method.as_str(), path);
            refused(&ask(&format!("{}?x={}", route.path, edge.bot)).by(&session));
            refused(&ask(route.path).by(&format!("Bearer {}", edge.bot)));
            refused(&ask(route.path).header("proxy-authorization", &edge.bot).by(&session));
        }
        refused(&Request::get(&format!("/{}", edge.bot)));
        refused(&Request::post("/v1/auth/login", &json!({ "cred": edge.bot, "auth": "x" })));
        let write = Request::post("/v1/org/write", &json!({ "note": edge.bot })).by(&session);
        assert_eq!(server.send(&write).status, 403, "a gateway writes nothing, whatever it is");
        // As a proxy would be shown it. Base64 is not looked into; it is nobody's session, and nothing writes it down.
        let basic = data_encoding::BASE64.encode(format!("agent:{}", edge.bot).as_bytes());
        let shown = Request::get("/v1/me").header("proxy-authorization", &format!("Basic {basic}"));
        assert_eq!(server.send(&shown).status, 401);
        let log = server.log();
        assert!(log.contains("/v1/me"), "{log}");
        assert!(!log.contains(edge.bot.get(..32).unwrap()) && !log.contains(basic.get(..40).unwrap()));
        let running = edge.start();
        assert!(running.live.stands(&running.client(&edge.bot)), "that it was sent ends nothing");
    }

    fn a_restored_backup_has_the_gateway_and_its_agents(engine) {
        let edge = Edge::new(engine);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup").to_string_lossy().into_owned();
        assert_eq!(edge.world.server.another(&["backup", &file]).code, 0);
        for target in [Engine::Sqlite, Engine::Postgres] {
            let mut restored = Server::start(target);
            restored.stop();
            let ended = restored.another(&["restore", &file]);
            assert_eq!(ended.code, 0, "{}", ended.said());
            restored.restart();
            assert_eq!(restored.another(&["check"]).code, 0);
            let running = edge.start_at(&restored.url(), None).unwrap();
            assert_eq!(running.usable(&edge.bot), [ALPHA.0, BETA.0]);
        }
    }

    fn every_change_of_an_agent_is_audited_by_ids_and_shown_by_names(engine) {
        let edge = Edge::new(engine);
        let owner = &edge.world.owner;
        edge.start();
        owner.ok(&["agent", "rotate", BOT]);
        owner.ok(&["agent", "revoke", BOT, BETA.0]);
        owner.ok(&["agent", "remove", FREE]);
        let listed = owner.ok(&["audit", "list", "--json"]);
        for action in [
            "agent.added",
            "agent.changed",
            "agent.removed",
            "agent_member.added",
            "agent_key.granted",
            "agent_key.revoked",
            "agents.read",
        ] {
            assert!(listed.contains(&format!("\"{action}\"")), "{action} is not in {listed}");
        }
        let shown = owner.ok(&["audit", "list"]);
        assert!(shown.contains(&format!("agent {BOT}")) && shown.contains(&format!("key {BETA}", BETA = BETA.0)));
        let verified = owner.keyward(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}", verified.said());
        let checked = edge.world.server.another(&["check"]);
        assert_eq!(checked.code, 0, "{}", checked.said());
    }
}
