//! R: what an upstream says comes through, and the secret does not.

use std::io::Write as _;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use keyward_wire::rule::Injection;

use crate::lab::upstream::{PAUSE, echo, fixed, script};
use crate::lab::world::{Plan, SA, World};

/// No form of the secret, nor eight characters of it in a row.
fn is_clean(text: &str) {
    let mut parts = SA.as_bytes().windows(12).map(|part| std::str::from_utf8(part).unwrap());
    assert!(!parts.any(|part| text.contains(part)), "{text}");
    assert!(!text.contains(&BASE64.encode(SA.as_bytes())[4..40]), "{text}");
    assert!(!text.contains(&HEXLOWER.encode(SA.as_bytes())), "{text}");
}

pub(super) async fn r1_r3_r15_an_echo_is_covered_in_every_form_and_type() {
    let forms =
        format!("raw {SA} base64 {} hex {}", BASE64.encode(SA.as_bytes()), HEXLOWER.encode(SA.as_bytes()));
    for kind in [
        "Content-Type: text/plain\r\n",
        "Content-Type: image/png\r\n",
        "Content-Type: multipart/mixed\r\n",
        "",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{kind}Content-Length: {}\r\n\r\n{forms}", forms.len());
        let (world, a, _upstream) = World::with(fixed(answer)).await;
        let answer = world.tunnel(&a).await.get(&a, "/").await;
        assert_eq!((answer.status, answer.body.len()), (200, forms.len()), "{kind}");
        assert!(answer.text().starts_with("raw ") && answer.text().contains(" hex "));
        is_clean(&answer.text());
    }
}

pub(super) async fn r2_basic_is_covered_whole_and_in_part() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let basic = Injection::basic("user".parse().unwrap(), "{v}".parse().unwrap()).unwrap();
    plan.source.grant(&plan.agent, "A", SA, &[&a], vec![basic], |_| ());
    let world = plan.start().await;
    let answer = world.tunnel(&a).await.get(&a, "/").await;
    let sent = BASE64.encode(format!("user:{SA}").as_bytes());
    assert!(upstream.text().contains(&format!("Basic {sent}\r\n")));
    assert!(!answer.text().contains(&sent[8..sent.len() - 4]), "{}", answer.text());
    is_clean(&answer.text());
}

pub(super) async fn r4_r5_coded_answers_are_not_asked_for_and_those_that_come_all_the_same_are_withheld() {
    let (world, a, upstream) = World::with(echo()).await;
    let answer = world
        .tunnel(&a)
        .await
        .ask(format!(
            "GET / HTTP/1.1\r\nHost: {a}\r\nAccept-Encoding: exi\r\nAccept_Encoding: exi\r\nAccept.Encoding: exi\r\n\
             Grpc_Accept_Encoding: exi\r\nConnect_Accept_Encoding: exi\r\nConnect-Accept-Encoding: exi\r\n\r\n"
        ))
        .await;
    assert_eq!(answer.status, 200);
    assert!(!upstream.text().contains("exi"), "{}", upstream.text());
    for coding in [
        "Content-Encoding: exi",
        "Content-Encoding: compress",
        "Content-Encoding: unknown",
        // Lies about the body.
        "Content-Encoding: gzip",
        "Content-Encoding: zstd",
        // Of messages within the body.
        "Connect-Content-Encoding: gzip",
        "Grpc-Encoding: gzip",
        "Content-Type: application/grpc-web+proto\r\nGrpc-Encoding: identity\r\nGrpc-Encoding: gzip",
    ] {
        let coded = format!("HTTP/1.1 200 OK\r\n{coding}\r\nContent-Length: 2\r\n\r\nxx");
        let (world, a, _upstream) = World::with(fixed(coded)).await;
        let answer = world.tunnel(&a).await.get(&a, "/").await;
        assert_eq!((answer.status, answer.error().as_str()), (502, "scrub_unreadable"), "{coding}");
    }
    let plain = "HTTP/1.1 200 OK\r\nGrpc-Encoding: identity\r\nConnect-Content-Encoding: Identity\r\n\
                 Content-Length: 2\r\n\r\nxx";
    let (world, a, _upstream) = World::with(fixed(plain)).await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.text(), "xx");
}

pub(super) async fn r7_a_secret_cut_anywhere_is_covered() {
    let cut = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let at: usize = head.split(['/', ' ']).nth(3).unwrap().parse().unwrap();
            let (start, end) = SA.split_at(at);
            if head.starts_with("GET /segments/") {
                talk.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\na {start}", SA.len() + 4))
                    .await;
                tokio::task::yield_now().await;
                talk.say(format!("{end} z")).await;
                continue;
            }
            talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            for part in [format!("a {start}"), format!("{end} z")] {
                talk.say(format!("{:x}\r\n{part}\r\n", part.len())).await;
                tokio::task::yield_now().await;
            }
            talk.say("0\r\n\r\n").await;
        }
    });
    let (world, a, _upstream) = World::with(cut).await;
    let mut agent = world.tunnel(&a).await;
    for at in 1..SA.len() {
        for way in ["chunks", "segments"] {
            let answer = agent.get(&a, &format!("/{way}/{at}")).await;
            assert_eq!((answer.status, answer.body.len()), (200, SA.len() + 4), "cut at {at}");
            is_clean(&answer.text());
        }
    }
}

