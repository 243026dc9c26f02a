//! HTTP/1.1 and HTTP/2 on both sides, streams, trailers, size.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::lab::quiet::Quiet;
use crate::lab::record;
use crate::lab::upstream::{PAUSE, Script, echo, script};
use crate::lab::world::{Plan, SA, World};

/// A body of these frames.
pub(super) struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

/// An HTTP/2 upstream that answers with what it was told.
pub(super) fn echo_http2() -> Script {
    script(|talk| async move {
        let service = service_fn(|request: Request<Incoming>| async move {
            let (parts, body) = request.into_parts();
            let head = format!("{} {} {:?}\n", parts.method, parts.uri, parts.headers.keys());
            let key = parts.headers.get("authorization").map(|key| key.to_str().unwrap().to_owned());
            let body = body.collect().await?;
            let trailed = body.trailers().map(|trailers| format!("{trailers:?}")).unwrap_or_default();
            let body = body.to_bytes();
            let mut frames = VecDeque::from([
                Frame::data(Bytes::from(head + &key.unwrap_or_default() + &trailed)),
                Frame::data(body),
            ]);
            if parts.headers.get("te").is_some_and(|te| te == "trailers") {
                let mut end = HeaderMap::new();
                end.insert("grpc-status", HeaderValue::from_static("0"));
                end.insert("grpc-message", HeaderValue::from_static(SA));
                frames.push_back(Frame::trailers(end));
            }
            Ok::<_, hyper::Error>(Response::new(Frames(frames)))
        });
        let io = TokioIo::new(talk.written_down());
        let _ = hyper::server::conn::http2::Builder::new(Quiet).serve_connection(io, service).await;
    })
}

/// Clients of gRPC take the end of an answer in a frame of its own for a fault.
pub(super) async fn an_answer_ends_with_its_last_piece_and_one_without_a_body_with_its_head() {
    let script = script(|talk| async move {
        let service = service_fn(|request: Request<Incoming>| async move {
            let frames = match request.uri().path() {
                "/none" => VecDeque::new(),
                _ => VecDeque::from([Frame::data(Bytes::from("one\n")), Frame::data(Bytes::from("two"))]),
            };
            Ok::<_, Infallible>(Response::new(Frames(frames)))
        });
        let io = TokioIo::new(talk.written_down());
        let _ = hyper::server::conn::http2::Builder::new(Quiet).serve_connection(io, service).await;
    });
    let mut plan = Plan::new();
    let (a, _upstream) = plan.upstream("a.test", &[b"h2"], script).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut agent = http2_agent(&world, &a).await;
    let answer = agent.send_request(request(&format!("https://{a}/none"), "")).await.unwrap();
    assert!(answer.status() == 200 && answer.body().is_end_stream());
    let mut body = agent.send_request(request(&format!("https://{a}/"), "")).await.unwrap().into_body();
    let mut came = Vec::new();
    while !body.is_end_stream() {
        came.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    assert_eq!(came, b"one\ntwo");
    assert!(body.frame().await.is_none());
}

pub(super) async fn http2_agent<B>(world: &World, to: &str) -> http2::SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let agent = world.tunnel_of(to, &world.credential, &[b"h2"]).await;
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(agent.into_io())).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) fn request(url: &str, body: &'static str) -> Request<Frames> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let frames =
        if body.is_empty() { VecDeque::new() } else { VecDeque::from([Frame::data(Bytes::from(body))]) };
    Request::builder().method(method).uri(url).header("te", "trailers").body(Frames(frames)).unwrap()
}

pub(super) async fn text(answer: Response<Incoming>) -> (String, HeaderMap) {
    record::heard(format!("{:?}", answer.headers()));
    let collected = answer.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    record::heard(format!("{trailers:?}"));
    let body = collected.to_bytes();
    record::heard_body(None, &body);
    (String::from_utf8(body.to_vec()).unwrap(), trailers)
}

pub(super) async fn l8_r10_http2_on_both_sides_with_trailers_and_a_key_that_no_table_keeps() {
    let mut plan = Plan::new();
    let (a, upstream) = loop {
        let (a, upstream) = plan.upstream("a.test", &[b"h2"], echo_http2()).await;
        // Coded by Huffman, a port such as 46911 has the very bytes in it that are counted below.
        if !a.contains("691") {
            break (a, upstream);
        }
    };
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut agent = http2_agent(&world, &a).await;
    let answer = agent.send_request(request(&format!("https://{a}/x?y"), "hello")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let (text, trailers) = text(answer).await;
    assert!(text.starts_with(&format!("POST https://{a}/x?y ")) && text.ends_with("hello"), "{text}");
    assert!(!text.contains(SA) && text.contains("Bearer "));
    assert_eq!(trailers["grpc-status"], "0");
    assert!(!trailers["grpc-message"].to_str().unwrap().contains(&SA[..12]), "{trailers:?}");
    assert_eq!(upstream.connections(), 1);
    // RFC 7541, 6.2.3: a literal that is never indexed, with the static table's name 23, authorization.
    let never_indexed = |bytes: &[u8]| bytes.windows(2).filter(|pair| pair == b"\x1f\x08").count();
    assert_eq!(never_indexed(&upstream.bytes()), 1);
    agent.send_request(request(&format!("https://{a}/x?y"), "")).await.unwrap();
    assert_eq!(never_indexed(&upstream.bytes()), 2);
}

pub(super) async fn a_hundred_streams_side_by_side_share_one_connection_to_the_upstream() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"h2"], echo_http2()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let agent = http2_agent(&world, &a).await;
    let mut all = tokio::task::JoinSet::new();
    for count in 0..100 {
        let (mut agent, url) = (agent.clone(), format!("https://{a}/{count}"));
        all.spawn(async move { (count, text(agent.send_request(request(&url, "")).await.unwrap()).await.0) });
    }
    for (count, text) in all.join_all().await {
        assert!(text.starts_with(&format!("GET https://{a}/{count} ")), "{text}");
    }
    assert_eq!(upstream.connections(), 1);
}

