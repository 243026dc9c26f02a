//! S, L: who may do what, right now.

use data_encoding::BASE64;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyward_gateway::Egress;
use keyward_wire::rule::{Approval, Injection, Limits};

use crate::cases::protocols::echo_http2;
use crate::lab::agent::basic;
use crate::lab::upstream::{echo, script, silent};
use crate::lab::world::{Plan, SA, World};

pub(super) async fn s1_no_wrong_and_revoked_credentials_have_one_answer() {
    let (world, a, upstream) = World::with(echo()).await;
    let (_, revoked) = world.source.agent("gone");
    world.source.revoke(&revoked);
    let header = |text: &str| format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(text.as_bytes()));
    let shapes = [
        String::new(),
        header("agent:kwp1_wrong"),
        header(&format!("agent:{revoked}")),
        header("kwp1_wrong:"),
        "Proxy-Authorization: Bearer kwp1_wrong\r\n".to_owned(),
        "Proxy-Authorization: Basic %%%\r\n".to_owned(),
        format!("{}{}", basic(&world.credential), basic("kwp1_wrong")),
    ];
    let mut answers = Vec::new();
    for shape in &shapes {
        for request in [
            format!("CONNECT {a} HTTP/1.1\r\nHost: {a}\r\n"),
            "GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n".to_owned(),
        ] {
            let answer = world.dial().await.ask(format!("{request}{shape}\r\n")).await;
            assert_eq!(answer.status, 407, "{shape}");
            assert_eq!(answer.header("proxy-authenticate"), Some("Basic realm=\"keyward\""));
            answers.push(answer.body);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "one body for all");
    assert_eq!(upstream.connections(), 0);
    world.still_works(&a).await;
}

pub(super) async fn s2_the_proxy_credential_never_goes_upstream() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let (b, plain) = plan.plain("b.test", echo()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let auth = basic(&world.credential);
    let answer = world.tunnel(&a).await.ask(format!("GET / HTTP/1.1\r\nHost: {a}\r\n{auth}\r\n")).await;
    assert_eq!(answer.status, 200);
    let answer = world.dial().await.ask(format!("GET http://{b}/ HTTP/1.1\r\nHost: {b}\r\n{auth}\r\n")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for text in [upstream.text(), plain.text()] {
        assert!(!text.to_lowercase().contains("proxy-auth"), "{text}");
        assert!(!text.contains(&world.credential) && !text.contains(auth[27..].trim_end()), "{text}");
    }
}

pub(super) async fn s3_a_revoked_agents_open_streams_and_tunnels_are_cut() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (a, _a) = plan.upstream("a.test", &[b"http/1.1"], silent()).await;
    let (b, _b) = plan.plain("b.test", silent()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let idle = world.tunnel(&a).await;
    let streaming = world.streaming(&a).await;
    let blind = world.blind(&b).await;
    world.source.revoke(&world.credential);
    for mut agent in [idle, streaming, blind] {
        agent.rest().await;
    }
    assert_eq!(world.dial().await.connect(&a, &world.credential).await.status, 407);
    let cut = world.log().iter().filter(|line| line["decision"] == "cut").count();
    assert_eq!(cut, 3);
}

pub(super) async fn s3_an_agent_that_is_revoked_while_its_tunnel_is_dialled_gets_none() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (a, _a) = plan.upstream("a.test", &[b"http/1.1"], silent()).await;
    plan.bearer("A", SA, &a);
    // Whoever is between the gateway and its upstreams takes its time.
    let slow = script(|mut talk| async move {
        if talk.head().await.is_some_and(|head| head.starts_with("CONNECT slow.test")) {
            talk.go_on().await;
        }
        talk.say("HTTP/1.1 200 OK\r\n\r\n").await;
        talk.head().await;
    });
    let proxy = crate::lab::upstream::Upstream::start(None, slow).await;
    let at = keyward_wire::rule::Authority::parse(&format!("127.0.0.1:{}", proxy.port), 80).unwrap();
    plan.proxy = Some(keyward_gateway::UpstreamProxy { at, authorization: None });
    let world = plan.start().await;
    let mut idle = world.tunnel(&a).await;
    let mut agent = world.dial().await;
    let auth = basic(&world.credential);
    agent.say(format!("CONNECT slow.test:1 HTTP/1.1\r\nHost: slow.test:1\r\n{auth}\r\n")).await;
    proxy.connected(1).await;
    world.source.revoke(&world.credential);
    // Everybody who listens was told.
    idle.rest().await;
    proxy.go_on();
    let answer = agent.answer().await.unwrap();
    assert_eq!((answer.status, answer.error().as_str()), (403, "access_restricted"));
}

