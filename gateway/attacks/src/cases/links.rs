//! A14: the links that an agent is given for a person to follow.

use keyward_gateway::Egress;

use crate::lab::agent::basic;
use crate::lab::upstream::{echo, fixed};
use crate::lab::world::{Plan, SA};

pub(super) async fn a14_an_uncredentialed_request_that_is_turned_away_is_told_where_its_host_is_connected() {
    let body = "please log in";
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let head = "WWW-Authenticate: Basic realm=b\r\nETag: \"1\"\r\nContent-Type: text/plain\r\n";
        let answer = format!("HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let mut plan = Plan::new();
        (plan.egress, plan.console) = (Egress::Allow, Some("https://console.test/".to_owned()));
        let (b, _upstream) = plan.plain("b.test", fixed(answer)).await;
        let world = plan.start().await;
        let ask = async |credential: &str| {
            let auth = basic(&world.credential);
            let request = format!("GET http://{b}/ HTTP/1.1\r\nHost: {b}\r\n{credential}{auth}\r\n");
            world.dial().await.ask(request).await
        };
        let head = format!("HTTP/1.1\r\nHost: {b}\r\nContent-Length: 0\r\n{}\r\n", basic(&world.credential));
        let told = ask("").await;
        assert_eq!(
            (told.status, told.error().as_str()),
            (status[..3].parse().unwrap(), "credential_not_found")
        );
        let link = format!("\"connect_url\":\"https://console.test/#connect?host={b}\"");
        assert!(told.text().contains(&link) && !told.text().contains(body), "{}", told.text());
        assert_eq!(told.header("content-type"), Some("application/json"));
        assert_eq!((told.header("x-should-retry"), told.header("etag")), (Some("false"), None));
        // What some clients go on by.
        assert_eq!(told.header("www-authenticate"), Some("Basic realm=b"));
        assert_eq!(world.log()[1]["code"], "credential_not_found");
        // A request that proved who sends it has its own answer.
        for credential in [
            "Authorization: Bearer x\r\n",
            "Cookie: a=b\r\n",
            "X_Api_Key: x\r\n",
            "X-Vault-Token: x\r\n",
            "X-Amz-Signature: x\r\n",
        ] {
            assert_eq!(ask(credential).await.text(), body, "{credential}");
        }
        // So has one that may have proved it elsewhere than in a header.
        for line in [format!("GET http://{b}/?api_key=x"), format!("POST http://{b}/login")] {
            assert_eq!(world.dial().await.ask(format!("{line} {head}")).await.text(), body, "{line}");
        }
    }
}

pub(super) async fn a14_what_turned_an_uncredentialed_request_away_may_be_in_any_coding() {
    let mut plan = Plan::new();
    (plan.egress, plan.console) = (Egress::Allow, Some("https://console.test/".to_owned()));
    let answer =
        "HTTP/1.1 401 No\r\nContent-Encoding: zstd\r\nGrpc-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno";
    let (b, _upstream) = plan.plain("b.test", fixed(answer)).await;
    let world = plan.start().await;
    let auth = basic(&world.credential);
    let answer = world.dial().await.ask(format!("GET http://{b}/ HTTP/1.1\r\nHost: {b}\r\n{auth}\r\n")).await;
    assert_eq!((answer.status, answer.error().as_str()), (401, "credential_not_found"));
    assert_eq!(answer.header("content-encoding"), None);
}

pub(super) async fn a14_a_gateway_without_a_console_gives_no_links_and_changes_no_answer() {
    let mut plan = Plan::new();
    plan.egress = Egress::Allow;
    let (b, _upstream) = plan.plain("b.test", fixed("HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")).await;
    let world = plan.start().await;
    let auth = basic(&world.credential);
    let answer = world.dial().await.ask(format!("GET http://{b}/ HTTP/1.1\r\nHost: {b}\r\n{auth}\r\n")).await;
    assert_eq!((answer.status, answer.text().as_str()), (401, "no"));
}

pub(super) async fn a14_s8_an_agent_that_may_not_is_told_where_that_is_managed_whether_the_key_exists_or_not()
{
    let mut plan = Plan::new();
    plan.console = Some("https://console.test/".to_owned());
    let (a, upstream) = plan.upstream("a.test", &[b"http/1.1"], echo()).await;
    plan.bearer("A", SA, &a);
    plan.bearer("GONE", SA, &a);
    let world = plan.start().await;
    world.source.exclude(&world.agent, "GONE");
    let mut bodies = Vec::new();
    for account in ["GONE", "NEVER_THERE"] {
        let request = format!("GET / HTTP/1.1\r\nHost: {a}\r\nX-Keyward-Account: {account}\r\n\r\n");
        let answer = world.tunnel(&a).await.ask(request).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "access_restricted"));
        bodies.push(answer.text());
    }
    let link = format!("\"manage_url\":\"https://console.test/#agent?id={}\"", world.agent.id);
    assert!(bodies[0].contains(&link), "{}", bodies[0]);
    assert_eq!(bodies[0], bodies[1]);
    // A host whose only key was taken away, and one that never had one.
    world.source.exclude(&world.agent, "A");
    let told = async |to: &str| world.dial().await.connect(to, &world.credential).await;
    let port = a.rsplit_once(':').unwrap().1;
    let (excluded, never) = (told(&a).await, told(&format!("n.test:{port}")).await);
    assert_eq!(excluded.text().replace("a.test", "n.test"), never.text());
    assert_eq!(upstream.connections(), 0);
}
