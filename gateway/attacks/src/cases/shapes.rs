//! P: requests that two programs could read differently.

use keyward_wire::rule::{Injection, Terms};

use crate::lab::upstream::{echo, script};
use crate::lab::world::{Plan, SA, World};

/// Sends `request`, with `{a}` for the host, in a tunnel of its own; the first answer is 400, and there is no second.
async fn is_malformed(world: &World, a: &str, request: &str) {
    let mut agent = world.tunnel(a).await;
    agent.say(request.replace("{a}", a)).await;
    let answer = agent.answer().await.unwrap_or_else(|| panic!("no answer to {request:?}"));
    assert!(matches!(answer.status, 400 | 431), "{request:?}: {answer:?}");
    assert!(agent.answer().await.is_none(), "{request:?}: the connection goes on");
}

pub(super) async fn p6_p7_p8_smuggling_shapes_are_400_and_close() {
    let (world, a, upstream) = World::with(echo()).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: {a}\r\n\r\n";
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Content-Length: 0\r\nContent-Length: 40",
        "Content-Length: +40",
        "X: a\r",
        "Content-Length: 40,40",
        "X: y\r\n z: obs-fold",
        "X: a\0b",
        "X\u{e9}: y",
        "Host: {a}",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: {{a}}\r\n{head}\r\n\r\n0\r\n\r\n{smuggled}");
        is_malformed(&world, &a, &request).await;
    }
    for request in [
        format!("GET / HTTP/1.1\r\nHost: {{a}}\r\nContent-Length: 37\r\n\r\n{smuggled}"),
        format!("GET / HTTP/1.1\nHost: {{a}}\n\n{smuggled}"),
        format!("GET / HTTP/1.1\r\nX: a\rb\r\nHost: {{a}}\r\n\r\n{smuggled}"),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: {a}\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nConnection: upgrade\r\n\r\n"
            .to_owned(),
        "GET / HTTP/1.1\r\nHost: {a}\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nHost: {{a}}\r\nX: {}\r\n\r\n", "y".repeat(70_000)),
        format!("GET / HTTP/1.1\r\nHost: {{a}}\r\n{}\r\n", "X: y\r\n".repeat(101)),
    ] {
        is_malformed(&world, &a, &request).await;
    }
    assert!(!upstream.text().contains("smuggled"));
    assert_eq!(upstream.connections(), 0);
    assert_eq!(world.refusals().len(), 23, "each is in the log, once");
    world.still_works(&a).await;
}

pub(super) async fn p7_odd_frames_of_a_chunked_body_end_request_and_connection() {
    let (world, a, upstream) = World::with(echo()).await;
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5;\nx\r\nhello\r\n0\r\n\r\n",
    ] {
        let mut agent = world.tunnel(&a).await;
        agent.say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nTransfer-Encoding: chunked\r\n\r\n{body}GET /smuggled HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
        if let Some(answer) = agent.answer().await {
            assert!(answer.status >= 400, "{body:?}: {answer:?}");
            assert!(agent.answer().await.is_none(), "{body:?}");
        }
    }
    assert!(!upstream.text().contains("smuggled"));
    world.still_works(&a).await;
}

pub(super) async fn p1_p2_a_target_arrives_as_it_was_sent_or_not_at_all() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    for target in [
        "/a",
        "/a/",
        "/a;b/c",
        "/%E4",
        "/a?x=/../y",
        "/a?x=%2e%2e//",
        "/a?",
        "/?%ff",
        "/:@!$&'()*+,=",
        "/a?b?c",
    ] {
        let answer = agent.get(&a, target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert!(upstream.text().contains(&format!("GET {target} HTTP/1.1\r\n")), "{target}");
    }
    for target in [
        "/v1/../admin",
        "/%2e%2e/admin",
        "/%2E%2E%2Fadmin",
        "/..%2fadmin",
        "/%252e%252e/x",
        "/..;/admin",
        "/..\\admin",
        "/%5cadmin",
        "//admin",
        "/./admin",
        "/%61dmin",
        "/admin%00",
        "/a#b",
        "/a|b",
        "/{a}",
        "/a^b",
        "/a\"b",
    ] {
        let answer = world.tunnel(&a).await.get(&a, target).await;
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
    }
    world.still_works(&a).await;
}

