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

use crate::lab::frames::{self, END_HEADERS, END_STREAM, HEADERS, PREFACE, block, frame};
use crate::lab::quiet::Quiet;
use crate::lab::record;
use crate::lab::upstream::{PAUSE, Script, echo, script};
use crate::lab::world::{Plan, SA, World};

/// A body of these frames.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
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

async fn http2_agent<B>(world: &World, to: &str) -> http2::SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let agent = world.tunnel_of(to, &world.credential, &[b"h2"]).await;
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(agent.into_io())).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(url: &str, body: &'static str) -> Request<Frames> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let frames =
        if body.is_empty() { VecDeque::new() } else { VecDeque::from([Frame::data(Bytes::from(body))]) };
    Request::builder().method(method).uri(url).header("te", "trailers").body(Frames(frames)).unwrap()
}

async fn text(answer: Response<Incoming>) -> (String, HeaderMap) {
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
    let (a, upstream) = plan.upstream("a.test", &[b"h2"], echo_http2()).await;
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

type Fields = Vec<(&'static str, String)>;

/// One request in frames of HTTP/2, with headers exactly as they are listed; what happens to its stream.
async fn raw_http2(world: &World, a: &str, fields: &[(&str, &str)]) -> String {
    let mut agent = world.tunnel_of(a, &world.credential, &[b"h2"]).await;
    agent.say([PREFACE, &frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields))].concat()).await;
    loop {
        let Some(head) = agent.take(9).await else { return "closed".to_owned() };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = agent.take(length).await.unwrap_or_default();
        match head[3] {
            1 => {
                // Statuses of the static table, or a literal in digits.
                let status = match payload[0] {
                    0x88 => "200".to_owned(),
                    0x8c => "400".to_owned(),
                    _ => {
                        let digits = payload.windows(3).find(|part| part.iter().all(u8::is_ascii_digit));
                        digits.map_or("huffman".to_owned(), |part| String::from_utf8(part.to_vec()).unwrap())
                    }
                };
                return status;
            }
            3 => return "reset".to_owned(),
            7 => return "goaway".to_owned(),
            _ => {}
        }
    }
}

pub(super) async fn d6_d18_p9_streams_for_another_host_or_with_the_marks_of_http1_get_nothing() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"h2"], echo_http2()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let plain = [(":method", "GET"), (":scheme", "https"), (":authority", a.as_str()), (":path", "/")];
    assert_eq!(raw_http2(&world, &a, &plain).await, "200");
    let before = upstream.connections();
    let with = |change: &dyn Fn(&mut Fields)| {
        let mut fields: Fields = vec![
            (":method", "GET".into()),
            (":scheme", "https".into()),
            (":authority", a.clone()),
            (":path", "/".into()),
        ];
        change(&mut fields);
        fields
    };
    for (fields, what) in [
        (with(&|fields| fields[2].1 = "b.test".into()), "another authority"),
        (with(&|fields| fields.push(("host", "b.test".into()))), "another host"),
        (with(&|fields| fields.insert(3, (":authority", "b.test".into()))), "two authorities"),
        (with(&|fields| fields[1].1 = "http".into()), "in the clear"),
        (with(&|fields| fields[3].1 = "/a b".into()), "a blank in the path"),
        (with(&|fields| fields[3].1 = "/../x".into()), "a path to be normalised"),
        (with(&|fields| fields[3].1 = "*".into()), "no path"),
        (with(&|fields| fields.push(("transfer-encoding", "chunked".into()))), "a length of HTTP/1.1"),
        (with(&|fields| fields.push(("connection", "close".into()))), "a connection"),
        (with(&|fields| fields.push(("x", "a\r\nx-evil: 1".into()))), "a line end"),
        (with(&|fields| fields.push(("x\r\nx-evil", "1".into()))), "a line end in a name"),
        (with(&|fields| fields.push(("X-Upper", "1".into()))), "a capital letter"),
        (with(&|fields| fields[0].1 = "TRACE".into()), "a method that shows the request"),
    ] {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let got = raw_http2(&world, &a, &fields).await;
        assert!(got != "200" && !got.starts_with('2'), "{what}: {got}");
    }
    assert_eq!(upstream.connections(), before, "nothing of these went on");
}

