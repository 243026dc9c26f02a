use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::api::audit::{AuditAnswer, AuditRecord, genesis, link};
use keyward_wire::api::bundle::Bundle;
use keyward_wire::api::credentials::{CredentialKind, CredentialsAnswer};
use keyward_wire::api::identities::IdentitiesAnswer;
use keyward_wire::api::org::{OrgAnswer, SecretRef, SecretsAnswer, SecretsRequest};
use keyward_wire::api::write::{Delta, EscrowAnswer};
use keyward_wire::error::{ErrorBody, ErrorCode};
use keyward_wire::{AuthHalf, CredentialId, KeyId, Sha256};
use zeroize::Zeroizing;

use super::world::{World, write};
use crate::testing::{credential, id};

const UNKNOWN: &str = "482bd7d9-38e0-4568-99be-6ae3a44d48a2";

fn proof(credential: CredentialId, auth: u8) -> String {
    AuthHalf::from_bytes(Zeroizing::new([auth; 32])).authorization(credential).to_string()
}

fn keys(bundle: &Bundle) -> Vec<KeyId> {
    bundle.secrets.iter().map(|secret| secret.key).collect()
}

#[tokio::test]
async fn excluded_key_is_never_transmitted() {
    let world = World::build().await;
    let (agent, deployment) = (proof(world.token, 1), world.deployment);
    for uri in ["/v1/me/bundle".to_owned(), format!("/v1/me/bundle?deployment={deployment}")] {
        let answer = world.server.get(&agent, &uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let bundle: Bundle = answer.json();
        assert_eq!(keys(&bundle), world.allowed);
        assert!(bundle.cred.is_some() && bundle.grant.is_some() && bundle.view.is_some());
        assert!(bundle.org.is_none() && bundle.orgkey.is_none());
        assert!(!answer.text().contains(&world.excluded.to_string()));
    }
}

#[tokio::test]
async fn a_deployment_that_is_not_the_agents_has_no_secrets_and_no_error() {
    let world = World::build().await;
    let agent = proof(world.token, 1);
    for other in [
        world.unassigned.to_string(),
        UNKNOWN.to_owned(),
        world.deployment.to_string().to_uppercase(),
        "x".into(),
    ] {
        let answer = world.server.get(&agent, &format!("/v1/me/bundle?deployment={other}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{other}");
        let bundle: Bundle = answer.json();
        assert!(bundle.secrets.is_empty() && bundle.grant.is_some(), "{other}");
    }
}

#[tokio::test]
async fn an_owner_gets_the_state_and_a_deployments_secrets() {
    let world = World::build().await;
    let session = &world.owner.session;
    let bundle: Bundle = world.server.get(session, "/v1/me/bundle").await.json();
    assert!(bundle.secrets.is_empty() && bundle.cred.is_none() && bundle.view.is_none());
    assert!(bundle.org.is_some() && bundle.orgkey.is_some());
    let uri = format!("/v1/me/bundle?deployment={}", world.deployment);
    let bundle: Bundle = world.server.get(session, &uri).await.json();
    assert_eq!(bundle.secrets.len(), 3);
    let device = proof(world.owner.credential(CredentialKind::Device), 1);
    let bundle: Bundle = world.server.get(&device, &uri).await.json();
    assert!(bundle.cred.is_some() && bundle.secrets.len() == 3);
}

#[tokio::test]
async fn only_tokens_and_devices_open_the_bundle_by_themselves_and_nothing_else() {
    let world = World::build().await;
    for (authorization, uri) in [
        (proof(world.token, 2), "/v1/me/bundle"),
        (proof(CredentialId::from_bytes(id()), 1), "/v1/me/bundle"),
        (proof(world.owner.credential(CredentialKind::Password), 1), "/v1/me/bundle"),
        (proof(world.owner.credential(CredentialKind::Recovery), 1), "/v1/me/bundle"),
        (proof(world.token, 1), "/v1/me"),
        (proof(world.owner.credential(CredentialKind::Device), 1), "/v1/org"),
    ] {
        assert_eq!(world.server.get(&authorization, uri).await.status, StatusCode::UNAUTHORIZED, "{uri}");
    }
}

#[tokio::test]
async fn an_unchanged_bundle_is_confirmed_and_audited() {
    let world = World::build().await;
    let agent = proof(world.token, 1);
    let first = world.server.get(&agent, "/v1/me/bundle").await;
    let etag = first.header("etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", Sha256::of(&first.body)));
    let again = async |tag: &str| {
        let request = Request::get("/v1/me/bundle").header("authorization", &agent);
        world.server.send(request.header("if-none-match", tag).body(Body::empty()).unwrap()).await
    };
    let second = again(&etag).await;
    assert_eq!((second.status, second.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(second.header("etag"), etag);
    assert_ne!(second.header("keyward-audit"), first.header("keyward-audit"));
    assert_eq!(
        second.header("keyward-audit").parse::<Sha256>().unwrap().to_string(),
        second.header("keyward-audit")
    );
    assert_eq!(again("*").await.status, StatusCode::OK);
    assert_eq!(again("\"x\"").await.status, StatusCode::OK);
    let actions = world.actions().await;
    assert_eq!(actions.iter().filter(|action| *action == "bundle.read").count(), 3);
    assert_eq!(actions.iter().filter(|action| *action == "bundle.not_modified").count(), 1);
    world.exclude(world.allowed[0], 1).await;
    assert_eq!(again(&etag).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_exclusion_takes_effect_with_the_next_request() {
    let world = World::build().await;
    let agent = world.server.login(world.token).await;
    let before: Bundle = world.server.get(&agent, "/v1/me/bundle").await.json();
    world.exclude(world.allowed[0], 1).await;
    let after: Bundle = world.server.get(&agent, "/v1/me/bundle").await.json();
    assert_eq!(keys(&after), world.allowed[1..]);
    assert_ne!(before.grant.unwrap().env.sha256(), after.grant.unwrap().env.sha256());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_never_a_mix_of_two_states() {
    let world = World::build().await;
    let (agent, key) = (proof(world.token, 1), world.allowed[0]);
    let base = world.org().await.seq;
    let toggle = async {
        for reseal in 1..=15 {
            world.exclude(key, reseal).await;
            world.include(key).await;
        }
    };
    let read = async {
        for _ in 0..60 {
            let bundle: Bundle = world.server.get(&agent, "/v1/me/bundle").await.json();
            let (grant, view) = (bundle.grant.as_ref().unwrap().seq, bundle.view.as_ref().unwrap().seq);
            let excluded = (view - base) % 2 == 1;
            assert_eq!((grant, keys(&bundle).contains(&key)), (view, !excluded));
        }
    };
    tokio::join!(toggle, read, async { world.server.get(&agent, "/v1/me/bundle").await });
    let all: AuditAnswer = world.server.get(&world.owner.session, "/v1/audit").await.json();
    assert_eq!(all.entries.len() as u64, all.head.seq);
}

#[tokio::test]
async fn a_removed_identity_is_unknown_at_once() {
    let world = World::build().await;
    let agent = world.server.login(world.token).await;
    world.remove_agent().await;
    assert_eq!(world.server.get(&agent, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        world.server.get(&proof(world.token, 1), "/v1/me/bundle").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn an_agent_reads_and_writes_nothing_of_the_organisation() {
    let world = World::build().await;
    let agent = world.server.login(world.token).await;
    let random = format!("/v1/escrows/{UNKNOWN}");
    let known = format!("/v1/escrows/{}", world.agent);
    for uri in ["/v1/org", "/v1/identities", "/v1/audit", &random, &known] {
        let answer = world.server.get(&agent, uri).await;
        assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::Forbidden, "{uri}");
    }
    for uri in ["/v1/org/write", "/v1/secrets/get"] {
        let answer = world.server.post(&agent, uri, &serde_json::json!({})).await;
        assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::Forbidden, "{uri}");
    }
    let added = credential(world.agent, CredentialKind::Device);
    assert_eq!(world.server.post(&agent, "/v1/credentials", &added).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.actions().await.iter().filter(|action| *action == "request.refused").count(), 8);
}

#[tokio::test]
async fn a_write_from_an_older_state_is_a_conflict_and_changes_nothing() {
    let world = World::build().await;
    let base = world.org().await;
    let mut changed = write(&base, vec![Delta::ChangeGroup { id: world.group }]);
    changed.base.sha256 = Sha256::of(b"another");
    let answer = world.server.post(&world.owner.session, "/v1/org/write", &changed).await;
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::Conflict);
    changed.base.sha256 = base.sha256;
    changed.base.seq -= 1;
    let answer = world.server.post(&world.owner.session, "/v1/org/write", &changed).await;
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::Conflict);
    changed.base.seq += 1;
    let answer = world.server.post(&world.owner.session, "/v1/org/write", &changed).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let after = world.org().await;
    assert_eq!((after.seq, after.sha256), (base.seq + 1, changed.org.sha256()));
}

#[tokio::test]
async fn an_exclusion_without_new_grants_is_refused_whole() {
    let world = World::build().await;
    let base = world.org().await;
    let (group, deployment) = (world.group, world.deployment);
    let delta = vec![Delta::AddExclusion { group, deployment, key: world.allowed[0] }];
    let answer = world.server.post(&world.owner.session, "/v1/org/write", &write(&base, delta)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
    assert!(answer.json::<ErrorBody>().error.field.is_some());
    assert_eq!(world.org().await.sha256, base.sha256);
    let bundle: Bundle = world.server.get(&proof(world.token, 1), "/v1/me/bundle").await.json();
    assert_eq!(keys(&bundle), world.allowed);
}

#[tokio::test]
async fn versions_are_given_to_owners_as_far_as_there_are_any() {
    let world = World::build().await;
    let secrets = vec![
        SecretRef { key: world.excluded, version: 1 },
        SecretRef { key: world.excluded, version: 2 },
        SecretRef { key: KeyId::from_bytes(id()), version: 1 },
        SecretRef { key: world.allowed[0], version: u64::MAX },
        SecretRef { key: world.allowed[0], version: 1 },
    ];
    let answer =
        world.server.post(&world.owner.session, "/v1/secrets/get", &SecretsRequest { secrets }).await;
    let found: Vec<KeyId> = answer.json::<SecretsAnswer>().secrets.iter().map(|secret| secret.key).collect();
    assert_eq!(found, [world.excluded, world.allowed[0]]);
    assert!(answer.header("keyward-audit").contains(':'));
}

#[tokio::test]
async fn another_spelling_of_an_id_is_not_found_as_an_unknown_one_is() {
    let world = World::build().await;
    let session = &world.owner.session;
    let (known, credential) =
        (world.agent.to_string(), world.owner.credential(CredentialKind::Device).to_string());
    let escrow: EscrowAnswer = world.server.get(session, &format!("/v1/escrows/{known}")).await.json();
    assert_eq!(escrow.escrow.identity, world.agent);
    let unknown = world.server.get(session, &format!("/v1/escrows/{UNKNOWN}")).await;
    for spelling in [
        known.to_uppercase(),
        known.replace('-', ""),
        format!("%7B{known}%7D"),
        format!("%20{known}"),
        format!("{known}%00"),
        known.replacen(known.chars().next().unwrap(), &format!("%{:02x}", known.as_bytes()[0]), 1),
        format!("{known}/"),
        format!("0{known}"),
    ] {
        let answer = world.server.get(session, &format!("/v1/escrows/{spelling}")).await;
        assert_eq!((answer.status, &answer.body), (unknown.status, &unknown.body), "{spelling}");
    }
    let agent = world.server.login(world.token).await;
    for id in [UNKNOWN.to_owned(), credential.to_uppercase(), credential] {
        let request = Request::delete(format!("/v1/credentials/{id}")).header("authorization", &agent);
        let answer = world.server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, &answer.body), (unknown.status, &unknown.body), "{id}");
    }
}

#[tokio::test]
async fn the_audit_chain_links_from_its_genesis_and_filters_find_what_they_should() {
    let world = World::build().await;
    let session = &world.owner.session;
    world.server.get(&proof(world.token, 1), "/v1/me/bundle").await;
    let all: AuditAnswer = world.server.get(session, "/v1/audit").await.json();
    let mut hash = genesis(world.owner.signup.org);
    for (seq, entry) in (1..).zip(&all.entries) {
        hash = link(hash, &entry.entry);
        assert_eq!((entry.seq, entry.hash), (seq, hash));
        let record: AuditRecord = serde_json::from_str(&entry.entry).unwrap();
        assert_eq!(record.seq, seq);
    }
    assert_eq!((all.head.seq, all.head.hash), (all.entries.len() as u64, hash));
    let actions = async |query: &str| {
        let answer: AuditAnswer = world.server.get(session, &format!("/v1/audit?{query}")).await.json();
        let action = |text: &str| serde_json::from_str::<AuditRecord>(text).unwrap().action;
        answer.entries.iter().map(|entry| action(&entry.entry)).collect::<Vec<_>>()
    };
    let read = "bundle.read".to_owned();
    assert!(actions(&format!("key={}", world.allowed[0])).await.contains(&read));
    assert!(!actions(&format!("key={}", world.excluded)).await.contains(&read));
    assert_eq!(
        actions(&format!("key={}&identity={}", world.allowed[0], world.agent)).await,
        std::slice::from_ref(&read)
    );
    assert!(actions(&format!("identity={}", world.agent)).await.contains(&"identity.added".to_owned()));
    assert!(actions(&format!("key={UNKNOWN}")).await.is_empty());
    assert_eq!(actions("limit=2").await.len(), 2);
    let most = keyward_wire::limits::AUDIT_PAGE;
    assert!(actions(&format!("limit={most}")).await.len() > 2);
    let beyond = world.server.get(&world.owner.session, &format!("/v1/audit?limit={}", most + 1)).await;
    assert_eq!(beyond.status, StatusCode::BAD_REQUEST);
    assert!(actions(&format!("after={}", u64::MAX)).await.is_empty());
    assert_eq!(actions("after=1&limit=1").await, ["credential.added"]);
    assert!(actions(&format!("since={}", i64::MAX)).await.is_empty());
}

#[tokio::test]
async fn a_device_is_added_with_the_password_and_dropped_by_itself() {
    let world = World::build().await;
    let (server, owner) = (&world.server, &world.owner);
    let device = server.login(owner.credential(CredentialKind::Device)).await;
    let new = credential(owner.signup.identity, CredentialKind::Device);
    let answer = server.post(&device, "/v1/credentials", &new).await;
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::PasswordNeeded);
    let password = credential(owner.signup.identity, CredentialKind::Password);
    let answer = server.post(&owner.session, "/v1/credentials", &password).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.post(&owner.session, "/v1/credentials", &new).await.status, StatusCode::CREATED);
    assert_eq!(server.post(&owner.session, "/v1/credentials", &new).await.status, StatusCode::CONFLICT);
    let list: CredentialsAnswer = server.get(&owner.session, "/v1/credentials").await.json();
    assert_eq!(list.credentials.len(), 4);
    let session = server.login(new.id).await;
    let drop = Request::delete(format!("/v1/credentials/{}", new.id)).header("authorization", &session);
    assert_eq!(server.send(drop.body(Body::empty()).unwrap()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&session, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    server.clock.advance(11 * 60_000);
    let later = credential(owner.signup.identity, CredentialKind::Device);
    let answer = server.post(&owner.session, "/v1/credentials", &later).await;
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::PasswordNeeded);
}

#[tokio::test]
async fn identities_show_when_they_were_last_used() {
    let world = World::build().await;
    let list =
        async || world.server.get(&world.owner.session, "/v1/identities").await.json::<IdentitiesAnswer>();
    let agent =
        |list: IdentitiesAnswer| list.identities.into_iter().find(|info| info.id == world.agent).unwrap();
    assert!(agent(list().await).last_used_at.is_none());
    world.server.get(&proof(world.token, 1), "/v1/me/bundle").await;
    assert!(agent(list().await).last_used_at.is_some());
}

#[tokio::test]
async fn two_organisations_do_not_see_each_other() {
    let world = World::build().await;
    let other = world.server.owner("mallory@example.com").await;
    let uri = format!("/v1/escrows/{}", world.agent);
    assert_eq!(world.server.get(&other.session, &uri).await.status, StatusCode::NOT_FOUND);
    let secrets = vec![SecretRef { key: world.allowed[0], version: 1 }];
    let answer = world.server.post(&other.session, "/v1/secrets/get", &SecretsRequest { secrets }).await;
    assert!(answer.json::<SecretsAnswer>().secrets.is_empty());
    let uri = format!("/v1/me/bundle?deployment={}", world.deployment);
    assert!(world.server.get(&other.session, &uri).await.json::<Bundle>().secrets.is_empty());
    let theirs: OrgAnswer = world.server.get(&other.session, "/v1/org").await.json();
    assert_eq!(theirs.seq, 1);
}