pub(super) async fn p4_r12_b6_methods_that_show_the_request_or_lead_elsewhere_are_405() {
    let (world, a, upstream) = World::with(echo()).await;
    for method in ["TRACE", "TRACK", "DEBUG"] {
        let answer = world.tunnel(&a).await.ask(format!("{method} / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
        assert_eq!(answer.status, 405, "{method}");
        let answer = world.dial().await.ask(format!("{method} / HTTP/1.1\r\nHost: gateway\r\n\r\n")).await;
        assert_eq!(answer.status, 405, "{method} to the gateway");
    }
    let options = format!("OPTIONS / HTTP/1.1\r\nHost: {a}\r\nMax-Forwards: 0\r\n\r\n");
    assert_eq!(world.tunnel(&a).await.ask(options).await.status, 405);
    // No tunnel inside a tunnel.
    let inner = format!("CONNECT {a} HTTP/1.1\r\nHost: {a}\r\n\r\n");
    assert_eq!(world.tunnel(&a).await.ask(inner).await.status, 405);
    for method in ["get", "PATCH2"] {
        let answer = world.tunnel(&a).await.ask(format!("{method} / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
        assert_eq!(answer.error(), "blocked_by_policy", "{method}");
    }
    assert_eq!(upstream.connections(), 0);
}

pub(super) async fn p10_pipelined_requests_are_judged_alone_and_answered_in_order() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    let get = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    agent.say([get("/1", &a), get("/2", "x.test"), get("/3", &a)].concat()).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(agent.answer().await.unwrap().status);
    }
    assert_eq!(statuses, [200, 421, 200]);
    assert!(
        upstream.text().contains("/1 ")
            && upstream.text().contains("/3 ")
            && !upstream.text().contains("/2 ")
    );
}

pub(super) async fn p11_p12_the_keys_header_is_there_exactly_once_whatever_the_agent_sends() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    for headers in [
        "Connection: authorization, x-api-key, host\r\n",
        "Authorization: Bearer mine\r\nauthorization: Basic mine\r\nAUTHORIZATION: mine\r\n",
    ] {
        let before = upstream.text().matches(SA).count();
        let answer = agent.ask(format!("GET / HTTP/1.1\r\nHost: {a}\r\n{headers}\r\n")).await;
        assert_eq!(answer.status, 200, "{headers:?}");
        assert_eq!(upstream.text().matches(SA).count(), before + 1, "{headers:?}");
    }
    assert!(!upstream.text().contains("mine"));
}

pub(super) async fn p14_d7_s2_headers_of_the_gateway_and_of_proxies_end_there() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    let headers = [
        "X-Keyward-Test: 1",
        "X-OneCLI-Test: 1",
        "Via: 1.1 x",
        "X-Real-IP: 127.0.0.1",
        "X-Forwarded-Host: x.test",
        "Forwarded: host=x.test",
        "X-Original-URL: /admin",
        "X-HTTP-Method-Override: DELETE",
        "X_HTTP_Method_Override: DELETE",
        "X_Forwarded-Host: x.test",
        "Transfer_Encoding: chunked",
        "Content_Length: 0",
        "X.HTTP.Method.Override: DELETE",
        "X+Forwarded+Host: x.test",
        "X.Original.URL: /admin",
        "Transfer~Encoding: chunked",
        "Proxy-Connection: close",
        "Proxy-Authorization: Basic eDprd3AxX3g=",
        "Expect: 100-continue",
        "TE: gzip",
    ];
    let answer = agent
        .ask(format!(
            "POST / HTTP/1.1\r\nHost: {a}\r\n{}\r\nContent-Length: 2\r\n\r\nhi",
            headers.join("\r\n")
        ))
        .await;
    assert_eq!(answer.status, 200);
    let text = upstream.text().to_lowercase();
    for header in headers {
        let name = header.split(':').next().unwrap().to_lowercase();
        assert!(!text.contains(&format!("\n{name}:")), "{name}: {text}");
    }
}

