//! P: what one agent, a stranger or an upstream may take up, and for how long.

use std::time::Duration;

use crate::lab::upstream::{echo, script};
use crate::lab::world::World;

pub(super) async fn p16_connections_without_a_credential_make_room_for_those_that_have_one() {
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

pub(super) async fn p17_an_upstream_that_never_comes_to_its_answer_is_cut_off() {
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

pub(super) async fn p16_an_upload_that_stalls_after_its_answer_keeps_nobody_else_waiting() {
    // It answers before it has the body, and would go on to read that.
    let early = script(|mut talk| async move {
        while let Some(head) = talk.head().await {
            talk.answer(if head.starts_with("POST") { "413 Too Large" } else { "200 OK" }, "", "").await;
        }
    });
    let (world, a, upstream) = World::with(early).await;
    let mut stalled = world.tunnel(&a).await;
    let post = format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: 100\r\n\r\n");
    assert_eq!(stalled.ask(post).await.status, 413);
    assert_eq!(world.tunnel(&a).await.get(&a, "/").await.status, 200);
    assert_eq!(upstream.connections(), 2, "the one that waits for the rest is of no use to others");
}
