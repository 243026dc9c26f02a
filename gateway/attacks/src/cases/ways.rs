//! The ways in and out: base-URL mode, absolute targets, Unix sockets, egress, a proxy of the gateway's own.

use data_encoding::BASE64;
use keyward_gateway::{Egress, Listener, UpstreamProxy};
use keyward_wire::rule::Authority;
use zeroize::Zeroizing;

use crate::lab::agent::{Agent, basic};
use crate::lab::upstream::{echo, script};
use crate::lab::world::{Plan, SA, World};

pub(super) async fn base_url_mode_serves_a_client_that_knows_no_proxy() {
    let (world, a, upstream) = World::with(echo()).await;
    let ways = [
        format!("Authorization: Bearer {}", world.credential),
        format!("Authorization: Basic {}", BASE64.encode(format!("x:{}", world.credential).as_bytes())),
        format!("X-Api-Key: {}", world.credential),
        format!("Proxy-Authorization: Bearer {}", world.credential),
    ];
    let mut agent = world.dial().await;
    for (count, way) in ways.iter().enumerate() {
        let answer =
            agent.ask(format!("GET /-/A/v1/x?q={count} HTTP/1.1\r\nHost: 127.0.0.1\r\n{way}\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{way}: {answer:?}");
        assert!(
            upstream.text().contains(&format!("GET /v1/x?q={count} HTTP/1.1\r\n")),
            "{}",
            upstream.text()
        );
    }
    let text = upstream.text();
    assert!(
        text.contains(&format!("host: {a}\r\n"))
            && !text.contains(&world.credential)
            && !text.contains("/-/")
    );
    assert_eq!(text.matches(SA).count(), ways.len());
    assert_eq!(upstream.connections(), 1);
}

pub(super) async fn base_url_mode_has_the_same_checks() {
    let (world, _a, upstream) = World::with(echo()).await;
    let auth = format!("Authorization: Bearer {}\r\n", world.credential);
    for (target, auth, status) in [
        ("/-/A/", "", 401),
        ("/-/A/", "Authorization: Bearer kwp1_wrong\r\n", 401),
        ("/-/A/", "Authorization: Bearer sk-something\r\n", 401),
        ("/-/B/", auth.as_str(), 403),
        ("/-/A/v1/../x", auth.as_str(), 400),
        ("/-/A//x", auth.as_str(), 400),
        ("/-/A/../A/x", auth.as_str(), 400),
        ("/-/", "", 401),
        ("/-//", auth.as_str(), 404),
        ("/", auth.as_str(), 404),
        ("/metrics", "", 404),
    ] {
        let answer =
            world.dial().await.ask(format!("GET {target} HTTP/1.1\r\nHost: gateway\r\n{auth}\r\n")).await;
        assert_eq!(answer.status, status, "{target} {auth}: {answer:?}");
    }
    // What it may use an agent is told, by name and host and no more.
    let listed = world.dial().await.ask(format!("GET /-/ HTTP/1.1\r\nHost: gateway\r\n{auth}\r\n")).await;
    assert!(
        listed.status == 200 && listed.text().contains("\"name\":\"A\"") && !listed.text().contains(SA),
        "{listed:?}"
    );
    assert_eq!(upstream.connections(), 0);
    // Without a path, it is the root.
    let answer = world.dial().await.ask(format!("GET /-/A HTTP/1.1\r\nHost: gateway\r\n{auth}\r\n")).await;
    assert_eq!(answer.status, 200);
    assert!(upstream.text().starts_with("GET / HTTP/1.1\r\n"));
}

pub(super) async fn s2_base_url_mode_takes_the_credential_from_the_place_of_the_key_in_a_target() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    for (name, place) in [("Q", "query:key"), ("P", "path:/bot{v}/")] {
        plan.source.grant(&plan.agent, name, SA, &[&a], vec![place.parse().unwrap()], |_| ());
    }
    let world = plan.start().await;
    let own = &world.credential;
    for (target, sent) in [
        (format!("/-/Q/v1?key={own}&x=1"), format!("/v1?key={SA}&x=1")),
        (format!("/-/P/bot{own}/getMe"), format!("/bot{SA}/getMe")),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: gateway\r\n\r\n");
        assert_eq!(world.dial().await.ask(request).await.status, 200, "{target}");
        assert!(upstream.text().contains(&format!("GET {sent} HTTP/1.1\r\n")), "{}", upstream.text());
    }
    let wrong = own.replace("kwp1_", "kwp1_x");
    let request = format!("GET /-/P/bot{wrong}/getMe HTTP/1.1\r\nHost: gateway\r\n\r\n");
    assert_eq!(world.dial().await.ask(request).await.status, 401);
    let request = format!("GET /-/NONE/bot{own}/getMe?{own} HTTP/1.1\r\nHost: gateway\r\n\r\n");
    assert_eq!(world.dial().await.ask(request).await.status, 403);
    assert!(!upstream.text().contains(own));
    let log = world.log();
    assert!(log.iter().any(|line| line["path"] == "/-/NONE/botkeyward-managed/getMe"), "{log:?}");
    assert!(log.iter().all(|line| !line.to_string().contains("kwp1_")), "{log:?}");
}

pub(super) async fn an_absolute_https_target_is_served_as_base_url_mode_is() {
    let (world, a, upstream) = World::with(echo()).await;
    let auth = basic(&world.credential);
    let request = format!("GET https://{a}/v1 HTTP/1.1\r\nHost: {a}\r\n{auth}\r\n");
    assert_eq!(world.dial().await.ask(request).await.status, 200);
    assert!(upstream.text().starts_with("GET /v1 HTTP/1.1\r\n") && upstream.text().contains(SA));
    let request = format!("GET https://{a}/v1 HTTP/1.1\r\nHost: x.test\r\n{auth}\r\n");
    assert_eq!(world.dial().await.ask(request).await.status, 421);
}

