use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::recovery::{RecoveryAnswer, RecoveryRequest};
use keyward_wire::api::write::{Base, NewEscrow, RootEnvelope, RootKind};
use keyward_wire::{IdentityId, Purpose};

use super::world::World;
use crate::testing::{credential, envelope, id, login_request};

/// One more owner, on top of what was read.
fn request(base: &RecoveryAnswer, email: &str) -> RecoveryRequest {
    let identity = IdentityId::from_bytes(id());
    let root = |kind, purpose| RootEnvelope {
        kind,
        identity: Some(identity),
        generation: base.epoch,
        env: envelope(purpose),
    };
    RecoveryRequest {
        base: Base { seq: base.seq, sha256: base.sha256 },
        org: envelope(Purpose::Org),
        identity,
        email: email.parse().unwrap(),
        credentials: [CredentialKind::Password, CredentialKind::Recovery, CredentialKind::Device]
            .map(|kind| credential(identity, kind))
            .into(),
        escrow: NewEscrow { identity, creator: None, ik_gen: 1, env: envelope(Purpose::Escrow) },
        roots: vec![root(RootKind::Root, Purpose::Root), root(RootKind::OrgkeyAdmin, Purpose::OrgKeyAdmin)],
    }
}

fn of(request: &RecoveryRequest, kind: CredentialKind) -> &NewCredential {
    request.credentials.iter().find(|new| new.kind == kind).unwrap()
}

#[tokio::test]
async fn a_kit_makes_one_owner_and_ends_with_it() {
    let world = World::build().await;
    let (server, old) = (&world.server, world.owner.credential(CredentialKind::Recovery));
    let kit = server.login(old).await;
    let answer: RecoveryAnswer = server.get(&kit, "/v1/recovery").await.json();
    let stored = world.org().await;
    assert_eq!((answer.seq, answer.sha256, answer.env), (stored.seq, stored.sha256, stored.env));
    assert_eq!(answer.orgkey.purpose(), Purpose::OrgKeyRoot);
    let base: RecoveryAnswer = server.get(&kit, "/v1/recovery").await.json();

    let taken = server.post(&kit, "/v1/recovery", &request(&base, "alice@example.com")).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "an address is unique on the server");
    assert_eq!(world.org().await.seq, stored.seq, "nothing was changed");

    let new = request(&base, "new@example.com");
    let done = server.post(&kit, "/v1/recovery", &new).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    assert_eq!(done.json::<Base>().sha256, new.org.sha256());
    assert_eq!(server.get(&kit, "/v1/me").await.status, StatusCode::UNAUTHORIZED, "its session is over");
    let again = server.post("", "/v1/auth/login", &login_request(old, 1)).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "the kit is used up");
    for kind in [CredentialKind::Password, CredentialKind::Device] {
        let session = server.login(of(&new, kind).id).await;
        assert_eq!(server.get(&session, "/v1/org").await.status, StatusCode::OK);
    }
    assert_eq!(world.org().await.seq, stored.seq + 1, "who was an owner still is");
    let actions = world.actions().await;
    assert_eq!(actions.iter().filter(|action| *action == "org.recovered").count(), 1, "{actions:?}");
    assert_eq!(actions.iter().filter(|action| *action == "recovery.read").count(), 2, "{actions:?}");

    let next = server.login(of(&new, CredentialKind::Recovery).id).await;
    let stale = server.post(&next, "/v1/recovery", &request(&base, "third@example.com")).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "made on top of what was before");
    assert_eq!(server.get(&next, "/v1/recovery").await.status, StatusCode::OK);
    server.clock.advance(11 * 60_000);
    assert_eq!(server.get(&next, "/v1/recovery").await.status, StatusCode::FORBIDDEN, "after ten minutes");
}

#[tokio::test]
async fn a_kit_is_replaced_by_an_owner_with_the_password_and_never_dropped() {
    let world = World::build().await;
    let (server, owner) = (&world.server, &world.owner);
    let old = owner.credential(CredentialKind::Recovery);
    let drop = Request::delete(format!("/v1/credentials/{old}")).header("authorization", &owner.session);
    let dropped = server.send(drop.body(Body::empty()).unwrap()).await;
    assert_eq!(dropped.status, StatusCode::FORBIDDEN);
    let kit = server.login(old).await;
    let drop = Request::delete(format!("/v1/credentials/{old}")).header("authorization", &kit);
    assert_eq!(server.send(drop.body(Body::empty()).unwrap()).await.status, StatusCode::FORBIDDEN);

    let new = credential(owner.signup.identity, CredentialKind::Recovery);
    let device = server.login(owner.credential(CredentialKind::Device)).await;
    for session in [&device, &kit] {
        assert_eq!(server.post(session, "/v1/credentials", &new).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(server.post(&owner.session, "/v1/credentials", &new).await.status, StatusCode::CREATED);
    assert_eq!(server.get(&kit, "/v1/recovery").await.status, StatusCode::UNAUTHORIZED);
    let again = server.post("", "/v1/auth/login", &login_request(old, 1)).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    let kit = server.login(new.id).await;
    assert_eq!(server.get(&kit, "/v1/recovery").await.status, StatusCode::OK);
    let actions = world.actions().await;
    let replaced = ["credential.removed".to_owned(), "credential.added".to_owned()];
    assert!(actions.windows(2).any(|pair| pair == replaced), "{actions:?}");
}
