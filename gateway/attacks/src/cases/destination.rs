//! D and N: a secret goes to one place.

use std::sync::Arc;
use std::time::Duration;

use keyward_gateway::Egress;
use rustls::ServerConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::{ServerName, UnixTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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
        // Nor does the agent get there by itself.
        if let Some(host) = to.strip_prefix("https://") {
            let host = format!("{}:443", host.trim_end_matches('/').trim_start_matches("u:p@"));
            assert_eq!(world.dial().await.connect(&host, &world.credential).await.status, 403, "{host}");
        }
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(world.names.asked(), [""; 0]);
}

pub(super) async fn d19_an_answer_names_no_way_around_the_gateway() {
    let (world, a, _upstream) = World::with(crate::lab::upstream::fixed(
        "HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n",
    ))
    .await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.header("alt-svc"), None);
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

pub(super) async fn n3_a_name_that_is_rebound_is_judged_at_each_connection_and_asked_once_for_it() {
    let mut plan = Plan::new();
    let once = script(|mut talk| async move {
        talk.head().await;
        talk.answer("200 OK", "Connection: close\r\n", "").await;
    });
    let upstream = Upstream::start(Some(plan.lab.server(&["rebound.test"], &[])), once).await;
    let host = format!("rebound.test:{}", upstream.port);
    // The address may be reached, the name may not be anywhere that is private.
    plan.allow.push(format!("127.0.0.1:{}", upstream.port));
    plan.names.say("rebound.test", &[&["127.0.0.1"], &["10.0.0.1"]]);
    plan.bearer("A", SA, &host);
    let world = plan.start().await;
    let mut agent = world.tunnel(&host).await;
    assert_eq!(agent.get(&host, "/").await.status, 200);
    assert_eq!(world.names.asked().len(), 1, "what was judged is what is dialled");
    for count in 2..4 {
        let answer = world.tunnel(&host).await.get(&host, "/").await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "address_refused"));
        assert_eq!(world.names.asked().len(), count);
    }
    assert_eq!(upstream.connections(), 1);
}

pub(super) async fn n1_n4_names_that_lead_inside_are_refused_also_if_they_lead_outside_too() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    for (name, addresses) in [
        ("mixed.test", &["198.41.0.4", "10.0.0.1"][..]),
        ("six.test", &["198.41.0.4", "::1"]),
        ("mapped.test", &["::ffff:10.0.0.1"]),
        // What a resolver says after it followed an alias.
        ("alias.test", &["192.168.0.7"]),
        ("here.test", &["127.0.0.1"]),
        ("metadata.google.internal", &["169.254.169.254"]),
        ("pods.test", &["169.254.170.23"]),
        ("pods-six.test", &["fd00:ec2::23"]),
    ] {
        plan.names.say(name, &[addresses]);
    }
    plan.bearer("A", SA, "mixed.test");
    let world = plan.start().await;
    for name in [
        "six.test",
        "mapped.test",
        "alias.test",
        "here.test",
        "metadata.google.internal",
        "pods.test",
        "pods-six.test",
    ] {
        for port in [443, 80, 22] {
            let answer = world.dial().await.connect(&format!("{name}:{port}"), &world.credential).await;
            assert_eq!((answer.status, answer.error().as_str()), (403, "address_refused"), "{name}:{port}");
        }
        let auth = basic(&world.credential);
        let plain = format!("GET http://{name}/latest HTTP/1.1\r\nHost: {name}\r\n{auth}\r\n");
        assert_eq!(world.dial().await.ask(plain).await.error(), "address_refused", "{name}");
    }
    let answer = world.tunnel("mixed.test:443").await.get("mixed.test", "/").await;
    assert_eq!(answer.error(), "address_refused");
}

pub(super) async fn n7_what_is_refused_is_not_asked_for() {
    let plan = Plan::new();
    plan.bearer("A", SA, "a.test");
    let world = plan.start().await;
    let data = "mzxw6ytboi2dgnbvgq3tqojq.x.test";
    for to in
        [format!("{data}:443"), format!("{data}:53"), "a.test:8443".to_owned(), format!("{data}.a.test:443")]
    {
        let answer = world.dial().await.connect(&to, &world.credential).await;
        assert_eq!(answer.status, 403, "{to}");
    }
    let auth = basic(&world.credential);
    for url in [format!("http://{data}/"), format!("https://{data}/"), format!("http://{data}:8080/")] {
        let host = url.split('/').nth(2).unwrap();
        let request = format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n");
        assert_eq!(world.dial().await.ask(request).await.status, 403, "{url}");
    }
    assert_eq!(world.dial().await.connect("a.test:443", "kwp1_wrong").await.status, 407);
    assert_eq!(world.tunnel("a.test:443").await.get(data, "/").await.status, 421);
    assert_eq!(world.names.asked(), [""; 0]);
}