pub(super) async fn s4_what_is_open_is_cut_when_grants_are_too_old_and_placeholders_outlive_it() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (a, _a) = plan.upstream("a.test", &[b"http/1.1"], silent()).await;
    let (b, _b) = plan.plain("b.test", silent()).await;
    let (c, c_up) = plan.upstream("c.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    plan.bearer("C", "sk-the-secret-of-c-0123456789abcdef", &c);
    let world = plan.start().await;
    let answer = world.tunnel(&c).await.get(&c, "/").await.text();
    let placeholder = answer.split("Bearer ").nth(1).unwrap().lines().next().unwrap().to_owned();
    for still_known in [true, false] {
        let idle = world.tunnel(&a).await;
        let streaming = world.streaming(&a).await;
        let blind = world.blind(&b).await;
        // The source need not say that an agent no longer stands, and it may.
        if still_known {
            world.source.go_stale();
        } else {
            world.source.go_silent();
        }
        for mut agent in [idle, streaming, blind] {
            agent.rest().await;
        }
        world.source.come_back();
    }
    let with = format!("GET / HTTP/1.1\r\nHost: {c}\r\nAuthorization: Bearer {placeholder}\r\n\r\n");
    assert_eq!(world.tunnel(&c).await.ask(with).await.status, 200, "{placeholder}");
    assert!(!c_up.text().contains(&placeholder));
}

pub(super) async fn s3_an_excluded_key_and_a_new_version_cut_what_uses_the_old_one() {
    for change in [
        |world: &World| world.source.exclude(&world.agent, "A"),
        |world: &World| {
            world.source.renew(&world.agent, "A", "sk-the-next-version-of-the-secret-of-a");
        },
    ] {
        let (world, a, _upstream) = World::with(silent()).await;
        let mut agent = world.tunnel(&a).await;
        agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
        agent.until(b"data: 1\n\n").await.unwrap();
        change(&world);
        agent.rest().await;
    }
}

pub(super) async fn s3_a_change_that_is_about_something_else_cuts_nothing() {
    let (world, a, _upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    assert_eq!(agent.get(&a, "/1").await.status, 200);
    let (other, _) = world.source.agent("other");
    world.source.grant(&other, "X", SA, &["x.test"], vec![Injection::bearer()], |_| ());
    assert_eq!(agent.get(&a, "/2").await.status, 200);
}

pub(super) async fn s4_grants_that_are_too_old_are_503() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    // Until it has answered, a tunnel looks whether it may stay.
    assert_eq!(agent.get(&a, "/").await.status, 200);
    world.source.go_stale();
    let answer = agent.get(&a, "/").await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "grants_stale"));
    let answer = world.dial().await.connect(&a, &world.credential).await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "grants_stale"));
    assert_eq!(upstream.text().matches("GET / HTTP/1.1\r\n").count(), 1);
}

pub(super) async fn s5_two_agents_share_no_connection_no_ticket_and_no_cookie() {
    let once = script(|mut talk| async move {
        if let Some(head) = talk.head().await {
            talk.answer("200 OK", "Set-Cookie: session=first\r\nConnection: close\r\n", head).await;
        }
    });
    for (alpn, script) in [(b"http/1.1".as_slice(), once), (b"h2", echo_http2())] {
        let mut plan = Plan::new();
        let (a, upstream) = plan.upstream("a.test", &[alpn], script).await;
        let (second, credential) = plan.source.agent("two");
        plan.bearer("A", SA, &a);
        let other = "sk-the-second-agents-own-secret-0123456789";
        plan.source.grant(&second, "B", other, &[&a], vec![Injection::bearer()], |_| ());
        let world = plan.start().await;
        for _ in 0..3 {
            assert_eq!(world.tunnel(&a).await.get(&a, "/").await.status, 200);
            assert_eq!(world.tunnel_of(&a, &credential, &[]).await.get(&a, "/").await.status, 200);
        }
        assert!(!upstream.text().contains("session=first"));
        let each = upstream.each();
        if alpn == b"h2" {
            assert_eq!(
                (each.len(), each[1].resumed),
                (2, false),
                "one each, of which an agent's next tunnel takes its own"
            );
            continue;
        }
        let resumed: Vec<bool> = each.iter().map(|connection| connection.resumed).collect();
        assert_eq!(
            resumed,
            [false, false, true, true, true, true],
            "the first of each agent is a handshake of its own"
        );
        for (number, connection) in each.iter().enumerate() {
            let (text, first) = (connection.text(), number % 2 == 0);
            assert_eq!((text.contains(SA), text.contains(other)), (first, !first), "{text}");
        }
    }
}

