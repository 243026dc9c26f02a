//! D and N: a secret goes to one place.

use rustls::ServerConfig;
use std::sync::Arc;

use keyward_gateway::Egress;

use crate::lab::agent::{Agent, basic, trusting};
use crate::lab::upstream::{Upstream, echo, script};
use crate::lab::world::{Plan, SA, World};

pub(super) async fn the_key_is_put_in_and_the_agent_never_sees_it() {
    let (world, a, upstream) = World::with(echo()).await;
    let answer = world.tunnel(&a).await.get(&a, "/v1/x?q=1").await;
    assert_eq!(answer.status, 200);
    assert!(upstream.text().starts_with("GET /v1/x?q=1 HTTP/1.1\r\n"), "{}", upstream.text());
    assert_eq!(upstream.text().matches(SA).count(), 1);
    assert!(!answer.text().contains(SA) && answer.text().contains("Bearer "), "{}", answer.text());
    let log = world.log();
    assert_eq!((&log[0]["decision"], &log[1]["decision"]), (&"send".into(), &"inject".into()));
    assert_eq!((&log[0]["host"], &log[0]["path"], &log[0]["key"]), (&a.into(), &"/v1/x".into(), &"A".into()));
}

pub(super) async fn d1_another_name_in_tls_than_in_connect_is_refused() {
    let (world, a, upstream) = World::with(echo()).await;
    for name in ["b.test", "x.test", "a.test.x.test"] {
        let mut agent = world.dial().await;
        assert_eq!(agent.connect(&a, &world.credential).await.status, 200);
        assert!(agent.tls(name, trusting(&world.ca, &[])).await.is_err(), "{name}");
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(world.refusals(), ["misdirected_request"; 3]);
    world.still_works(&a).await;
}

pub(super) async fn d2_another_host_than_in_connect_is_refused() {
    let (world, a, upstream) = World::with(echo()).await;
    for host in ["b.test", "x.test", "a.test:1", "a.test.x.test", "xa.test", "127.0.0.1"] {
        let answer = world.tunnel(&a).await.get(host, "/").await;
        assert_eq!((answer.status, answer.error().as_str()), (421, "misdirected_request"), "{host}");
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(world.refusals().len(), 6);
    world.still_works(&a).await;
}

pub(super) async fn d3_the_name_of_a_keys_host_on_another_hosts_tunnel_gets_no_key() {
    let mut plan = Plan::new();
    let (a, _) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let (c, other) = plan.upstream("c.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    plan.bearer("C", "another-secret-of-another-host", &c);
    let world = plan.start().await;
    assert_eq!(world.tunnel(&c).await.get(&a, "/").await.status, 421);
    assert_eq!(other.connections(), 0);
    world.still_works(&a).await;
}

pub(super) async fn d4_an_absolute_target_inside_a_tunnel_is_refused() {
    let (world, a, upstream) = World::with(echo()).await;
    for target in ["https://x.test/", "http://a.test/", &format!("https://{a}/"), "x.test:443", "//x.test/"] {
        let mut agent = world.tunnel(&a).await;
        let answer = agent.ask(format!("GET {target} HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
    }
    assert_eq!(upstream.connections(), 0);
    world.still_works(&a).await;
}

pub(super) async fn d5_a_host_is_normalised_once_and_sent_in_its_plain_form() {
    let (world, a, upstream) = World::with(echo()).await;
    let port = upstream.port;
    let mut agent = world.tunnel(&a).await;
    for host in [format!("A.TEST:{port}"), format!("a.test.:{port}"), a.clone()] {
        assert_eq!(agent.get(&host, "/").await.status, 200, "{host}");
    }
    let text = upstream.text();
    assert_eq!(text.matches(&format!("host: {a}\r\n")).count(), 3, "{text}");
    for host in ["", "a.test,b.test", "a.test@x.test", "a.test:443@x", "a%2etest", "a.test..", "a test"] {
        let mut agent = world.tunnel(&a).await;
        let answer = agent.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, 400, "{host:?}");
        assert!(agent.answer().await.is_none(), "{host:?}: the connection has ended");
    }
}

pub(super) async fn d8_without_a_name_in_tls_the_requests_host_decides() {
    let (world, a, _upstream) = World::with(echo()).await;
    let mut agent = world.dial().await;
    agent.connect(&a, &world.credential).await;
    let mut config = (*trusting(&world.ca, &[])).clone();
    config.enable_sni = false;
    let mut agent = agent.tls("a.test", Arc::new(config)).await.unwrap();
    assert_eq!(agent.get(&a, "/").await.status, 200);
    assert_eq!(agent.get("x.test", "/").await.status, 421);
}

pub(super) async fn d9_d10_d11_n7_hosts_that_only_look_like_a_keys_are_refused_before_anything_is_asked() {
    for egress in [Egress::Deny, Egress::Allow] {
        let mut plan = Plan::new();
        let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
        plan.egress = egress;
        plan.bearer("A", SA, &a);
        let world = plan.start().await;
        let port = upstream.port;
        let hosts = ["xn--80a.test", "a.test.x.test", "xa.test", "a-test", "127.0.0.1", "data.x.test"];
        for host in hosts.map(|host| format!("{host}:{port}")) {
            let answer = world.dial().await.connect(&host, &world.credential).await;
            let refused = if egress == Egress::Deny { answer.status == 403 } else { answer.status >= 400 };
            assert!(refused, "{host}: {answer:?}");
        }
        for to in ["a.test:22", "a.test:80", "a.test:443"] {
            let answer = world.dial().await.connect(to, &world.credential).await;
            assert_eq!((answer.status, answer.error().as_str()), (403, "blocked_by_policy"), "{to}");
        }
        for to in
            ["а.test:443", "a。test:443", "a.test", "a.test:0", "a.test:x", "u@a.test:443", "a.test:443/x"]
        {
            let answer = world.dial().await.connect(to, &world.credential).await;
            assert_eq!(answer.status, 400, "{to}: {answer:?}");
        }
        assert_eq!(upstream.connections(), 0);
        world.still_works(&a).await;
    }
}

pub(super) async fn d12_a_keys_host_is_not_reached_in_the_clear() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.plain("a.test", echo()).await;
    plan.egress = Egress::Allow;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    for url in [format!("http://{a}/echo"), "http://a.test/echo".to_owned()] {
        let request = format!(
            "GET {url} HTTP/1.1\r\nHost: {}\r\n{}\r\n",
            &url[7..url.len() - 5],
            basic(&world.credential)
        );
        let answer = world.dial().await.ask(request).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "cleartext_refused"), "{url}");
    }
    // HTTP in the clear inside a tunnel is no TLS.
    let mut agent = world.dial().await;
    assert_eq!(agent.connect(&a, &world.credential).await.status, 200);
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    assert!(!agent.rest().await.starts_with(b"HTTP/"));
    assert_eq!(upstream.connections(), 0);
}

pub(super) async fn d13_an_upstream_that_cannot_prove_its_name_gets_no_byte_of_http() {
    let foreign = crate::lab::upstream::Lab::new();
    let mut plan = Plan::new();
    let expired = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    let servers: [(&str, Arc<ServerConfig>); 3] = [
        ("other-authority", foreign.server(&["other-authority.test"], &[])),
        ("other-name", plan.lab.server(&["x.test"], &[])),
        ("expired", plan.lab.server_with(&["expired.test"], &[], expired)),
    ];
    let mut liars = Vec::new();
    for (name, tls) in servers {
        let upstream = Upstream::start(Some(tls), echo()).await;
        let host = plan.reach(&format!("{name}.test"), upstream.port);
        plan.bearer(name, SA, &host);
        liars.push((host, upstream));
    }
    let world = plan.start().await;
    for (host, upstream) in &liars {
        let answer = world.tunnel(host).await.get(host, "/?token=x").await;
        assert_eq!((answer.status, answer.error().as_str()), (502, "tls_failed"), "{host}");
        assert!(!answer.text().contains("token"), "{host}");
        assert_eq!((upstream.connections(), upstream.bytes().len()), (1, 0), "{host}");
    }
}

pub(super) async fn d14_redirects_are_passed_on_and_not_followed() {
    let mut plan = Plan::new();
    let redirect = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let to = head.split(' ').nth(1).unwrap().strip_prefix("/to?").unwrap().to_owned();
            talk.answer("302 Found", &format!("Location: {to}\r\n"), "").await;
        }
    });
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], redirect).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    for to in ["https://x.test/", "http://a.test/", "//x.test", "https://u:p@x.test/"] {
        let answer = agent.get(&a, &format!("/to?{to}")).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(to)));
    }
    assert_eq!(upstream.connections(), 1);
}