pub(super) async fn n5_the_gateway_and_what_else_is_on_this_machine_is_not_reached() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    // Another socket on loopback may be reached, if the operator says so.
    let (b, _upstream) = plan.plain("b.test", echo()).await;
    plan.listen_at = Some(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let own = plan.listen_at.as_ref().unwrap().local_addr().unwrap().to_string();
    plan.allow.push(own.clone());
    let world = plan.start().await;
    assert_eq!(world.dial().await.connect(&b, &world.credential).await.status, 200);
    let port = own.rsplit_once(':').unwrap().1;
    world.names.say("localhost", &[&["127.0.0.1"]]);
    world.names.say("own.test", &[&["127.0.0.1"]]);
    for to in [
        own.clone(),
        format!("localhost:{port}"),
        format!("own.test:{port}"),
        format!("[::1]:{port}"),
        "localhost:22".to_owned(),
        "[::1]:22".to_owned(),
        "127.0.0.1:5432".to_owned(),
    ] {
        let answer = world.dial().await.connect(&to, &world.credential).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "address_refused"), "{to}");
    }
}

pub(super) async fn c5_a_gateway_does_not_believe_its_own_certificates() {
    let mut plan = Plan::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    plan.listen_at = Some(listener);
    // Somebody between the gateway and a.test leads it back to itself, as its own agent.
    let (auth, host) = (basic(&plan.credential), Arc::new(std::sync::OnceLock::<String>::new()));
    let to = Arc::clone(&host);
    let back = script(move |mut talk| {
        let (auth, to) = (auth.clone(), Arc::clone(&to));
        async move {
            let mut gateway = tokio::net::TcpStream::connect(at).await.unwrap();
            let to = to.get().unwrap();
            let connect = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{auth}\r\n");
            gateway.write_all(connect.as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            gateway.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            while gateway.read_u8().await.unwrap() != b'\r' || gateway.read_u8().await.unwrap() != b'\n' {}
            while gateway.read_u8().await.unwrap() != b'\n' {}
            let _ = tokio::io::copy_bidirectional(&mut talk.io, &mut gateway).await;
        }
    });
    let (a, upstream) = plan.plain("a.test", back).await;
    host.set(a.clone()).unwrap();
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let answer = world.tunnel(&a).await.get(&a, "/").await;
    assert_eq!((answer.status, answer.error().as_str()), (502, "tls_failed"));
    assert_eq!(upstream.connections(), 1);
}

pub(super) async fn c2_each_gateway_has_an_authority_of_its_own_and_its_certificates_live_a_day() {
    let (one, a, _one) = World::with(echo()).await;
    let (two, _, _two) = World::with(echo()).await;
    assert_ne!(one.ca, two.ca);
    let mut agent = one.dial().await;
    assert_eq!(agent.connect(&a, &one.credential).await.status, 200);
    assert!(agent.tls("a.test", trusting(&two.ca, &[])).await.is_err(), "another gateway's is not believed");
    let mut agent = one.dial().await;
    assert_eq!(agent.connect(&a, &one.credential).await.status, 200);
    let connector = tokio_rustls::TlsConnector::from(trusting(&one.ca, &[]));
    let name = ServerName::try_from("a.test").unwrap();
    let stream = connector.connect(name.clone(), agent.into_io()).await.unwrap();
    let leaf = &stream.get_ref().1.peer_certificates().unwrap()[0];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(one.ca.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let now = UnixTime::now().as_secs();
    let after = |hours: u64| UnixTime::since_unix_epoch(Duration::from_secs(now + hours * 3600));
    assert!(verifier.verify_server_cert(leaf, &[], &name, &[], after(1)).is_ok());
    assert!(verifier.verify_server_cert(leaf, &[], &name, &[], after(25)).is_err());
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

pub(super) async fn c1_c4_a_certificate_is_made_for_granted_names_only_and_others_show_their_own() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (b, upstream) = plan.upstream("b.test", &[b"http/1.1"], echo()).await;
    let root = plan.lab.root();
    let world = plan.start().await;
    for to in ["localhost:443", "127.0.0.1:443", "x.test:443"] {
        let answer = world.dial().await.connect(to, &world.credential).await;
        assert_ne!(answer.status, 200, "{to}");
    }
    // A host without a key proves itself with its own certificate, to the agent.
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
