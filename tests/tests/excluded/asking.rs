//! What an agent learns by asking for what it may not read: nothing, and not even that there is something.

use keyward_crypto::new_id;
use keyward_server::ROUTES;
use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::machine::Machine;
use keyward_tests::server::Server;
use keyward_tests::world::{ALPHA, EXCLUDED, ROBOT, World, sign_up};
use keyward_wire::KeyId;
use serde_json::json;

use crate::{Robot, alike, clean, relations, secrets_request, traces};

/// The addresses that an agent may read.
const READABLE: [&str; 3] = ["/v1/me", "/v1/me/bundle", "/v1/credentials"];

/// Addresses that other servers have, and this one might.
const GUESSES: [&str; 12] = [
    "/v1/keys/{id}",
    "/v1/keys/{id}/versions",
    "/v1/keys/{id}/versions/1",
    "/v1/keys/{id}/history",
    "/v1/secrets/{id}",
    "/v1/secrets/{id}/1",
    "/v1/deployments/{id}",
    "/v1/deployments/{id}/mappings",
    "/v1/groups/{id}",
    "/v1/escrows/{id}",
    "/v1/views/{id}",
    "/v1/me/bundle?deployment={id}",
];

engines! {
    fn ex_02_an_excluded_id_is_answered_as_one_that_nobody_has(engine) {
        let world = World::new(engine);
        let (robot, insider) = (Robot::of(&world), world.insider());
        let (excluded, nobodys): (KeyId, KeyId) = (insider.key(EXCLUDED.0), new_id());
        for guess in GUESSES {
            for method in ["GET", "POST", "DELETE"] {
                let ask = |id: KeyId| {
                    robot.ask(&world, Request::new(method, &guess.replace("{id}", &id.to_string())))
                };
                alike(&ask(excluded), &ask(nobodys), &format!("{method} {guess}"));
            }
        }
        let (one, other) = (secrets_request(&excluded), secrets_request(&nobodys));
        let (one, other) = (robot.ask(&world, one), robot.ask(&world, other));
        assert_eq!(one.status, 403);
        alike(&one, &other, "a version of a key");
        assert_eq!(world.server.send(&secrets_request(&excluded).by(&insider.authorization)).status, 200);
        let unknown = world.server.send(&Request::get("/v1/keys/x"));
        assert_eq!(unknown.status, 404);
    }

    fn ex_03_no_filter_of_what_it_may_ask_for_shows_it(engine) {
        let world = World::new(engine);
        let (robot, traces) = (Robot::of(&world), traces(&world));
        let excluded = world.insider().key(EXCLUDED.0);
        for path in READABLE {
            let honest = robot.ask(&world, Request::get(path));
            assert_eq!(honest.status, 200, "{path}");
            clean(&traces, &honest, path);
            for query in [
                "include=all", "include=excluded", "all=true", "expand=*", "limit=1000", "offset=0", "sort=name",
                "q=CANARY", "search=CANARY_EXCLUDED", "role=owner", "group=", "as=owner", "keys=",
                &format!("ids={excluded}"), &format!("key={excluded}"), &format!("identity={excluded}"),
            ] {
                let answer = robot.ask(&world, Request::get(&format!("{path}?{query}")));
                clean(&traces, &answer, &format!("{path}?{query}"));
                assert!(answer.status >= 400 || answer.body == honest.body, "{path}?{query}: {}", answer.status);
            }
        }
    }

    fn ex_04_every_other_route_says_no_and_shows_no_count(engine) {
        let world = World::new(engine);
        let (robot, traces) = (Robot::of(&world), traces(&world));
        let excluded = world.insider().key(EXCLUDED.0);
        for route in ROUTES {
            let path = route.path.replace("{id}", &excluded.to_string());
            let path = path.replace("{identity}", &excluded.to_string());
            let answer = robot.ask(&world, Request::new(route.method.as_str(), &path));
            clean(&traces, &answer, &path);
            let open = READABLE.contains(&path.as_str()) || !path.starts_with("/v1/");
            if !open && path != "/v1/auth/logout" {
                assert!(answer.status >= 400, "{} {path}: {}", route.method.as_str(), answer.status);
            }
        }
        let health = world.server.send(&Request::get("/readyz"));
        clean(&traces, &health, "/readyz");
    }

    fn ex_14_a_change_of_an_excluded_key_changes_no_etag(engine) {
        let world = World::new(engine);
        let robot = Robot::of(&world);
        let ask = |tag: Option<&str>| {
            let request = Request::get("/v1/me/bundle").by(&robot.proof);
            world.server.send(&match tag {
                Some(tag) => request.header("if-none-match", tag),
                None => request,
            })
        };
        let first = ask(None);
        let tag = first.of("etag").unwrap().to_owned();
        let unchanged = ask(Some(&tag));
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
        assert!(first.of("last-modified").is_none());
        let set = ["key", "set", EXCLUDED.0, "--value-stdin"];
        world.owner.keyward_with(&set, b"another-value").ok(&set);
        world.owner.ok(&["key", "set", EXCLUDED.0, "--tag", "changed"]);
        world.owner.ok(&["key", "rename", EXCLUDED.0, "RENAMED"]);
        alike(&ask(Some(&tag)), &unchanged, "304 after the excluded key changed");
        alike(&ask(None), &first, "200 after the excluded key changed");
        world.owner.ok(&["key", "rename", ALPHA.0, "CANARY_OMEGA"]);
        assert_eq!(ask(Some(&tag)).status, 200, "a change of a readable key does");
    }

    fn ex_16_audit_and_errors_name_nothing(engine) {
        let world = World::new(engine);
        let (robot, traces) = (Robot::of(&world), traces(&world));
        let excluded = world.insider().key(EXCLUDED.0);
        for target in ["/v1/audit".to_owned(), format!("/v1/audit?key={excluded}"), "/v1/audit?limit=1".into()] {
            let answer = robot.ask(&world, Request::get(&target));
            assert_eq!(answer.status, 403, "{target}");
            clean(&traces, &answer, &target);
        }
        for body in [
            json!({ "secrets": [{ "key": excluded, "version": "1" }] }),
            json!({ "secrets": excluded, "key": [excluded] }),
            json!({ "id": excluded, "identity": excluded, "kind": "token", "auth_sha256": excluded, "env": "" }),
            json!({ "cred": excluded, "auth": "x" }),
            json!({ "delta": [{ "do": "remove_exclusion", "key": excluded }] }),
        ] {
            for path in ["/v1/secrets/get", "/v1/credentials", "/v1/auth/login", "/v1/org/write", "/v1/signup"] {
                let answer = robot.ask(&world, Request::post(path, &body));
                assert!(answer.status >= 400, "{path}: {}", answer.status);
                clean(&traces, &answer, &format!("{path} refusing {body}"));
            }
        }
    }

    fn ex_17_an_agent_changes_nothing_whatever_it_sends(engine) {
        let world = World::on(Server::start_with(engine, &["--signup", "open"]));
        let other = Machine::new(&world.server.url());
        sign_up(&other, "Other", "otto@other.example");
        let others = keyward_tests::insider::Insider::open(&world.server, &other);
        let (robot, insider) = (Robot::of(&world), world.insider());
        let before = relations(&world);
        // The write that an owner would be thanked for.
        let mut draft = insider.draft();
        let (group, deployment) = (insider.org.groups[0].id, insider.org.deployments[0].id);
        draft.org.include(group, deployment, &[insider.key(EXCLUDED.0)].into()).unwrap();
        let write = serde_json::to_value(draft.finish(&insider.ok).unwrap().request).unwrap();
        let refused = |request: Request, what: &str| {
            let answer = robot.ask(&world, request);
            assert!(matches!(answer.status, 400 | 401 | 403 | 404 | 405 | 415), "{what}: {}", answer.status);
        };
        refused(Request::post("/v1/org/write", &write), "an owner's write");
        for header in ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"]
        {
            let request = Request::post("/v1/org/write", &write).header(header, "POST");
            refused(request.header("x-forwarded-for", "127.0.0.1").header("x-user", ROBOT), header);
            let read = Request::get("/v1/me").header(header, "/v1/org");
            assert_eq!(robot.ask(&world, read).json()["role"], "viewer", "{header}");
        }
        let promoted = json!({ "role": "owner", "groups": [group], "kind": "human", "not_after": null });
        for (method, path) in [
            ("PATCH", "/v1/me"), ("PUT", "/v1/me"), ("POST", "/v1/me"), ("POST", "/v1/identities"),
            ("POST", "/v1/groups"), ("POST", "/v1/exclusions"), ("DELETE", "/v1/exclusions"), ("POST", "/v1/credentials"),
            ("DELETE", "/v1/me"), ("POST", "/v1/mappings"), ("POST", "/v1/org"), ("PUT", "/v1/org/write"),
        ] {
            let mut request = Request::post(path, &promoted);
            request.method = method.into();
            refused(request, &format!("{method} {path}"));
        }
        let escrow = format!("/v1/escrows/{}", robot.cred.id);
        refused(Request::get(&escrow), "its own ESCROW");
        // A credential of its own, of an owner, of another organisation.
        for (identity, whose) in [(robot.cred.id, "own"), (insider.cred.id, "owner's"), (others.cred.id, "other's")] {
            let env = robot.bundle(&world).cred.unwrap();
            let credential = json!({
                "id": new_id::<KeyId>(), "identity": identity, "kind": "device", "auth_sha256": env.sha256(), "env": env,
                "not_after": keyward_tests::insider::now() + 1000,
            });
            refused(Request::post("/v1/credentials", &credential), whose);
        }
        for halves in [&world.owner, &other].map(keyward_tests::insider::stored_halves) {
            refused(Request::new("DELETE", &format!("/v1/credentials/{}", halves.id)), "another's credential");
        }
        // An owner of another organisation is nobody here.
        let ask = |request: Request| world.server.send(&request.by(&others.authorization));
        assert_eq!(ask(Request::post("/v1/org/write", &write)).status, 409);
        assert_eq!(ask(Request::get(&escrow)).status, 404);
        let answer = ask(secrets_request(&insider.key(ALPHA.0)));
        assert_eq!((answer.status, answer.json()), (200, json!({ "secrets": [] })));
        assert_eq!(relations(&world), before);
    }

    fn ex_24_another_spelling_of_an_id_is_an_unknown_one(engine) {
        let world = World::new(engine);
        let (robot, insider) = (Robot::of(&world), world.insider());
        let own = insider.org.deployments[0].id.to_string();
        let bundle = |id: &str| robot.ask(&world, Request::get(&format!("/v1/me/bundle?deployment={id}")));
        let unknown = bundle(&new_id::<KeyId>().to_string());
        assert_eq!(bundle(&own).json()["secrets"].as_array().unwrap().len(), 2);
        let plain = own.replace('-', "");
        let spellings = |id: &str, plain: &str| {
            vec![
                id.to_uppercase(), format!("%7B{id}%7D"), format!("urn:uuid:{id}"), plain.to_owned(), format!("0{id}"),
                format!("{id}%00"), format!("%20{id}"), format!("{id}/"), format!("{id}%0A"), format!("{id}0"),
            ]
        };
        for spelling in spellings(&own, &plain) {
            alike(&bundle(&spelling), &unknown, &spelling);
        }
        // In a path, to an owner: as an id that nobody has.
        let ask = |path: String| world.server.send(&Request::get(&path).by(&insider.authorization));
        let id = insider.identity(ROBOT).id.to_string();
        assert_eq!(ask(format!("/v1/escrows/{id}")).status, 200);
        let unknown = ask(format!("/v1/escrows/{}", new_id::<KeyId>()));
        assert_eq!(unknown.status, 404);
        let encoded = id.replacen('-', "%2D", 1);
        for spelling in spellings(&id, &id.replace('-', "")).into_iter().chain([encoded]) {
            alike(&ask(format!("/v1/escrows/{spelling}")), &unknown, &spelling);
        }
    }
}
