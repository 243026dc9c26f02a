//! Numbers for Prometheus: on their own listener, true, and without a word about anybody.

use std::net::SocketAddr;

use keyward_tests::engines;
use keyward_tests::http::{Request, send};
use keyward_tests::server::{Engine, Server, wait_until};
use keyward_tests::world::{DEPLOYMENT, World};
use serde_json::json;

engines! {
    fn what_happens_is_counted_and_nobody_is_named(engine) {
        let world = World::on(Server::start_with(engine, &["--metrics-listen", "127.0.0.1:0"]));
        let address = listener(&world.server);
        world.robot.ok(&["deployment", "env-file", DEPLOYMENT, "--stdout"]);
        let wrong = json!({ "cred": "482bd7d9-38e0-4568-99be-6ae3a44d48a2", "auth": "A".repeat(43) });
        let refused = world.server.send(&Request::post("/v1/auth/login", &wrong));
        assert_eq!(refused.status, 401);
        // Methods and paths of one's own making make no lines of their own.
        for n in 0..3 {
            world.server.send(&Request::new(&format!("CANARY{n}"), &format!("/canary-path-{n}")));
        }

        let answer = send(address, &Request::get("/metrics")).unwrap();
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
        };
        let bundle = r#"method="GET",route="/v1/me/bundle""#;
        assert!(value(&format!("keyward_http_requests_total{{{bundle},status=\"200\"}}")) >= 1.0);
        assert!(value(&format!("keyward_http_request_duration_seconds_count{{{bundle}}}")) >= 1.0);
        assert!((value(r#"keyward_http_requests_total{method="OTHER",route="-",status="404"}"#) - 3.0).abs() < 0.1);
        assert!((value(r#"keyward_sign_ins_refused_total{reason="proof"}"#) - 1.0).abs() < 0.1);
        let entries: f64 = world.server.sql("select count(*) from audit").parse().unwrap();
        assert!((value("keyward_audit_entries_total") - entries).abs() < 0.1, "{text}");
        assert!(value("keyward_audit_entries_per_commit_count") <= entries);
        assert!(value(r#"keyward_database_connections{state="open"}"#) >= 1.0);
        let engine = if engine == Engine::Sqlite { "sqlite" } else { "postgres" };
        assert!(text.contains(&format!("engine=\"{engine}\"")) && text.contains("version=\"0."), "{text}");

        let ids = ["orgs", "identities", "keys", "groups", "deployments"].map(|table| {
            world.server.sql(&format!("select {} from {table} limit 1", world.server.hex("id")))
        });
        let named = ["canary", "CANARY", "@", "127.0.0.1", "482bd7d9"].map(str::to_owned);
        for word in ids.iter().chain(&named) {
            assert!(!text.contains(word.as_str()), "{word}: {text}");
        }
        assert!(!text.split(['"', ' ', '\n']).any(|word| word.len() == 36 && word.matches('-').count() == 4));
    }
}

#[test]
fn metrics_are_on_their_own_listener_only_and_only_if_asked_for() {
    let server = Server::start_with(Engine::Sqlite, &["--metrics-listen", "127.0.0.1:0"]);
    let address = listener(&server);
    assert_eq!(server.send(&Request::get("/metrics")).status, 404);
    for (request, status) in [
        (Request::get("/healthz"), 404),
        (Request::get("/v1/me"), 404),
        (Request::new("POST", "/metrics"), 405),
        (Request::get("/metrics"), 200),
    ] {
        assert_eq!(send(address, &request).unwrap().status, status, "{}", request.route());
    }
    let without = Server::start(Engine::Sqlite);
    assert_eq!(without.send(&Request::get("/metrics")).status, 404);
    assert!(!without.log().contains("metrics"), "{}", without.log());
}

fn listener(server: &Server) -> SocketAddr {
    wait_until("the metrics' address", || {
        let log = server.log();
        let (_, rest) = log.split_once("metrics address=")?;
        rest.split_whitespace().next()?.parse().ok()
    })
}
