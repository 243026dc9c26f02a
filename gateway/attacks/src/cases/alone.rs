//! What moves the clock, takes all threads or measures memory, and so needs a process of its own.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use keyward_gateway::Egress;

use crate::lab::upstream::{echo, script, silent};
use crate::lab::world::{Plan, SA, World};

/// As if so much time had passed, for the gateway too.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

pub(super) async fn p16_a_silent_answer_a_silent_tunnel_and_a_peer_that_does_not_close_end_by_the_clock() {
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

pub(super) async fn p18_an_upload_may_take_longer_than_an_answer() {
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

pub(super) async fn s3_a_revocation_waits_for_no_disk_and_no_resolver() {
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

/// Megabytes of this process.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

pub(super) async fn p18_bodies_of_any_size_are_streamed_in_bounded_memory() {
    const MIB: usize = 40;
    let counts = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            if head.starts_with("GET") {
                talk.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MIB << 20)).await;
                for _ in 0..MIB {
                    talk.say(vec![b'x'; 1 << 20]).await;
                }
            } else {
                let mut sum = 0;
                for _ in 0..MIB {
                    sum += talk.take_unseen(1 << 20).await;
                }
                talk.answer("200 OK", "", sum.to_string()).await;
            }
        }
    });
    let (world, a, _upstream) = World::with(counts).await;
    let mut agent = world.tunnel(&a).await;
    let before = resident_mib();
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n\r\n")).await;
    agent.until(b"\r\n\r\n").await.unwrap();
    for _ in 0..MIB {
        assert!(agent.take(1 << 20).await.unwrap().iter().all(|byte| *byte == b'x'));
    }
    agent.say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: {}\r\n\r\n", MIB << 20)).await;
    for _ in 0..MIB {
        agent.say(vec![b'y'; 1 << 20]).await;
    }
    assert_eq!(agent.answer().await.unwrap().text(), (MIB << 20).to_string());
    let grown = resident_mib() - before;
    assert!(grown < 24, "{grown} MiB more for {MIB} MiB each way");
}
