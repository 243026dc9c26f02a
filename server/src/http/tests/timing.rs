//! Lower bounds only: that a refusal waits is certain, how long a busy machine takes beyond that is not.

use std::time::{Duration, Instant};

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::{AuthHalf, CredentialId};
use zeroize::Zeroizing;

use crate::testing::{Answered, TestServer, id, login_request};

#[tokio::test]
async fn every_refused_proof_waits_and_so_does_every_prelogin() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let unknown = CredentialId::from_bytes(id());
    let known = [CredentialKind::Password, CredentialKind::Device].map(|kind| owner.credential(kind));
    for credential in [unknown, known[0], known[1]] {
        let login = login_request(credential, 2);
        assert_waits(25, 401, server.post("", "/v1/auth/login", &login)).await;
        let proof = AuthHalf::from_bytes(Zeroizing::new([2; 32])).authorization(credential);
        assert_waits(25, 401, server.get(&proof, "/v1/me/bundle")).await;
    }
    for email in ["alice", "bob"] {
        let uri = format!("/v1/auth/prelogin?email={email}%40example.com");
        assert_waits(5, 200, server.get("", &uri)).await;
    }
}

async fn assert_waits(millis: u64, status: u16, answer: impl Future<Output = Answered>) {
    let start = Instant::now();
    let answer = answer.await;
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert!(start.elapsed() >= Duration::from_millis(millis), "{status} after {:?}", start.elapsed());
}
