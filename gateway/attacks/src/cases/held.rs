//! R24: what an agent may use is kept from it, whether it used it or not, and in whatever the gateway can read.

use keyward_wire::rule::Injection;

use crate::lab::upstream::{Script, fixed, script};
use crate::lab::world::{Plan, SA};

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