pub(super) async fn p6_p7_a_body_that_only_some_servers_expect_does_not_come_out_of_http2() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: other\r\nX: ";
    for (method, length) in [("GET", true), ("GET", false), ("HEAD", true), ("HEAD", false)] {
        let mut agent = http2_agent(&world, &a).await;
        let mut smuggling = request(&format!("https://{a}/x"), smuggled);
        *smuggling.method_mut() = method.parse().unwrap();
        if length {
            smuggling.headers_mut().insert("content-length", smuggled.len().into());
        }
        let answer = agent.send_request(smuggling).await.unwrap();
        assert_eq!(answer.status(), 400, "{method}, length: {length}");
    }
    let with = |fields: &[(&'static str, &str)]| {
        let mut all = vec![
            (":method", "POST".to_owned()),
            (":scheme", "https".to_owned()),
            (":authority", a.clone()),
            (":path", "/x".to_owned()),
        ];
        for (name, value) in fields {
            match all.iter_mut().find(|(own, _)| own == name && name.starts_with(':')) {
                Some((_, own)) => (*own).clone_from(&(*value).to_owned()),
                None => all.push((name, (*value).to_owned())),
            }
        }
        all
    };
    let many: Vec<(&'static str, &str)> = vec![("x", "y"); 101];
    for fields in [
        with(&[("content-length", "0"), ("content-length", "00")]),
        with(&[("content-length", "+0")]),
        with(&[("http2-settings", "AA")]),
        with(&[(":path", "/x|y")]),
        with(&[(":path", "/x?y^z")]),
        with(&[(":path", "/x?\"")]),
        with(&many),
    ] {
        let list: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let got = raw_http2(&world, &a, &list).await;
        assert!(got == "400" || got == "431" || got == "huffman" || got == "reset", "{fields:?}: {got}");
    }
    assert_eq!(upstream.connections(), 0);
    // A body that is empty and says so late is none.
    let mut agent = http2_agent(&world, &a).await;
    assert_eq!(agent.send_request(request(&format!("https://{a}/x"), "")).await.unwrap().status(), 200);
    assert!(!upstream.text().contains("smuggled"));
    world.still_works(&a).await;
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

pub(super) async fn p2_a_target_comes_out_of_http2_as_it_went_in_or_not_at_all() {
    let mut plan = Plan::new();
    let (one, first) = plan.upstream("one.test", &[b"http/1.1"], echo()).await;
    let (two, _two) = plan.upstream("two.test", &[b"h2"], echo_http2()).await;
    plan.bearer("ONE", SA, &one);
    plan.bearer("TWO", SA, &two);
    let world = plan.start().await;
    for path in ["/a/", "/a;b/c", "/%E4?x=%ff", "/a?x=/../y//", "/a?", "/:@!$&'()*+,=", "/a?b?c"] {
        assert_eq!(raw_http2(&world, &one, &frames::request("GET", &one, path)).await, "200", "{path}");
        assert!(first.text().contains(&format!("GET {path} HTTP/1.1\r\n")), "{path}: {}", first.text());
        let mut agent = http2_agent(&world, &two).await;
        let answer = agent.send_request(request(&format!("https://{two}{path}"), "")).await.unwrap();
        let (text, _) = text(answer).await;
        assert!(text.starts_with(&format!("GET https://{two}{path} ")), "{path}: {text}");
    }
    // What follows is the client's own, and is gone before anybody looks: what is left is judged and sent.
    assert_eq!(raw_http2(&world, &one, &frames::request("GET", &one, "/fragment#/../x")).await, "200");
    assert!(first.text().contains("GET /fragment HTTP/1.1\r\n"));
    let before = first.bytes().len();
    for path in [
        "/a/%2e%2e/b",
        "/a//b",
        "/a\\b",
        "/..",
        "/./a",
        "/%252e/",
        "/..;/a",
        "/a%00",
        "/{a}",
        "/a|b",
        "/a^b",
        "a",
        "",
        "https://x.test/",
        "//x.test/",
    ] {
        let got = raw_http2(&world, &one, &frames::request("GET", &one, path)).await;
        assert!(matches!(got.as_str(), "400" | "huffman" | "reset" | "goaway"), "{path}: {got}");
    }
    assert_eq!(first.bytes().len(), before);
}