pub(super) async fn d19_an_answer_names_no_way_around_the_gateway() {
    let (world, a, _upstream) = World::with(crate::lab::upstream::fixed(
        "HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n",
    ))
    .await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.header("alt-svc"), None);
}

pub(super) async fn d23_two_keys_for_one_request_are_refused_with_the_choices_until_one_is_named() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("WORK", SA, &a);
    plan.bearer("HOME", "sk-another-account-of-the-same-service", &a);
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    let answer = agent.get(&a, "/").await;
    assert_eq!((answer.status, answer.error().as_str()), (409, "multiple_connections"));
    assert!(answer.text().contains("\"choices\":[\"WORK\",\"HOME\"]"));
    assert_eq!(upstream.connections(), 0);
    let with = |account: &str| format!("GET / HTTP/1.1\r\nHost: {a}\r\nX-Keyward-Account: {account}\r\n\r\n");
    assert_eq!(agent.ask(with("WORK")).await.status, 200);
    assert!(upstream.text().contains(SA) && !upstream.text().to_lowercase().contains("x-keyward"));
    // D24: an account that was not granted.
    assert_eq!(agent.ask(with("OTHER")).await.error(), "access_restricted");
}

pub(super) async fn n1_n2_private_addresses_in_any_spelling_are_refused() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let world = plan.start().await;
    for host in [
        "169.254.169.254",
        "169.254.170.2",
        "[fd00:ec2::254]",
        "168.63.129.16",
        "100.100.100.200",
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "192.0.0.192",
        "[::]",
        "[::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
    ] {
        let answer = world.dial().await.connect(&format!("{host}:443"), &world.credential).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "address_refused"), "{host}");
    }
    for host in ["0", "127.1", "2130706433", "0x7f.1", "017700000001", "[::ffff:127.0.0.1]", "[fe80::1%25lo]"]
    {
        let answer = world.dial().await.connect(&format!("{host}:443"), &world.credential).await;
        assert_eq!(answer.status, 400, "{host}: {answer:?}");
    }
}