pub(super) async fn l6_two_agents_and_a_client_that_has_it_already_each_ask_the_upstream() {
    let cached = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=9999\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\nok";
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], crate::lab::upstream::fixed(cached)).await;
    let (second, credential) = plan.source.agent("two");
    plan.bearer("A", SA, &a);
    plan.source.grant(&second, "A", SA, &[&a], vec![Injection::bearer()], |_| ());
    let world = plan.start().await;
    for credential in [&world.credential, &credential] {
        let mut agent = world.tunnel_of(&a, credential, &[]).await;
        assert_eq!(agent.get(&a, "/same").await.text(), "ok");
        let known = format!("GET /same HTTP/1.1\r\nHost: {a}\r\nIf-None-Match: \"1\"\r\n\r\n");
        assert_eq!(agent.ask(known).await.text(), "ok");
    }
    assert_eq!(upstream.text().matches("GET /same").count(), 4);
    assert_eq!(upstream.text().matches("if-none-match").count(), 2);
}

pub(super) async fn s8_what_an_agent_may_not_use_looks_like_what_is_not_there() {
    let plan = Plan::new();
    let (second, credential) = plan.source.agent("two");
    plan.bearer("A", SA, "a.test");
    plan.source.grant(
        &second,
        "C",
        "sk-something-else-entirely",
        &["c.test"],
        vec![Injection::bearer()],
        |_| (),
    );
    let world = plan.start().await;
    let mut answers = Vec::new();
    for name in ["A", "NOTHING"] {
        let request =
            format!("GET /-/{name}/ HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {credential}\r\n\r\n");
        answers.push(world.dial().await.ask(request).await.text());
    }
    for host in ["a.test:443", "nothing.test:443"] {
        answers.push(world.dial().await.connect(host, &credential).await.text());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[2], answers[3]);
}

pub(super) async fn a_rule_that_wants_an_approval_is_refused_until_somebody_can_be_asked() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let always = |terms: &mut keyward_wire::rule::Terms| terms.approval = Approval::Always;
    plan.source.grant(&plan.agent, "A", SA, &[&a], vec![Injection::bearer()], always);
    let world = plan.start().await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.error(), "approval_unavailable");
    assert_eq!(upstream.connections(), 0);
}

pub(super) async fn a_rules_limit_is_429_with_the_time_to_wait() {
    let mut plan = Plan::new();
    let (a, _upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let twice = |terms: &mut keyward_wire::rule::Terms| terms.limits = Some(Limits::per_minute(2).unwrap());
    plan.source.grant(&plan.agent, "A", SA, &[&a], vec![Injection::bearer()], twice);
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    assert_eq!(agent.get(&a, "/").await.status, 200);
    assert_eq!(agent.get(&a, "/").await.status, 200);
    let answer = agent.get(&a, "/").await;
    assert_eq!((answer.status, answer.error().as_str()), (429, "rate_limited"));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait) && answer.header("x-should-retry").is_none());
}

pub(super) async fn l6_nothing_is_cached() {
    let cached = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=9999\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\nok";
    let (world, a, upstream) = World::with(crate::lab::upstream::fixed(cached)).await;
    let mut agent = world.tunnel(&a).await;
    for _ in 0..3 {
        assert_eq!(agent.get(&a, "/same").await.text(), "ok");
    }
    assert_eq!(upstream.text().matches("GET /same").count(), 3);
}

