use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::CredentialId;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::error::{ErrorBody, ErrorCode};

use super::world::World;
use crate::config::Signup;
use crate::testing::{Answered, TestServer, id, login_request};

/// What says that it is this credential's secret.
fn token(prefix: &str, credential: CredentialId) -> String {
    let id = data_encoding::BASE32_NOPAD.encode(credential.as_bytes()).to_ascii_lowercase();
    format!("{prefix}_{id}_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq_aaaaaa")
}

fn assert_refused(answer: &Answered) {
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::TokenInRequest, "{}", answer.text());
}

/// Sends the text as somebody.
async fn send(server: &TestServer, session: &str, text: &str) {
    assert_refused(&server.post(session, "/v1/credentials", &serde_json::json!({ "note": text })).await);
}

async fn lives(server: &TestServer, credential: CredentialId) -> bool {
    let answer = server.post("", "/v1/auth/login", &login_request(credential, 1)).await;
    answer.status == StatusCode::OK
}

#[tokio::test]
async fn a_made_up_token_ends_no_password_no_kit_and_nothing_of_another_kind() {
    use CredentialKind::{Device, Password, Recovery};
    let world = World::build().await;
    let (server, owner) = (&world.server, &world.owner);
    let session = server.login(owner.credential(Device)).await;
    for sender in [&session, &owner.session] {
        for prefix in ["kwt1", "kwd1", "kwi1", "kwr1", "kwh1"] {
            for kind in [Password, Recovery] {
                send(server, sender, &token(prefix, owner.credential(kind))).await;
                assert!(lives(server, owner.credential(kind)).await, "{prefix} {kind:?}");
            }
        }
    }
    for prefix in ["kwt1", "kwi1", "kwr1"] {
        send(server, &session, &token(prefix, owner.credential(Device))).await;
        assert!(lives(server, owner.credential(Device)).await, "{prefix}");
    }
    send(server, &session, &token("kwh1", owner.credential(Device))).await;
    assert!(!lives(server, owner.credential(Device)).await);
}

#[tokio::test]
async fn an_administrator_s_word_ends_an_agent_s_token_and_the_agent_s_word_nobody_else_s() {
    let world = World::build().await;
    let (server, owner) = (&world.server, &world.owner);
    let device = owner.credential(CredentialKind::Device);
    let agent = server.login(world.token).await;
    send(server, &agent, &token("kwd1", device)).await;
    assert!(lives(server, device).await);
    let session = server.login(device).await;
    send(server, &session, &token("kwt1", world.token)).await;
    assert!(!lives(server, world.token).await);
    assert!(world.actions().await.contains(&"credential.revoked".to_owned()));
}

#[tokio::test]
async fn a_request_is_searched_for_a_handful_of_tokens_only() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let device = owner.credential(CredentialKind::Device);
    let made_up = (0..8).map(|_| token("kwt1", CredentialId::from_bytes(id()))).collect::<String>();
    send(&server, &owner.session, &(made_up + &token("kwd1", device))).await;
    assert!(lives(&server, device).await);
    send(
        &server,
        &owner.session,
        &(token("kwt1", CredentialId::from_bytes(id())).repeat(8) + &token("kwd1", device)),
    )
    .await;
    assert!(!lives(&server, device).await);
}

#[tokio::test]
async fn an_escaped_token_is_one_too() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let device = owner.credential(CredentialKind::Device);
    let token = token("kwd1", device);
    assert_refused(&server.get("", &format!("/v1/me?x={}", token.replace("kwd1_", "%6bwd1%5F"))).await);
    let body = format!(r#"{{"note":"{}"}}"#, token.replace("kwd1_", r"\u006bwd1\u005F"));
    let request = Request::post("/v1/credentials").header("content-type", "application/json");
    let request = request.header("authorization", &owner.session).body(Body::from(body)).unwrap();
    assert_refused(&server.send(request).await);
    assert!(!lives(&server, device).await);
}

#[tokio::test]
async fn a_token_is_refused_whatever_the_address_the_method_and_the_proof() {
    let server = TestServer::start().await;
    let token = token("kwt1", CredentialId::from_bytes(id()));
    for (method, path) in [
        ("GET", "/nowhere"),
        ("PATCH", "/v1/me"),
        ("PUT", "/v1/org/write"),
        ("DELETE", "/v1/auth/login"),
        ("POST", "/v1/org/write"),
        ("POST", "/v1/secrets/get"),
    ] {
        let request = Request::builder().method(method);
        let in_url = request.uri(format!("{path}?token={token}")).body(Body::empty()).unwrap();
        assert_refused(&server.send(in_url).await);
        let request = Request::builder().method(method).uri(path);
        let as_proof =
            request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        assert_refused(&server.send(as_proof).await);
    }
}

#[tokio::test]
async fn a_token_at_an_unknown_address_or_with_a_wrong_method_is_revoked_for_its_holder_too() {
    for (method, path) in [("GET", "/v1/bundle"), ("DELETE", "/v1/me")] {
        let server = TestServer::start().await;
        let owner = server.owner("alice@example.com").await;
        let device = owner.credential(CredentialKind::Device);
        let ask = |authorization: &str| {
            let uri = format!("{path}?token={}", token("kwd1", device));
            let request = Request::builder().method(method).uri(uri).header("authorization", authorization);
            server.send(request.body(Body::empty()).unwrap())
        };
        assert_refused(&ask("Bearer kws_nobody").await);
        assert!(lives(&server, device).await, "{method}: nobody's word");
        assert_refused(&ask(&owner.session).await);
        assert!(!lives(&server, device).await, "{method}");
    }
}

#[tokio::test]
async fn a_token_that_is_sent_to_the_server_is_refused_and_revoked_for_its_holder_only() {
    let server = TestServer::start_with(|config| config.signup = Signup::Open).await;
    let alice = server.owner("alice@example.com").await;
    let mallory = server.owner("mallory@example.com").await;
    let device = alice.credential(CredentialKind::Device);
    let token = token("kwd1", device);
    for authorization in ["", &mallory.session, &format!("Bearer {token}")] {
        for path in ["/v1/me", "/nowhere"] {
            let answer = server.get(authorization, &format!("{path}?token={token}")).await;
            assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::TokenInRequest);
        }
        server.login(device).await;
    }
    let answer = server.post(&alice.session, "/v1/credentials", &serde_json::json!({ "note": token })).await;
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::TokenInRequest);
    let gone = server.post("", "/v1/auth/login", &login_request(device, 1)).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
}