pub(super) async fn r7_a_secret_in_whose_midst_the_upstream_pauses_is_covered() {
    // Longer than any clock that would have let the first part go.
    let pausing = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            let (start, end) = SA.split_at(40);
            let parts: [Vec<u8>; 2] = if head.starts_with("GET /gzip") {
                talk.say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await;
                let mut coded = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                let first = [start, end].map(|part| {
                    coded.write_all(part.as_bytes()).unwrap();
                    coded.flush().unwrap();
                    std::mem::take(coded.get_mut())
                });
                let [first, mut second] = first;
                second.extend(coded.finish().unwrap());
                [first, second]
            } else {
                talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
                [start, end].map(|part| part.as_bytes().to_vec())
            };
            for part in parts {
                talk.say(format!("{:x}\r\n", part.len())).await;
                talk.say([&part, b"\r\n".as_slice()].concat()).await;
                tokio::time::sleep(PAUSE).await;
            }
            talk.say("0\r\n\r\n").await;
        }
    });
    let (world, a, _upstream) = World::with(pausing).await;
    let mut agent = world.tunnel(&a).await;
    for path in ["/plain", "/gzip"] {
        let answer = agent.get(&a, path).await;
        assert_eq!((answer.status, answer.body.len()), (200, SA.len()), "{path}");
        is_clean(&answer.text());
    }
}

pub(super) async fn r8_each_event_of_a_stream_is_delivered_before_the_next_is_sent() {
    let events = script(|mut talk| async move {
        while talk.head().await.is_some() {
            talk.say(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            )
            .await;
            for event in [
                "data: one\n\n".to_owned(),
                format!("id: {SA}\ndata: {SA}\n\n"),
                "data: three\n\n".to_owned(),
            ] {
                talk.say(format!("{:x}\r\n{event}\r\n", event.len())).await;
                // The agent says when it has the event: on this connection no byte of a request is to come.
                talk.go_on().await;
            }
            talk.say("0\r\n\r\n").await;
        }
    });
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], events).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    let mut all = String::new();
    for event in ["data: one\n\n", "\ndata: ", "data: three\n\n"] {
        all += &String::from_utf8(agent.until(event.as_bytes()).await.unwrap()).unwrap();
        if event.starts_with('\n') {
            all += &String::from_utf8(agent.until(b"\n\n").await.unwrap()).unwrap();
        }
        upstream.go_on();
    }
    all += &String::from_utf8(agent.until(b"0\r\n\r\n").await.unwrap()).unwrap();
    is_clean(&all);
}

pub(super) async fn r9_r10_r11_heads_trailers_and_early_hints_are_covered_or_dropped() {
    let lower = SA.to_lowercase();
    let answer = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: <{SA}>\r\n\r\nHTTP/1.1 200 {SA}\r\nLocation: https://a.test/?k={SA}\r\n\
         Set-Cookie: k={SA}\r\nWWW-Authenticate: Bearer {SA}\r\nX-{lower}: 1\r\nTransfer-Encoding: chunked\r\n\
         Trailer: x-t\r\n\r\n2\r\nok\r\n0\r\nX-T: {SA}\r\n\r\n"
    );
    let (world, a, _upstream) = World::with(fixed(answer)).await;
    let answer =
        world.tunnel(&a).await.ask(format!("GET / HTTP/1.1\r\nHost: {a}\r\nTE: trailers\r\n\r\n")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(answer.header("x-t").map(str::len), Some(SA.len()), "its trailer comes: {}", answer.head);
    assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", answer.head);
    assert!(answer.header("location").unwrap().starts_with("https://a.test/?k="));
    is_clean(&answer.head);
    assert!(!answer.head.to_lowercase().contains(&lower), "{}", answer.head);
}

pub(super) async fn r13_parts_of_a_body_are_not_asked_for_and_are_withheld() {
    let (world, a, upstream) = World::with(echo()).await;
    let request =
        format!("GET / HTTP/1.1\r\nHost: {a}\r\nRange: bytes=0-9\r\nIf-Range: x\r\nIf_Range: x\r\n\r\n");
    assert_eq!(world.tunnel(&a).await.ask(request).await.status, 200);
    assert!(!upstream.text().to_lowercase().contains("range"));
    let part = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok";
    let (world, a, _upstream) = World::with(fixed(part)).await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.error(), "scrub_unreadable");
}

