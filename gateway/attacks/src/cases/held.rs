//! R24: what an agent may use is kept from it, whether it used it or not, and in whatever the gateway can read.

use keyward_gateway::Egress;
use keyward_wire::rule::Injection;

use crate::lab::agent::basic;
use crate::lab::upstream::{Script, fixed, script};
use crate::lab::world::{Plan, SA, World};

const SC: &str = "sk-the-secret-of-the-other-service-0123456789";

/// An answer that lists the secret of a.test, as a platform does that is asked for its settings.
fn listing() -> Script {
    let body = format!("A={SA}\n");
    fixed(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

pub(super) async fn r24_a_key_that_nobody_ever_used_is_covered_in_the_answer_to_whom_it_is_granted() {
    let mut plan = Plan::new();
    let (c, _c) = plan.upstream("c.test", &[b"http/1.1"], listing()).await;
    plan.bearer("A", SA, "a.test");
    plan.bearer("C", SC, &c);
    let world = plan.start().await;
    let answer = world.tunnel(&c).await.get(&c, "/").await;
    assert!(answer.text().starts_with("A=") && !answer.text().contains(&SA[..12]), "{}", answer.text());
    assert!(world.log().iter().any(|line| line["decision"] == "cover"));
}

pub(super) async fn r24_a_key_that_is_granted_while_a_stream_is_open_is_covered_in_the_stream() {
    let tail = script(|mut talk| async move {
        talk.head().await.unwrap();
        talk.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        for event in ["data: begun\n\n".to_owned(), format!("data: {SA}\n\n")] {
            talk.say(format!("{:x}\r\n{event}\r\n", event.len())).await;
            talk.go_on().await;
        }
    });
    let mut plan = Plan::new();
    let (c, upstream) = plan.upstream("c.test", &[b"http/1.1"], tail).await;
    plan.bearer("C", SC, &c);
    let world = plan.start().await;
    let mut stream = world.tunnel(&c).await;
    stream.say(format!("GET / HTTP/1.1\r\nHost: {c}\r\n\r\n")).await;
    stream.until(b"data: begun\n\n").await.unwrap();
    world.source.grant(&world.agent, "A", SA, &["a.test"], vec![Injection::bearer()], |_| ());
    upstream.go_on();
    let event = String::from_utf8(stream.until(b"\n\n").await.unwrap()).unwrap();
    assert!(event.contains("data: ") && !event.contains(&SA[..12]), "{event}");
}

pub(super) async fn r24_what_comes_in_the_clear_is_looked_through_like_all_else() {
    let coded = b"HTTP/1.1 200 OK\r\nContent-Encoding: exi\r\nContent-Length: 2\r\n\r\nxx".to_vec();
    let part =
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nxx".to_vec();
    // An agent with a key that was not used, and one without any: the same rule.
    for granted in [true, false] {
        for (answer, is_clean) in
            [(listing(), true), (fixed(coded.clone()), false), (fixed(part.clone()), false)]
        {
            if is_clean && !granted {
                // Nobody's value is nobody's secret.
                continue;
            }
            let mut plan = Plan::new();
            plan.egress = Egress::Allow;
            let (b, upstream) = plan.plain("b.test", answer).await;
            if granted {
                plan.bearer("A", SA, "a.test");
            }
            let world: World = plan.start().await;
            let auth = basic(&world.credential);
            let coding = "Accept-Encoding: gzip, zstd, exi\r\nRange: bytes=0-1\r\n";
            let request = format!("GET http://{b}/ HTTP/1.1\r\nHost: {b}\r\n{coding}{auth}\r\n");
            let told = world.dial().await.ask(request).await;
            assert_eq!(told.status, if is_clean { 200 } else { 502 }, "{granted}: {told:?}");
            if is_clean {
                assert!(!told.text().contains(&SA[..12]), "{told:?}");
            } else {
                assert_eq!(told.error(), "scrub_unreadable");
            }
            let asked = upstream.text();
            assert!(asked.contains("accept-encoding: gzip\r\n") && !asked.contains("range"), "{asked}");
        }
    }
}