pub(super) async fn p15_trailers_of_a_request_are_dropped() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    let body = "5\r\nhello\r\n0\r\nAuthorization: Bearer mine\r\n\r\n";
    let answer = agent.ask(format!("POST / HTTP/1.1\r\nHost: {a}\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n{body}")).await;
    assert_eq!(answer.status, 200);
    assert!(upstream.text().contains("hello") && !upstream.text().contains("mine"));
}

pub(super) async fn p17_an_upstream_that_answers_in_two_ways_is_cut_off_and_its_connection_never_used_again()
{
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (lie, status) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
                .to_owned(),
            502,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok".to_owned(), 502),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nok".to_owned(), 502),
        ("<html>an answer of HTTP/0.9</html>\r\n\r\n".to_owned(), 502),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned(), 502),
        (format!("{ok}{ok}"), 200),
        (format!("HTTP/1.1 204 No Content\r\n\r\n{ok}"), 204),
        (format!("HTTP/1.1 204 No Content\r\nContent-Length: {}\r\n\r\n{ok}", ok.len()), 204),
        (format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{ok}"), 304),
    ] {
        let said = lie.clone();
        let liar = script(move |mut talk| {
            let said = said.clone();
            async move {
                while let Some(head) = talk.head().await {
                    if head.contains("/fine") {
                        talk.answer("200 OK", "", "fine").await;
                    } else {
                        talk.say(&said).await;
                    }
                }
            }
        });
        let (world, a, upstream) = World::with(liar).await;
        let mut agent = world.tunnel(&a).await;
        let answer = agent.get(&a, "/lie").await;
        assert_eq!(answer.status, status, "{lie:?}: {answer:?}");
        assert!(status != 204 || answer.header("content-length").is_none(), "{answer:?}");
        let answer = world.tunnel(&a).await.get(&a, "/fine").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "fine"), "{lie:?}");
        assert_eq!(upstream.connections(), 2, "{lie:?}");
    }
}

pub(super) async fn p5_a_batch_or_a_mutation_is_no_way_around_a_rule_that_only_reads() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let reads = |terms: &mut Terms| {
        terms.methods = Some(vec!["GET".parse().unwrap()]);
        terms.paths = Some(vec!["/v1/*".parse().unwrap()]);
    };
    plan.source.grant(&plan.agent, "A", SA, &[&a], vec![Injection::bearer()], reads);
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    assert_eq!(agent.get(&a, "/v1/x").await.status, 200);
    let before = upstream.bytes().len();
    let body = "[{\"method\":\"DELETE\",\"path\":\"/v1/x\"}]";
    for (method, path, header) in [
        ("POST", "/$batch", ""),
        ("POST", "/batch", ""),
        ("POST", "/graphql", ""),
        ("POST", "/v1/graphql", ""),
        ("POST", "/v1/x", "X-HTTP-Method-Override: GET\r\n"),
        ("POST", "/v1/x?_method=GET", ""),
        ("PUT", "/v1/x", ""),
        ("OPTIONS", "/v1/x", ""),
    ] {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {a}\r\n{header}Content-Length: {length}\r\n\r\n");
        let answer = world.tunnel(&a).await.ask(head + body).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "blocked_by_policy"), "{method} {path}");
    }
    for path in ["/v1beta", "/v2/x", "/$batch?x=/v1/", "/V1/x"] {
        assert_eq!(world.tunnel(&a).await.get(&a, path).await.error(), "blocked_by_policy", "{path}");
    }
    assert_eq!(upstream.bytes().len(), before);
}
