//! WebSocket: the handshake, messages both ways, and their end.

use crate::lab::upstream::{PAUSE, Script, fixed, script};
use crate::lab::world::{SA, World};

/// The answer to the handshake of [`UPGRADE`] (RFC 6455, 1.3).
const UPGRADED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(super) async fn r14_websocket_messages_pass_both_ways_and_the_key_does_not() {
    let socket = script(|mut talk| async move {
        let head = talk.head().await.unwrap();
        if head.to_lowercase().contains("deflate") {
            return;
        }
        let covered = format!("X-Key: {SA}\r\n");
        talk.say(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n{covered}\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        ))
        .await;
        // A masked text of five bytes; then an answer in two frames with a piece of the key in each, and a pause between.
        assert_eq!(talk.take(11).await.len(), 11);
        let (start, end) = SA.split_at(20);
        for (first, part) in [(0x01, start), (0x80, end)] {
            talk.say([&[first, u8::try_from(part.len()).unwrap()], part.as_bytes()].concat()).await;
            tokio::time::sleep(PAUSE).await;
        }
        talk.say(b"\x88\0").await;
    });
    let (world, a, upstream) = World::with(socket).await;
    let mut agent = world.tunnel(&a).await;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {a}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
         Sec_WebSocket_Extensions: permessage-deflate\r\nSec.WebSocket.Extensions: permessage-deflate\r\n\r\n"
    );
    let answer = agent.ask(request).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert!(!answer.head.contains(SA));
    assert!(upstream.text().contains(SA));
    agent.say(b"\x81\x85\0\0\0\0hello").await;
    let frames = agent.rest().await;
    assert_eq!(frames.len(), 2 + 20 + 2 + (SA.len() - 20) + 2);
    let text = String::from_utf8_lossy(&frames).into_owned();
    assert!(!text.contains(&SA[..12]) && !text.contains(&SA[24..36]), "{text}");
    assert!(upstream.text().ends_with("hello"));
}

pub(super) async fn p15_what_is_no_handshake_opens_nothing() {
    for (answer, status) in [
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_owned(), 502),
        (UPGRADED.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), 502),
        // Somebody had a server say so who knows nothing of the key that was sent.
        (UPGRADED.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x"), 502),
        (UPGRADED.replace("\r\n\r\n", "\r\nSec-WebSocket-Accept: x\r\n\r\n"), 502),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned(), 403),
    ] {
        let (world, a, _upstream) = World::with(fixed(answer.as_str())).await;
        let request = format!("GET / HTTP/1.1\r\nHost: {a}\r\n{UPGRADE}");
        assert_eq!(world.tunnel(&a).await.ask(request).await.status, status, "{answer}");
    }
    let (world, a, upstream) = World::with(fixed(UPGRADED)).await;
    for odd in [
        UPGRADE.replace("13", "8"),
        UPGRADE.replace("Sec-WebSocket-Version: 13\r\n", ""),
        UPGRADE.replace("Sec-WebSocket-Key", "X-Key"),
        format!("Sec-WebSocket-Key: x\r\n{UPGRADE}"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {a}\r\n{odd}");
        assert_eq!(world.tunnel(&a).await.ask(request).await.status, 400, "{odd}");
    }
    assert_eq!(upstream.connections(), 0);
}

/// A WebSocket that says nothing.
fn silent_socket() -> Script {
    script(|mut talk| async move {
        talk.head().await;
        talk.say(UPGRADED).await;
        talk.head().await;
    })
}

pub(super) async fn s3_a_revoked_agents_websocket_is_cut() {
    let (world, a, _upstream) = World::with(silent_socket()).await;
    let mut agent = world.tunnel(&a).await;
    let answer = agent.ask(format!("GET / HTTP/1.1\r\nHost: {a}\r\n{UPGRADE}")).await;
    assert_eq!(answer.status, 101);
    world.source.exclude(&world.agent, "A");
    agent.rest().await;
}

pub(super) async fn s4_a_websocket_is_cut_when_grants_are_too_old() {
    let (world, a, _upstream) = World::with(silent_socket()).await;
    let mut agent = world.tunnel(&a).await;
    let answer = agent.ask(format!("GET / HTTP/1.1\r\nHost: {a}\r\n{UPGRADE}")).await;
    assert_eq!(answer.status, 101);
    world.source.go_stale();
    agent.rest().await;
}

pub(super) async fn p15_what_is_sent_before_the_handshake_is_answered_waits_for_it() {
    // The service has no such socket: what follows is a request like any other, and judged.
    let no = script(|mut talk| async move {
        while talk.head().await.is_some() {
            talk.go_on().await;
            talk.answer("403 Forbidden", "", "").await;
        }
    });
    let (world, a, upstream) = World::with(no).await;
    let mut agent = world.tunnel(&a).await;
    let early = "GET /early HTTP/1.1\r\nHost: other.test\r\n\r\n";
    agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\n{UPGRADE}{early}")).await;
    upstream.came(b"\r\n\r\n").await;
    upstream.go_on();
    assert_eq!(agent.answer().await.unwrap().status, 403);
    if let Some(answer) = agent.answer().await {
        assert_eq!(answer.status, 421);
    }
    assert!(!upstream.text().contains("early"), "{}", upstream.text());
}
