//! V: a key is not used to get another one.

use keyward_wire::rule::{Injection, Terms};

use crate::lab::upstream::{Upstream, echo};
use crate::lab::world::{Plan, SA, World};

const GITHUB: &str = "api.github.com";

/// A gateway with a key for a host, by a rule that `change` has the last word on.
async fn with(host: &str, change: impl FnOnce(&mut Terms)) -> (World, String, Upstream) {
    let mut plan = Plan::new();
    let (to, upstream) = plan.upstream(host, &[b"http/1.1"], echo()).await;
    plan.source.grant(&plan.agent, "K", SA, &[&to], vec![Injection::bearer()], change);
    (plan.start().await, to, upstream)
}

pub(super) async fn v5_paths_that_make_credentials_are_refused_however_they_are_written() {
    let (world, github, upstream) = with(GITHUB, |_| ()).await;
    let paths = [
        "/user/keys",
        "/user/keys/1?x=/user",
        "/USER/Keys",
        "/user/keys;x=1",
        "/user/keys%3fx",
        "/user/keys%20",
        "/user/keys/",
        "/user/%256beys",
        "/user/%20keys",
        "/user/keys.json.json",
        "/user/%2520keys.json.json",
        "/repositories/1/keys",
        "/repos/o/r/keys",
        "/orgs/o/actions/runners/registration-token",
    ];
    for path in paths {
        for method in ["POST", "GET"] {
            let mut agent = world.tunnel(&github).await;
            let length = if method == "POST" { "Content-Length: 2\r\n\r\n{}" } else { "\r\n" };
            let answer = agent.ask(format!("{method} {path} HTTP/1.1\r\nHost: {github}\r\n{length}")).await;
            assert_eq!((answer.status, answer.error().as_str()), (403, "credential_path"), "{method} {path}");
        }
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(world.refusals(), vec!["credential_path"; paths.len() * 2]);
    // In base-URL mode, too.
    let mut agent = world.dial().await;
    let credential = &world.credential;
    let asked = format!(
        "GET /-/K/user/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {credential}\r\n\r\n"
    );
    assert_eq!(agent.ask(asked).await.error(), "credential_path");
    assert_eq!(world.tunnel(&github).await.get(&github, "/user/repos").await.status, 200);
}

pub(super) async fn v6_what_shows_secrets_is_refused_until_the_rule_names_it() {
    let (world, to, upstream) = with("api.heroku.com", |_| ()).await;
    let path = "/apps/a/config-vars";
    assert_eq!(world.tunnel(&to).await.get(&to, path).await.error(), "credential_path");
    assert_eq!(upstream.connections(), 0);
    let (world, to, upstream) = with("api.heroku.com", |terms| {
        terms.paths = Some(["/*", path].map(|path| path.parse().unwrap()).into());
    })
    .await;
    assert_eq!(world.tunnel(&to).await.get(&to, path).await.status, 200);
    assert_eq!(world.tunnel(&to).await.get(&to, "/apps/b/config-vars").await.error(), "credential_path");
    assert_eq!(upstream.connections(), 1);
}
