//! HTTP/2, frame by frame: what must not come out of it.

use crate::cases::protocols::{echo_http2, http2_agent, request, text};
use crate::lab::frames::{self, END_HEADERS, END_STREAM, HEADERS, PREFACE, block, frame};
use crate::lab::upstream::echo;
use crate::lab::world::{Plan, SA, World};

type Fields = Vec<(&'static str, String)>;

/// Sends a request in frames of HTTP/2, with headers exactly as they are listed, and returns what happens to its stream.
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
