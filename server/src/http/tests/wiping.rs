use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::Envelope;
use keyward_wire::api::auth::LoginAnswer;
use keyward_wire::api::bundle::Bundle;
use keyward_wire::api::credentials::CredentialKind;

use super::world::World;
use crate::testing::{TestServer, login_request};

/// Whether any piece of the envelope's sealed part stands in any file of the data directory.
fn is_on_disk(server: &TestServer, env: &Envelope) -> bool {
    let files = server.dir.path().join("data").read_dir().unwrap();
    let files: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    let (_, sealed) = env.as_bytes().split_at(72);
    sealed.chunks_exact(16).any(|piece| files.iter().any(|file| file.windows(16).any(|bytes| bytes == piece)))
}

#[tokio::test]
async fn what_an_exclusion_supersedes_is_in_no_file_of_the_database() {
    let world = World::build().await;
    let (server, key) = (&world.server, world.allowed[0]);
    let agent = server.login(world.token).await;
    let bundle: Bundle = server.get(&agent, "/v1/me/bundle").await.json();
    let secret = bundle.secrets.into_iter().find(|secret| secret.key == key).unwrap();
    let superseded = [secret.env, bundle.view.unwrap().env, bundle.grant.unwrap().env, world.org().await.env];
    assert!(superseded.iter().all(|env| is_on_disk(server, env)));
    world.exclude(key, 1).await;
    for env in &superseded {
        assert!(!is_on_disk(server, env), "{:?}", env.purpose());
    }
    assert!(is_on_disk(server, &world.org().await.env));
}

#[tokio::test]
async fn a_deleted_credential_is_in_no_file_of_the_database() {
    let world = World::build().await;
    let (server, owner) = (&world.server, &world.owner);
    let device = owner.credential(CredentialKind::Device);
    let login: LoginAnswer = server.post("", "/v1/auth/login", &login_request(device, 1)).await.json();
    assert!(is_on_disk(server, &login.cred));
    let request = Request::delete(format!("/v1/credentials/{device}"));
    let request = request.header("authorization", &owner.session).body(Body::empty()).unwrap();
    assert_eq!(server.send(request).await.status, StatusCode::NO_CONTENT);
    assert!(!is_on_disk(server, &login.cred));
}