pub(super) async fn hosts_without_a_key_are_refused_by_default_with_the_way_to_connect_them() {
    let mut plan = Plan::new();
    plan.console = Some("https://console.test/".to_owned());
    let world = plan.start().await;
    let answer = world.dial().await.connect("api.known.test:443", &world.credential).await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "app_not_connected"));
    assert!(answer.text().contains(
        "\"connect_url\":\"https://console.test/#connect?host=api.known.test:443&provider=known\""
    ));
    let answer = world.dial().await.connect("x.test:443", &world.credential).await;
    assert_eq!(answer.error(), "credential_not_found");
    assert!(answer.text().contains("\"connect_url\":\"https://console.test/#connect?host=x.test:443\""));
    let plain = format!("GET http://x.test/ HTTP/1.1\r\nHost: x.test\r\n{}\r\n", basic(&world.credential));
    assert_eq!(world.dial().await.ask(plain).await.error(), "credential_not_found");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

pub(super) async fn plain_http_to_a_host_without_a_key_passes_where_egress_is_allowed() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (b, upstream) = plan.plain("b.test", echo()).await;
    let world = plan.start().await;
    let mut agent = world.dial().await;
    for path in ["/one", "/two?x=//../y"] {
        let request =
            format!("GET http://{b}{path} HTTP/1.1\r\nHost: {b}\r\n{}\r\n", basic(&world.credential));
        assert_eq!(agent.ask(request).await.status, 200, "{path}");
        assert!(upstream.text().contains(&format!("GET {path} HTTP/1.1\r\n")));
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(world.log()[1]["decision"], "pass");
}

pub(super) async fn blind_tunnels_carry_protocols_in_which_the_server_speaks_first() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let greets = script(|mut talk| async move {
        talk.say("220 hello\r\n").await;
        talk.until(b"\r\n").await;
        talk.say("221 bye\r\n").await;
    });
    let (b, _upstream) = plan.plain("b.test", greets).await;
    let world = plan.start().await;
    let mut agent = world.dial().await;
    assert_eq!(agent.connect(&b, &world.credential).await.status, 200);
    assert_eq!(agent.until(b"\r\n").await.unwrap(), b"220 hello\r\n");
    agent.say("QUIT\r\n").await;
    assert_eq!(agent.rest().await, b"221 bye\r\n");
    assert_eq!(world.log()[0]["decision"], "tunnel");
}

pub(super) async fn a_unix_socket_is_a_way_in_like_any_other() {
    let (world, a, _upstream) = World::with(echo()).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = world.gateway.clone();
    tokio::spawn(async move { serving.serve(Listener::Unix(listener)).await });
    let mut agent = Agent::of(tokio::net::UnixStream::connect(&path).await.unwrap());
    assert_eq!(agent.connect(&a, &world.credential).await.status, 200);
    let mut agent = agent.tls("a.test", crate::lab::agent::trusting(&world.ca, &[])).await.unwrap();
    assert_eq!(agent.get(&a, "/").await.status, 200);
}

pub(super) async fn a_proxy_of_the_gateways_own_carries_what_is_encrypted_and_no_more() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let port = upstream.port;
    let proxy = script(move |mut talk| async move {
        let head = talk.head().await.unwrap();
        if !head.contains("Proxy-Authorization: Basic Y29ycDpwYXNz\r\n") {
            talk.answer("407 Proxy Authentication Required", "", "").await;
            return;
        }
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        talk.say("HTTP/1.1 200 Connection established\r\n\r\n").await;
        let _ = tokio::io::copy_bidirectional(&mut talk.io, &mut stream).await;
    });
    let proxy = crate::lab::upstream::Upstream::start(None, proxy).await;
    let at = Authority::parse(&format!("127.0.0.1:{}", proxy.port), 80).unwrap();
    let authorization = Some(Zeroizing::new("Basic Y29ycDpwYXNz".to_owned()));
    plan.proxy = Some(UpstreamProxy { at, authorization });
    plan.bearer("A", SA, &a);
    plan.bearer("P", SA, "10.0.0.1:443");
    let world = plan.start().await;
    world.still_works(&a).await;
    assert!(upstream.text().contains(SA));
    assert!(proxy.text().starts_with(&format!("CONNECT {a} HTTP/1.1\r\n")));
    assert!(!proxy.text().contains(SA) && !proxy.text().contains(&world.credential));
    // A private address stays refused.
    let answer = world.tunnel("10.0.0.1:443").await.get("10.0.0.1", "/").await;
    assert_eq!(answer.error(), "address_refused");
}

pub(super) async fn upstreams_that_cannot_be_reached_have_codes_of_their_own() {
    let mut plan = Plan::new();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = plan.reach("refused.test", closed);
    let silent = crate::lab::upstream::Upstream::start(
        None,
        script(|mut talk| async move { talk.say("no TLS\r\n").await }),
    )
    .await;
    let no_tls = plan.reach("no-tls.test", silent.port);
    for host in [&refused, &no_tls, "does-not-exist.invalid:443"] {
        plan.bearer(host, SA, host);
    }
    let world = plan.start().await;
    for (host, code) in [
        (refused.as_str(), "connect_refused"),
        (no_tls.as_str(), "tls_failed"),
        ("does-not-exist.invalid:443", "dns_failed"),
    ] {
        let answer = world.tunnel(host).await.get(host, "/").await;
        assert_eq!((answer.status, answer.error().as_str()), (502, code), "{host}");
    }
}
