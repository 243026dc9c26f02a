//! H: an agent's placeholders, in the wrong place, too often, or somebody else's.

use data_encoding::BASE64;
use keyward_wire::rule::Injection;

use crate::lab::agent::Answer;
use crate::lab::upstream::{Upstream, echo};
use crate::lab::world::{Plan, SA, World};

/// The secret of c.test.
const SC: &str = "sk-C7mWq2ZtLx9RvYbN4pHs6KdG3uJf8EoT5cQa1iMnB";

/// Two hosts with a key each.
async fn two() -> (World, String, Upstream, String) {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let (c, _) = plan.upstream("c.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    plan.bearer("C", SC, &c);
    (plan.start().await, a, upstream, c)
}

async fn with(world: &World, a: &str, headers: &str) -> Answer {
    world.tunnel(a).await.ask(format!("GET / HTTP/1.1\r\nHost: {a}\r\n{headers}\r\n")).await
}

pub(super) async fn h1_a_placeholder_beside_its_place_goes_on_as_it_is() {
    let (world, a, upstream, _c) = two().await;
    let mut agent = world.tunnel(&a).await;
    let placeholder = agent.placeholder(&a, "/").await;
    let body = format!("{{\"transcript\":\"{placeholder}\"}}");
    let request = format!(
        "POST /{placeholder}?q={placeholder} HTTP/1.1\r\nHost: {a}\r\nUser-Agent: x/{placeholder}\r\n\
         Referer: https://{a}/{placeholder}\r\nContent-Disposition: attachment; filename={placeholder}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(agent.ask(request).await.status, 200);
    assert_eq!(upstream.text().matches(&placeholder).count(), 6, "{}", upstream.text());
    assert_eq!(upstream.text().matches(SA).count(), 2, "once a request");
    let skips = |world: &World| {
        let skipped = world.log().into_iter().filter(|line| line["decision"] == "skip");
        skipped.collect::<Vec<_>>()
    };
    let [skip] = &*skips(&world) else { panic!("one line a request: {:?}", world.log()) };
    assert_eq!((&skip["code"], &skip["key"]), (&"skipped_placeholder".into(), &"A".into()), "{skip}");
    let sent = &world.log()[usize::try_from(skip["of"].as_u64().unwrap()).unwrap() - 1];
    assert_eq!((&sent["decision"], &sent["method"]), (&"send".into(), &"POST".into()), "{sent}");
    // In a body only, in two pieces; and one in its place, beside texts that are none.
    let (start, end) = placeholder.split_at(placeholder.len() / 2);
    let length = placeholder.len();
    agent.say(format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Length: {length}\r\n\r\n{start}")).await;
    upstream.came(format!("\r\n\r\n{start}").as_bytes()).await;
    agent.say(end).await;
    assert_eq!(agent.answer().await.unwrap().status, 200);
    assert_eq!(skips(&world).len(), 2);
    let headers = format!("Authorization: Bearer {placeholder}\r\nX-A: kwph keyward-managed {start}\r\n");
    assert_eq!(with(&world, &a, &headers).await.status, 200);
    assert_eq!(skips(&world).len(), 2);
}

pub(super) async fn h2_a_placeholder_that_stands_twice_is_refused() {
    let (world, a, upstream, _c) = two().await;
    let placeholder = world.tunnel(&a).await.placeholder(&a, "/").await;
    let before = upstream.bytes().len();
    for headers in [
        format!("Authorization: Bearer {placeholder} {placeholder}\r\n"),
        format!("Authorization: Bearer {placeholder}\r\nAuthorization: Bearer {placeholder}\r\n"),
        format!("Authorization: Bearer {placeholder}\r\nX-Api-Key: {placeholder}\r\n"),
    ] {
        let answer = with(&world, &a, &headers).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "repeated_placeholder"), "{headers}");
    }
    assert_eq!(upstream.bytes().len(), before);
}

pub(super) async fn h3_what_is_only_like_a_placeholder_is_never_replaced_in_part() {
    let (world, a, upstream, _c) = two().await;
    let placeholder = world.tunnel(&a).await.placeholder(&a, "/").await;
    let (start, end) = placeholder.split_at(placeholder.len() / 2);
    let before = upstream.text().matches(SA).count();
    for text in [placeholder.to_uppercase(), placeholder.to_lowercase(), format!("{placeholder}x")] {
        let answer = with(&world, &a, &format!("Authorization: Bearer {text}\r\n")).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "unknown_placeholder"), "{text}");
    }
    assert_eq!(upstream.text().matches(SA).count(), before);
    // Neither half is one: the agent's own credential is replaced like any other. So is what it encodes for Basic.
    for headers in [
        format!("Authorization: Bearer {start}\r\nX-Api-Key: {end}\r\n"),
        format!("Authorization: Basic {}\r\n", BASE64.encode(format!("user:{placeholder}").as_bytes())),
    ] {
        assert_eq!(with(&world, &a, &headers).await.status, 200, "{headers}");
    }
    assert_eq!(upstream.text().matches(&format!("Bearer {SA}\r\n")).count(), before + 2);
}