pub(super) async fn n3_the_address_that_was_judged_is_the_one_that_is_dialled_each_time() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    // A name that says loopback, without permission to be private.
    plan.resolve.push(("rebound.test:443".to_owned(), "127.0.0.1".parse().unwrap()));
    let world = plan.start().await;
    for _ in 0..2 {
        let answer = world.dial().await.connect("rebound.test:443", &world.credential).await;
        assert_eq!(answer.error(), "address_refused");
    }
}

pub(super) async fn n5_c5_the_gateway_is_not_reached_through_itself() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    // Another socket on loopback may be reached, if the operator says so.
    let (b, _upstream) = plan.plain("b.test", echo()).await;
    plan.listen_at = Some(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let own = plan.listen_at.as_ref().unwrap().local_addr().unwrap().to_string();
    plan.allow.push(own.clone());
    let world = plan.start().await;
    assert_eq!(world.dial().await.connect(&b, &world.credential).await.status, 200);
    let answer = world.dial().await.connect(&own, &world.credential).await;
    assert_eq!(answer.error(), "address_refused");
}

pub(super) async fn n6_other_schemes_are_malformed() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let world = plan.start().await;
    for target in ["ftp://x.test/", "gopher://x.test/", "file:///etc/passwd", "unix:/run/x", "ws://x.test/"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x.test\r\n{}\r\n", basic(&world.credential));
        let answer = Agent::dial(world.at).await.ask(request).await;
        assert!(matches!(answer.status, 400 | 404), "{target}: {answer:?}");
    }
}

pub(super) async fn c1_a_leaf_is_made_for_granted_names_only() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (b, upstream) = plan.upstream("b.test", &[b"http/1.1"], echo()).await;
    let root = plan.lab.root();
    let world = plan.start().await;
    for to in ["localhost:443", "127.0.0.1:443", "x.test:443"] {
        let answer = world.dial().await.connect(to, &world.credential).await;
        assert_ne!(answer.status, 200, "{to}");
    }
    // C4: a host without a key proves itself with its own certificate, to the agent.
    let mut agent = world.dial().await;
    assert_eq!(agent.connect(&b, &world.credential).await.status, 200);
    let mut agent = agent.tls("b.test", trusting(&root, &[])).await.unwrap();
    assert_eq!(agent.get("whatever.test", "/").await.status, 200);
    assert!(!upstream.text().contains("authorization"));
    // But under its own name only.
    let mut agent = world.dial().await;
    assert_eq!(agent.connect(&b, &world.credential).await.status, 200);
    assert!(agent.tls("x.test", trusting(&root, &[])).await.is_err());
    assert_eq!(upstream.connections(), 2, "dialled, and told nothing");
    assert_eq!(world.refusals().last().unwrap(), "misdirected_request");
}
