//! D23, D24: several keys fit a request, and one is used only if it is named.

use data_encoding::BASE64;

use crate::lab::agent::Agent;
use crate::lab::upstream::echo;
use crate::lab::world::{Plan, SA};

pub(super) async fn d23_d24_two_keys_for_one_request_are_refused_with_the_choices_until_one_is_named() {
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("WORK", SA, &a);
    plan.bearer("HOME", "sk-another-account-of-the-same-service", &a);
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    let answer = agent.get(&a, "/").await;
    assert_eq!((answer.status, answer.error().as_str()), (409, "multiple_connections"));
    assert!(answer.text().contains("\"choices\":[\"WORK\",\"HOME\"]"));
    assert_eq!(upstream.connections(), 0);
    let with = |account: &str| format!("GET / HTTP/1.1\r\nHost: {a}\r\nX-Keyward-Account: {account}\r\n\r\n");
    assert_eq!(agent.ask(with("WORK")).await.status, 200);
    assert!(upstream.text().contains(SA) && !upstream.text().to_lowercase().contains("x-keyward"));
    // An account that was not granted.
    assert_eq!(agent.ask(with("OTHER")).await.error(), "access_restricted");
}

pub(super) async fn d23_d24_a_key_is_named_by_its_address_and_by_its_placeholder_in_its_place_too() {
    const OTHER: &str = "sk-another-account-of-the-same-service";
    let mut plan = Plan::new();
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("WORK", SA, &a);
    let template = || ["basic:user:{v}".parse().unwrap()].into();
    plan.source.grant(&plan.agent, "HOME", OTHER, &[&a], template(), |terms| {
        terms.methods = Some(vec!["GET".parse().unwrap()]);
    });
    let world = plan.start().await;
    let mut agent = world.tunnel(&a).await;
    let with = |header: &str| format!("GET / HTTP/1.1\r\nHost: {a}\r\n{header}\r\n\r\n");
    let shown = agent.ask(with("X-Keyward-Account: WORK")).await.text();
    let work = shown.split("Bearer ").nth(1).unwrap().lines().next().unwrap().to_owned();
    let shown = agent.ask(with("X-Keyward-Account: HOME")).await.text();
    let home = shown.split("Basic ").nth(1).unwrap().lines().next().unwrap().to_owned();
    let home = String::from_utf8(BASE64.decode(home.as_bytes()).unwrap()).unwrap();
    let home = home.strip_prefix("user:").unwrap();
    let uses = async |agent: &mut Agent, request: String| {
        let before = upstream.text().len();
        let answer = agent.ask(request).await;
        let sent = upstream.text()[before..].to_owned();
        let basic = BASE64.encode(format!("user:{OTHER}").as_bytes());
        let key = if sent.contains(SA) {
            "WORK"
        } else if sent.contains(&basic) {
            "HOME"
        } else {
            ""
        };
        (answer.status, key)
    };
    for (header, outcome) in [
        (format!("Authorization: Bearer {work}"), (200, "WORK")),
        (format!("Authorization: Basic {}", BASE64.encode(format!("x:{home}").as_bytes())), (200, "HOME")),
        (format!("X-Api-Key: {home}"), (200, "HOME")),
        ("Authorization: Bearer keyward-managed".to_owned(), (409, "")),
        // It is text there, and names nothing.
        (format!("X-Note: {work}"), (409, "")),
        (format!("Authorization: Bearer {work}\r\nX-Api-Key: {home}"), (409, "")),
        (format!("X-Keyward-Account: HOME\r\nAuthorization: Bearer {work}"), (403, "")),
    ] {
        assert_eq!(uses(&mut agent, with(&header)).await, outcome, "{header}");
    }
    let auth = format!("Authorization: Bearer {}\r\n", world.credential);
    for (request, outcome) in [
        ("GET /-/WORK/", (200, "WORK")),
        ("GET /-/HOME/", (200, "HOME")),
        ("POST /-/WORK/", (200, "WORK")),
        // The other one would do, and is not what was named.
        ("POST /-/HOME/", (403, "")),
    ] {
        let request = format!("{request} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n{auth}\r\n");
        assert_eq!(uses(&mut world.dial().await, request.clone()).await, outcome, "{request}");
    }
}