pub(super) async fn l9_the_record_is_there_before_the_answer() {
    let (world, a, _upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    for count in 1..=5 {
        assert_eq!(agent.get(&a, &format!("/{count}?secret=x")).await.status, 200);
        let mut log = world.log();
        // The echo has the key in it, which has a row of its own.
        log.retain(|line| line["decision"] != "cover");
        assert_eq!(log.len(), 2 * count);
        let [.., sent, last] = log.as_slice() else { panic!("{log:?}") };
        assert_eq!(last["path"], format!("/{count}"));
        assert_eq!(
            (&last["agent"], &last["method"], &last["status"]),
            (&"one".into(), &"GET".into(), &200.into())
        );
        assert_eq!((&sent["decision"], &last["decision"]), (&"send".into(), &"inject".into()));
        assert_eq!((&sent["path"], &sent["key"], &sent["seq"]), (&last["path"], &"A".into(), &last["of"]));
    }
}

pub(super) async fn l9_a_request_whose_agent_does_not_wait_is_in_the_log() {
    let silent = || {
        script(|mut talk| async move {
            talk.head().await;
            talk.go_on().await;
        })
    };
    for http2 in [false, true] {
        let (world, a, upstream) = World::with(silent()).await;
        let alpn: &[&[u8]] = if http2 { &[b"h2"] } else { &[b"http/1.1"] };
        let agent = world.tunnel_of(&a, &world.credential, alpn).await;
        if http2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(agent.into_io()))
                    .await
                    .unwrap();
            let connection = tokio::spawn(connection);
            let body = http_body_util::Full::new(bytes::Bytes::from_static(b"hello"));
            let request = http::Request::post(format!("https://{a}/write")).body(body).unwrap();
            let asked = tokio::spawn(sender.send_request(request));
            upstream.came(b"hello").await;
            // Dropped, its stream is reset.
            asked.abort();
            world.logged("cut").await;
            connection.abort();
        } else {
            let mut agent = agent;
            agent.say(format!("POST /write HTTP/1.1\r\nHost: {a}\r\nContent-Length: 5\r\n\r\nhello")).await;
            upstream.came(b"hello").await;
            drop(agent);
            world.logged("cut").await;
        }
        let log = world.log();
        let [sent, cut] = log.as_slice() else { panic!("{log:?}") };
        assert_eq!((&sent["decision"], &sent["path"]), (&"send".into(), &"/write".into()));
        assert_eq!((&cut["decision"], &cut["of"]), (&"cut".into(), &sent["seq"]));
    }
}

pub(super) async fn l9_what_cannot_be_recorded_is_not_sent() {
    let mut plan = Plan::new();
    plan.log_is_full = true;
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let answer = world.tunnel(&a).await.get(&a, "/").await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "log_failed"));
    assert_eq!(upstream.bytes(), b"");
}

pub(super) async fn l1_strangers_cannot_fill_the_log_and_no_password_is_in_it() {
    let (world, _a, _upstream) = World::with(echo()).await;
    for _ in 0..20 {
        let request =
            format!("GET http://user:hunter2@b.test/{} HTTP/1.1\r\nHost: b.test\r\n\r\n", "x".repeat(3000));
        assert_eq!(world.dial().await.ask(request).await.status, 407);
    }
    let few = world.log().len();
    assert!(few < 10, "{few} lines");
    let auth = basic(&world.credential);
    let request = format!("GET http://user:hunter2@b.test/ HTTP/1.1\r\nHost: b.test\r\n{auth}\r\n");
    assert_eq!(world.dial().await.ask(request).await.status, 400);
    let log = format!("{:?}", world.log());
    assert!(!log.contains("hunter2"), "{log}");
}

pub(super) async fn a_gateway_that_ends_finishes_what_is_under_way_and_takes_nothing_more() {
    let slow = script(|mut talk| async move {
        talk.head().await;
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").await;
        talk.go_on().await;
        talk.say("-last").await;
    });
    let (world, a, upstream) = World::with(slow).await;
    let mut busy = world.tunnel(&a).await;
    let mut idle = world.tunnel(&a).await;
    busy.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    busy.until(b"\r\n\r\n").await.unwrap();
    world.gateway.stop();
    idle.rest().await;
    upstream.go_on();
    assert_eq!(busy.rest().await, b"first-last");
    assert!(world.gateway.drained(std::time::Duration::from_secs(20)).await);
    assert!(tokio::net::TcpStream::connect(world.at).await.is_err());
}