pub(super) async fn p15_trailers_of_a_request_go_no_further_than_the_gateway() {
    let mut plan = Plan::new();
    let (a, _upstream) = plan.upstream("a.test", &[b"h2"], echo_http2()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let body = "2\r\nhi\r\n0\r\nAuthorization: Bearer mine\r\nX-Mine: 1\r\n\r\n";
    let head =
        format!("POST / HTTP/1.1\r\nHost: {a}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Mine\r\n\r\n");
    let answer = world.tunnel(&a).await.ask(head + body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("hi") && !answer.text().contains("mine"), "{}", answer.text());
}

pub(super) async fn an_agents_next_tunnel_takes_the_connection_that_an_ended_one_left() {
    const TUNNELS: usize = 40;
    let (world, a, upstream) = World::with(echo()).await;
    for _ in 0..TUNNELS {
        let mut agent = world.tunnel(&a).await;
        agent.say(format!("GET / HTTP/1.1\r\nHost: {a}\r\nConnection: close\r\n\r\n")).await;
        assert!(agent.rest().await.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    assert!(upstream.connections() < TUNNELS / 2, "{} connections", upstream.connections());
}

pub(super) async fn http2_in_front_of_http1_and_the_reverse() {
    let mut plan = Plan::new();
    let (one, upstream) = plan.upstream("one.test", &[b"http/1.1"], echo()).await;
    let (two, _two) = plan.upstream("two.test", &[b"h2"], echo_http2()).await;
    plan.bearer("ONE", SA, &one);
    plan.bearer("TWO", SA, &two);
    let world = plan.start().await;
    let mut agent = http2_agent(&world, &one).await;
    let answer = agent.send_request(request(&format!("https://{one}/a?b"), "hello")).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    text(answer).await;
    let seen = upstream.text();
    assert!(
        seen.starts_with("POST /a?b HTTP/1.1\r\n") && seen.contains(&format!("host: {one}\r\n")),
        "{seen}"
    );
    assert!(seen.contains("hello"));
    let answer = world
        .tunnel(&two)
        .await
        .ask(format!("POST /x HTTP/1.1\r\nHost: {two}\r\nContent-Length: 2\r\n\r\nhi"))
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with(&format!("POST https://{two}/x ")) && answer.text().ends_with("hi"));
}

/// An HTTP/2 upstream that sends what the parts say, of this type, with a pause after each.
fn slow_http2(kind: &'static str, parts: [&'static str; 2]) -> Script {
    script(move |talk| async move {
        let service = service_fn(move |_| async move {
            let (sender, body) = tokio::sync::mpsc::channel(1);
            tokio::spawn(async move {
                for part in parts {
                    let _ = sender.send(Frame::data(Bytes::from(part))).await;
                    tokio::time::sleep(PAUSE).await;
                }
            });
            let answer = Response::builder().header("content-type", kind);
            Ok::<_, Infallible>(answer.body(Slow(body)).unwrap())
        });
        let io = TokioIo::new(talk.written_down());
        let _ = hyper::server::conn::http2::Builder::new(Quiet).serve_connection(io, service).await;
    })
}

struct Slow(tokio::sync::mpsc::Receiver<Frame<Bytes>>);

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

pub(super) async fn r7_a_secret_in_whose_midst_an_http2_upstream_pauses_is_covered() {
    let (start, end) = SA.split_at(40);
    let mut plan = Plan::new();
    let (a, _upstream) =
        plan.upstream("a.test", &[b"h2"], slow_http2("application/json", [start, end])).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut agent = http2_agent(&world, &a).await;
    let answer = agent.send_request(request(&format!("https://{a}/"), "")).await.unwrap();
    let (text, _) = text(answer).await;
    assert_eq!(text.len(), SA.len());
    assert!(
        !SA.as_bytes().windows(8).any(|part| text.as_bytes().windows(8).any(|told| told == part)),
        "{text}"
    );
}

/// The first frame of an answer that says something.
async fn first(answer: &mut Response<Incoming>) -> Bytes {
    loop {
        let frame = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        if !frame.is_empty() {
            return frame;
        }
    }
}

pub(super) async fn a_message_of_grpc_is_delivered_before_the_next_is_sent() {
    let echo = script(|talk| async move {
        let _ = hyper::server::conn::http2::Builder::new(Quiet)
            .serve_connection(TokioIo::new(talk.written_down()), service_fn(echo_messages))
            .await;
    });
    let mut plan = Plan::new();
    let (a, _upstream) = plan.upstream("a.test", &[b"h2"], echo).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut agent = http2_agent(&world, &a).await;
    let (sender, body) = tokio::sync::mpsc::channel(1);
    let request = Request::builder().method("POST").uri(format!("https://{a}/s/m"));
    let request = request.header("content-type", "application/grpc").header("grpc-accept-encoding", "gzip");
    let (answer, ()) = tokio::join!(agent.send_request(request.body(Slow(body)).unwrap()), async {
        sender.send(Frame::data(Bytes::from_static(b"\0\0\0\0\x05hello"))).await.unwrap();
    });
    let mut answer = answer.unwrap();
    assert_eq!(answer.headers()["x-agreed"], "none");
    assert_eq!(first(&mut answer).await, &b"\0\0\0\0\x05hello"[..]);
    sender.send(Frame::data(Bytes::from_static(b"\0\0\0\0\0"))).await.unwrap();
    assert_eq!(first(&mut answer).await, &b"\0\0\0\0\0"[..]);
    // A message that is compressed all the same cannot be looked through.
    sender.send(Frame::data(Bytes::from_static(b"\x01\0\0\0\x01x"))).await.unwrap();
    assert!(answer.frame().await.unwrap().is_err());
}

/// Sends back each piece of the body as it comes.
async fn echo_messages(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    let agreed = request.headers().get("grpc-accept-encoding").cloned();
    let answer = Response::builder()
        .header("content-type", "application/grpc+proto")
        .header("x-agreed", agreed.unwrap_or(HeaderValue::from_static("none")));
    Ok(answer.body(request.into_body()).unwrap())
}

pub(super) async fn an_agent_that_waits_for_100_continue_gets_it_from_whoever_takes_the_body() {
    let (world, a, upstream) = World::with(echo()).await;
    let mut agent = world.tunnel(&a).await;
    agent
        .say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"))
        .await;
    assert_eq!(agent.until(b"\r\n\r\n").await.unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    let answer = agent.ask("hello").await;
    assert!(answer.text().ends_with("hello") && upstream.text().ends_with("hello"));
    // A request that is refused never gets it.
    let mut agent = world.tunnel(&a).await;
    let answer = agent
        .ask("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(answer.status, 421);
}

pub(super) async fn r4_a_coded_answer_is_read_covered_and_given_in_plain_even_if_it_says_that_its_coding_ends_here()
 {
    use std::io::Write as _;
    let mut coded = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    coded.write_all(format!("key {SA} end").as_bytes()).unwrap();
    let coded = coded.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: content-encoding\r\nETag: \"1\"\r\n\
         Content-Length: {}\r\n\r\n",
        coded.len()
    );
    let (world, a, upstream) =
        World::with(crate::lab::upstream::fixed([head.as_bytes(), &coded].concat())).await;
    let mut agent = world.tunnel(&a).await;
    for _ in 0..2 {
        let answer =
            agent.ask(format!("GET / HTTP/1.1\r\nHost: {a}\r\nAccept-Encoding: gzip, zstd\r\n\r\n")).await;
        assert_eq!(
            (answer.status, answer.header("content-encoding"), answer.header("etag")),
            (200, None, Some("W/\"1\""))
        );
        assert!(answer.text().starts_with("key ") && answer.text().ends_with(" end"));
        assert!(!answer.text().contains(&SA[..12]));
    }
    assert!(upstream.text().contains("accept-encoding: gzip\r\n"), "{}", upstream.text());
    assert_eq!(upstream.connections(), 1);
}

pub(super) async fn r7_a_secret_cut_anywhere_between_frames_is_covered() {
    let cut = script(|talk| async move {
        let service = service_fn(|request: Request<Incoming>| async move {
            let (start, end) = SA.split_at(request.uri().path()[1..].parse().unwrap());
            let parts = [start, end].map(|part| Frame::data(Bytes::from(part)));
            Ok::<_, Infallible>(Response::new(Frames(parts.into())))
        });
        let io = TokioIo::new(talk.written_down());
        let _ = hyper::server::conn::http2::Builder::new(Quiet).serve_connection(io, service).await;
    });
    let mut plan = Plan::new();
    let (a, _upstream) = plan.upstream("a.test", &[b"h2"], cut).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let mut agent = http2_agent(&world, &a).await;
    for at in 1..SA.len() {
        let answer = agent.send_request(request(&format!("https://{a}/{at}"), "")).await.unwrap();
        let (text, _) = text(answer).await;
        assert_eq!(text.len(), SA.len(), "cut at {at}");
        assert!(!SA.as_bytes().windows(8).any(|part| text.as_bytes().windows(8).any(|told| told == part)));
    }
}