pub(super) async fn h4_h6_d22_a_placeholder_that_is_not_this_keys_is_refused_and_whose_it_is_does_not_show() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let (c, _c) = plan.upstream("c.test", &[b"http/1.1"], echo()).await;
    let (second, credential) = plan.source.agent("two");
    plan.bearer("A", SA, &a);
    plan.bearer("C", SC, &c);
    plan.source.grant(&second, "A", SA, &[&a], vec![Injection::bearer()], |_| ());
    let world = plan.start().await;
    let mine = world.tunnel(&a).await.placeholder(&a, "/").await;
    let of_c = world.tunnel(&c).await.placeholder(&c, "/").await;
    let before = upstream.bytes().len();
    // D22: that of another key.
    let answer = with(&world, &a, &format!("Authorization: Bearer {of_c}\r\n")).await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "wrong_destination"));
    let line = world.log().pop().unwrap();
    assert_eq!((&line["key"], &line["placeholder_of"]), (&"A".into(), &"C".into()), "{line}");
    // That of another agent, and one that nobody has.
    let nobodys = mine.replace(char::is_numeric, "z");
    let mut answers = Vec::new();
    for placeholder in [&mine, &nobodys] {
        let mut agent = world.tunnel_of(&a, &credential, &[]).await;
        let request = format!("GET / HTTP/1.1\r\nHost: {a}\r\nAuthorization: Bearer {placeholder}\r\n\r\n");
        let answer = agent.ask(request).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "unknown_placeholder"));
        answers.push(answer.body);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(upstream.bytes().len(), before);
    assert!(!mine.contains("A4p") && !mine.to_lowercase().contains("a.test"), "{mine}");
}

pub(super) async fn h5_a_million_placeholders_are_a_body_like_any_other() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let into = "json:/key".parse().unwrap();
    plan.source.grant(&plan.agent, "A", SA, &[&a], vec![into], |_| ());
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    let many = "keyward-managed ".repeat(500_000);
    let body = format!("{{\"key\":\"keyward-managed\",\"text\":\"{many}\"}}");
    let head = format!("POST / HTTP/1.1\r\nHost: {a}\r\nContent-Type: application/json\r\n");
    agent.forgets();
    let answer = agent.ask(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(upstream.text().contains(&format!("{{\"key\":\"{SA}\",\"text\":\"{many}\"}}")));
}

pub(super) async fn h7_a_value_with_a_placeholder_in_it_is_not_looked_through_for_placeholders() {
    let mut plan = Plan::new();
    let (a, _a) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    let (c, upstream) = plan.upstream("c.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    let world = plan.start().await;
    let placeholder = world.tunnel(&a).await.placeholder(&a, "/").await;
    let value = format!("sk-{placeholder}-keyward-managed");
    world.source.grant(&world.agent, "C", &value, &[&c], vec![Injection::bearer()], |_| ());
    assert_eq!(with(&world, &c, "").await.status, 200);
    assert!(upstream.text().contains(&format!("authorization: Bearer {value}\r\n")), "{}", upstream.text());
}

pub(super) async fn p3_a_parameter_of_the_keys_name_is_there_once_whatever_the_agent_writes() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.source.grant(&plan.agent, "A", SA, &[&a], vec!["query:key".parse().unwrap()], |_| ());
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    for query in ["?key=mine&key=keyward-managed", "?%6bey=mine", "?k%65y=mine;key=mine", "?x=1&key=mine", ""]
    {
        let before = upstream.text().matches(SA).count();
        assert_eq!(agent.get(&a, &format!("/{query}")).await.status, 200, "{query}");
        assert_eq!(upstream.text().matches(SA).count(), before + 1, "{query}");
        assert!(!upstream.text().contains("mine"), "{query}: {}", upstream.text());
    }
}
