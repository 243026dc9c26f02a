//! S7: what those who run a gateway are told, and web pages are not.

use keyward_gateway::Listener;
use keyward_wire::rule::Host;
use tokio::net::TcpListener;

use crate::lab::agent::{Agent, Answer, basic};
use crate::lab::upstream::echo;
use crate::lab::world::{Plan, SA, World};

/// Asks a control listener of a gateway that was given the name `gateway`.
async fn ask(world: &World, head: &str) -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (gateway, names) = (world.gateway.clone(), vec![Host::parse("gateway").unwrap()]);
    let serving =
        tokio::spawn(async move { gateway.serve_control(Listener::Tcp(listener), names).await.unwrap() });
    let answer = Agent::dial(at).await.ask(format!("{head}\r\n\r\n")).await;
    serving.abort();
    answer
}

pub(super) async fn a_gateway_says_whether_it_is_well_and_which_certificate_is_its_own() {
    let (world, a, _upstream) = World::with(echo()).await;
    let health = ask(&world, "GET /health HTTP/1.1\r\nHost: 127.0.0.1").await;
    assert_eq!((health.status, health.text().as_str()), (200, "{\"status\":\"ok\"}"));
    let ca = ask(&world, "GET /ca.pem HTTP/1.1\r\nHost: gateway:8422").await;
    assert_eq!((ca.status, ca.header("content-type")), (200, Some("application/x-pem-file")));
    assert_eq!(ca.text(), keyward_gateway::ca::pem(&world.ca));
    let head = ask(&world, "OPTIONS /health HTTP/1.1\r\nHost: localhost").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET, HEAD")));
    for path in ["/", "/ca", "/ca.pem/", "/-/A/", "//health"] {
        let answer = ask(&world, &format!("GET {path} HTTP/1.1\r\nHost: localhost")).await;
        assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"), "{path}");
    }
    world.source.go_stale();
    let health = ask(&world, "GET /health HTTP/1.1\r\nHost: 127.0.0.1").await;
    assert_eq!((health.status, health.text().as_str()), (503, "{\"status\":\"grants_stale\"}"));
    world.source.come_back();
    world.still_works(&a).await;
}

pub(super) async fn l9_a_gateway_that_cannot_write_its_log_says_that_it_is_not_well() {
    let mut plan = Plan::new();
    plan.log_is_full = true;
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.error(), "log_failed");
    let health = ask(&world, "GET /health HTTP/1.1\r\nHost: 127.0.0.1").await;
    assert_eq!((health.status, health.text().as_str()), (503, "{\"status\":\"log_failed\"}"));
    assert_eq!(upstream.bytes(), b"");
}

pub(super) async fn s7_a_web_page_is_told_nothing_whichever_way_it_gets_to_the_listener() {
    let (world, a, upstream) = World::with(echo()).await;
    for page in [
        // After a DNS rebinding.
        "GET /ca.pem HTTP/1.1\r\nHost: evil.test:8422",
        "GET /health HTTP/1.1\r\nHost: 127.0.0.1.evil.test",
        "GET http://127.0.0.1:8422/ca.pem HTTP/1.1\r\nHost: 127.0.0.1:8422",
        // Through a form, fetch or an image.
        "POST /health HTTP/1.1\r\nHost: 127.0.0.1:8422\r\nOrigin: https://evil.test\r\nContent-Length: 0",
        "GET /ca.pem HTTP/1.1\r\nHost: 127.0.0.1:8422\r\nOrigin: null",
        "GET /ca.pem HTTP/1.1\r\nHost: 127.0.0.1:8422\r\nSec-Fetch-Site: cross-site",
        "OPTIONS /health HTTP/1.1\r\nHost: 127.0.0.1:8422\r\nOrigin: https://evil.test\r\n\
            Access-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true",
    ] {
        let answer = ask(&world, page).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "foreign_origin"), "{page}");
        assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{page}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{page}");
    }
    // The listener is no proxy, and the proxy has nothing of it.
    let proxied = format!("CONNECT {a} HTTP/1.1\r\nHost: {a}\r\n{}", basic(&world.credential));
    assert_eq!(ask(&world, proxied.trim_end()).await.status, 403);
    for path in ["/health", "/ca.pem"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        assert_eq!(world.dial().await.ask(head).await.status, 404, "{path}");
    }
    assert_eq!(upstream.connections(), 0);
    world.still_works(&a).await;
}