pub(super) async fn r16_refusals_repeat_nothing_of_the_request_and_errors_of_the_upstream_are_covered() {
    let error = format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\nbad key {SA}", SA.len() + 8);
    let (world, a, _upstream) = World::with(fixed(error)).await;
    let answer = world.tunnel(&a).await.get(&a, "/").await;
    assert_eq!(answer.status, 401);
    is_clean(&answer.text());
    let broken = script(|mut talk| async move {
        talk.head().await;
        talk.say(format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nkey {SA}")).await;
    });
    let (world, a, _upstream) = World::with(broken).await;
    let mut agent = world.tunnel(&a).await;
    agent.say(format!("GET /?key=my-query HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    let all = String::from_utf8(agent.rest().await).unwrap();
    is_clean(&all);
    // Nor does the log.
    let log = format!("{:?}", world.log());
    is_clean(&log);
    assert!(!log.contains("my-query"), "{log}");
}

pub(super) async fn r22_what_has_no_secret_comes_byte_for_byte_with_its_length_and_tag() {
    let mut body: Vec<u8> =
        (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    body.extend_from_slice(&SA.as_bytes()[..40]);
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(&body);
    let (world, a, _upstream) = World::with(fixed(answer)).await;
    let got = world.tunnel(&a).await.get(&a, "/").await;
    assert_eq!(got.header("etag"), Some("\"x\""));
    assert_eq!(got.header("content-length"), Some(body.len().to_string().as_str()));
    assert!(got.body == body);
}

pub(super) async fn r24_another_keys_value_and_an_earlier_version_are_covered_too() {
    let other = "sk-the-secret-of-the-other-service-0123456789";
    let both = format!("{SA} {other}");
    let tells = script(move |mut talk| {
        let both = both.clone();
        async move {
            while let Some(head) = talk.head().await {
                talk.answer("200 OK", "", if head.starts_with("GET /open ") { "" } else { &both }).await;
            }
        }
    });
    let mut plan = Plan::new();
    let (a, _a) = plan.upstream("a.test", &[b"http/1.1"], Arc::clone(&tells)).await;
    let (c, _c) = plan.upstream("c.test", &[b"http/1.1"], tells).await;
    let (second, credential) = plan.source.agent("two");
    plan.bearer("A", SA, &a);
    plan.source.grant(&second, "C", other, &[&c], vec![Injection::bearer()], |_| ());
    let world = plan.start().await;
    assert_eq!(world.tunnel_of(&c, &credential, &[]).await.get(&c, "/open").await.status, 200);
    let first = world.tunnel(&a).await.get(&a, "/").await;
    is_clean(&first.text());
    // The gateway opened each for one agent; it does not tell it to the other.
    assert!(!first.text().contains(other));
    let answer = world.tunnel_of(&c, &credential, &[]).await.get(&c, "/").await;
    is_clean(&answer.text());
    assert!(!answer.text().contains(other));
    world.source.renew(&world.agent, "A", "sk-the-next-version-of-the-secret-of-a");
    let answer = world.tunnel(&a).await.get(&a, "/").await;
    is_clean(&answer.text());
}

pub(super) async fn r24_a_key_that_is_used_while_a_stream_is_open_is_covered_in_the_stream() {
    let late = "sk-of-a-key-that-is-opened-later-0123456789";
    let tail = script(move |mut talk| async move {
        let head = talk.head().await.unwrap();
        if head.contains(late) {
            talk.answer("200 OK", "", "").await;
            return;
        }
        talk.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        for event in ["data: begun\n\n".to_owned(), format!("data: Bearer {late}\n\n")] {
            talk.say(format!("{:x}\r\n{event}\r\n", event.len())).await;
            talk.go_on().await;
        }
    });
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], tail).await;
    for (name, secret, path) in [("A", SA, "/tail"), ("LATE", late, "/late")] {
        let only = |terms: &mut keyward_wire::rule::Terms| terms.paths = Some(vec![path.parse().unwrap()]);
        plan.source.grant(&plan.agent, name, secret, &[&a], vec![Injection::bearer()], only);
    }
    let world = plan.start().await;
    let mut stream = world.tunnel(&a).await;
    stream.say(format!("GET /tail HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    stream.until(b"data: begun\n\n").await.unwrap();
    assert_eq!(world.tunnel(&a).await.get(&a, "/late").await.status, 200);
    upstream.go_on();
    let event = String::from_utf8(stream.until(b"\n\n").await.unwrap()).unwrap();
    assert!(event.contains("data: Bearer ") && !event.contains(&late[6..20]), "{event}");
}

pub(super) async fn r18_r23_the_log_says_once_for_each_answer_that_a_value_was_in_it() {
    let in_head = format!("HTTP/1.1 200 OK\r\nX-Key: {SA}\r\nContent-Length: 0\r\n\r\n");
    let in_body = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SA} {SA}", 2 * SA.len() + 1);
    let nowhere = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned();
    for (answer, rows) in [(in_head, 1), (in_body, 1), (nowhere, 0)] {
        let (world, a, _upstream) = World::with(fixed(answer)).await;
        world.tunnel(&a).await.get(&a, "/").await;
        let log = world.log();
        let covered = log.iter().filter(|line| line["decision"] == "cover" && line["of"] == log[0]["seq"]);
        assert_eq!(log[0]["decision"], "send");
        assert_eq!(covered.filter(|line| line["code"] == "value_in_answer").count(), rows, "{log:?}");
    }
}

pub(super) async fn r18_a_value_too_short_to_be_kept_out_of_answers_is_not_used() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", "123456", &a);
    let world = plan.start().await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.error(), "value_unusable");
    assert_eq!(upstream.connections(), 0);
}
