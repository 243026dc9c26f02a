//! P: what one agent, a stranger or an upstream may take up, and for how long.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use keyward_gateway::Egress;

use crate::upstream::{echo, script, silent};
use crate::world::{Plan, SA, World};

/// As if so much time had passed, for the gateway too.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn p16_connections_without_a_credential_make_room_for_those_that_have_one() {
    let (world, a, _upstream) = World::with(echo()).await;
    let mut first = world.dial().await;
    let mut others = Vec::new();
    for _ in 0..260 {
        others.push(world.dial().await);
        // Each is taken before the next one comes.
        tokio::task::yield_now().await;
    }
    // Long before it would go for being idle.
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), first.rest()).await.unwrap(), b"");
    world.still_works(&a).await;
}

#[tokio::test]
async fn p16_a_silent_answer_a_silent_tunnel_and_a_peer_that_does_not_close_end_by_the_clock() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (a, _a) = plan.upstream("a.test", &[b"http/1.1"], silent()).await;
    let (b, _b) = plan.plain("b.test", silent()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut streaming = world.streaming(&a).await;
    let mut blind = world.blind(&b).await;
    // It agrees to HTTP/2 and never answers a ping.
    let mut deaf = world.tunnel_of(&a, &world.credential, &[b"h2"]).await;
    deaf.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    deaf.take(9).await.unwrap();
    pass(Duration::from_mins(6)).await;
    // The gateway says that it goes.
    deaf.until(b"\x07").await.unwrap();
    pass(Duration::from_mins(1)).await;
    pass(Duration::from_mins(1)).await;
    deaf.rest().await;
    pass(Duration::from_mins(15)).await;
    streaming.rest().await;
    pass(Duration::from_hours(1)).await;
    blind.rest().await;
}

#[tokio::test]
async fn p18_an_upload_may_take_longer_than_an_answer() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    agent.say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: 9\r\n\r\n")).await;
    for part in ["one", "two", "six"] {
        agent.say(part).await;
        upstream.came(part.as_bytes()).await;
        pass(Duration::from_mins(10)).await;
    }
    let answer = agent.answer().await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("onetwosix"));
}

#[tokio::test]
async fn p17_an_upstream_that_never_comes_to_its_answer_is_cut_off() {
    let endless = script(|mut talk| async move {
        talk.head().await;
        for _ in 0..17 {
            talk.say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n").await;
        }
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        talk.head().await;
    });
    let (world, a, _upstream) = World::with(endless).await;
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.error(), "upstream_protocol");
}

#[tokio::test]
async fn s3_a_revocation_waits_for_no_disk_and_no_resolver() {
    let (world, a, _upstream) = World::with(silent()).await;
    let mut agent = world.tunnel(&a).await;
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    agent.until(b"data: 1\n\n").await.unwrap();
    // All threads for work that blocks are taken.
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    for _ in 0..512 {
        let gate = Arc::clone(&gate);
        tokio::task::spawn_blocking(move || {
            let open = gate.0.lock().unwrap();
            drop(gate.1.wait_while(open, |open| !*open).unwrap());
        });
    }
    pass(Duration::from_secs(2)).await;
    // The gateway has begun to bring its log to the disk.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world.source.revoke(&world.credential);
    agent.rest().await;
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
}
