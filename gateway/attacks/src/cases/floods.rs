//! P: more of something than anybody needs.

use crate::lab::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, GO_AWAY, HEADERS, PREFACE, RESET, block, frame, request,
};
use crate::lab::upstream::echo;
use crate::lab::world::World;

/// Whether a connection was told to go away, or went.
fn has_gone(frames: &[u8]) -> bool {
    let mut rest = frames;
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
        if *kind == GO_AWAY {
            return true;
        }
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        rest = after.get(length..).unwrap_or_default();
    }
    frames.is_empty()
}

pub(super) async fn p9_headers_that_never_end_are_not_collected() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel_of(&a, &world.credential, &[b"h2"]).await;
    agent.say([PREFACE, &frame(HEADERS, END_STREAM, 1, &block(&request("GET", &a, "/")))].concat()).await;
    let more = frame(CONTINUATION, 0, 1, &block(&vec![("x", "y"); 2000]));
    for _ in 0..2000 {
        agent.say(&more).await;
    }
    assert!(has_gone(&agent.rest().await));
    // Nor are empty pieces of them.
    let mut agent = world.tunnel_of(&a, &world.credential, &[b"h2"]).await;
    agent.say([PREFACE, &frame(HEADERS, END_STREAM, 1, &block(&request("GET", &a, "/")))].concat()).await;
    let nothing = frame(CONTINUATION, 0, 1, b"").repeat(1000);
    for _ in 0..1000 {
        agent.say(&nothing).await;
    }
    assert!(has_gone(&agent.rest().await));
    assert_eq!(upstream.connections(), 0);
    world.still_works(&a).await;
}

pub(super) async fn p9_ten_thousand_headers_are_refused() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel_of(&a, &world.credential, &[b"h2"]).await;
    agent.say([PREFACE, &frame(HEADERS, END_STREAM, 1, &block(&request("GET", &a, "/")))].concat()).await;
    for count in 0..10 {
        let last = if count == 9 { END_HEADERS } else { 0 };
        agent.say(frame(CONTINUATION, last, 1, &block(&vec![("x", "y"); 1000]))).await;
    }
    // A stream that asks for something plain, if there still is a connection.
    agent.say(frame(HEADERS, END_STREAM | END_HEADERS, 3, &block(&request("GET", &a, "/plain")))).await;
    agent.say(frame(GO_AWAY, 0, 0, &[0; 8])).await;
    agent.rest().await;
    assert!(!upstream.text().contains("GET / "), "{}", upstream.text());
    world.still_works(&a).await;
}

pub(super) async fn p9_streams_that_are_taken_back_at_once_end_the_connection() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel_of(&a, &world.credential, &[b"h2"]).await;
    let headers = block(&request("POST", &a, "/"));
    let mut bytes = PREFACE.to_vec();
    for stream in 0..10_000 {
        bytes.extend(frame(HEADERS, END_HEADERS, stream * 2 + 1, &headers));
        bytes.extend(frame(RESET, 0, stream * 2 + 1, &8_u32.to_be_bytes()));
    }
    agent.say(bytes).await;
    assert!(has_gone(&agent.rest().await));
    assert!(upstream.connections() < 1000, "{} connections", upstream.connections());
    world.still_works(&a).await;
}
