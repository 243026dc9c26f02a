//! A bundle that is asked for again comes from memory, and nobody can tell: it is looked at, recorded and refused as ever.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::api::audit::{AuditAnswer, AuditEntry, AuditRecord, genesis, link};
use keyward_wire::api::bundle::{AUDIT_HEADER, Bundle};
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::identities::IdentitiesAnswer;
use keyward_wire::{AuthHalf, CredentialId, KeyId, Purpose};
use zeroize::Zeroizing;

use super::world::World;
use crate::auth::{Claim, Proof};
use crate::bundles::{Key, Read, Recorded};
use crate::testing::{Answered, credential, envelope, id};

const BUNDLE: &str = "/v1/me/bundle";

fn proof(credential: CredentialId, auth: u8) -> String {
    AuthHalf::from_bytes(Zeroizing::new([auth; 32])).authorization(credential).to_string()
}

fn claim(credential: CredentialId, auth: u8) -> Claim {
    Proof::from_authorization(&proof(credential, auth)).unwrap().claim().unwrap()
}

fn keys(answer: &Answered) -> Vec<KeyId> {
    answer.json::<Bundle>().secrets.iter().map(|secret| secret.key).collect()
}

async fn ask(world: &World, proof: &str, tag: Option<&str>) -> Answered {
    let mut request = Request::get(BUNDLE).header("authorization", proof);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    world.server.send(request.body(Body::empty()).unwrap()).await
}

/// What is in memory for the agent's whole bundle, as it is asked for again.
fn remembered(world: &World, changed: bool) -> Option<Read> {
    let claim = claim(world.token, 1);
    let answer = world.server.app.bundles().recall(&Key { claim, deployment: None })?;
    Some(Read { claim, ip: None, answer, changed })
}

async fn record(world: &World, reads: Vec<Read>) -> Vec<Option<Recorded>> {
    let app = &world.server.app;
    let all = reads.into_iter().map(|read| {
        let app = app.clone();
        tokio::spawn(async move { app.bundles().record(app.store(), read).await.unwrap() })
    });
    let mut recorded = Vec::new();
    for one in all.collect::<Vec<_>>() {
        recorded.push(one.await.unwrap());
    }
    recorded
}

/// The whole chain, checked link by link.
async fn chain(world: &World) -> Vec<(AuditEntry, AuditRecord)> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    loop {
        let uri = format!("/v1/audit?after={}", entries.len());
        let page: AuditAnswer = world.server.get(&world.owner.session, &uri).await.json();
        let (done, head) = (page.entries.len() < 1000, page.head);
        entries.extend(page.entries);
        if done {
            assert_eq!(entries.len() as u64, head.seq, "an entry is missing");
            break;
        }
    }
    let mut hash = genesis(world.owner.signup.org);
    for (entry, seq) in entries.iter().zip(1..) {
        hash = link(hash, &entry.entry);
        assert_eq!((entry.seq, entry.hash), (seq, hash), "the chain is not linear");
    }
    entries
        .into_iter()
        .map(|entry| (serde_json::from_str(&entry.entry).unwrap(), entry))
        .map(|(r, e)| (e, r))
        .collect()
}

#[tokio::test]
async fn what_comes_from_memory_is_the_same_to_the_byte_and_has_its_own_entry() {
    let world = World::build().await;
    let agent = proof(world.token, 1);
    let first = ask(&world, &agent, None).await;
    assert!(remembered(&world, true).is_some(), "it is not in memory");
    let etag = first.header("etag").to_owned();
    let (second, third) = (ask(&world, &agent, None).await, ask(&world, &agent, Some(&etag)).await);
    assert_eq!((second.status, &second.body, second.header("etag")), (StatusCode::OK, &first.body, &*etag));
    assert_eq!((third.status, third.body.len(), third.header("etag")), (StatusCode::NOT_MODIFIED, 0, &*etag));
    for (name, value) in &first.headers {
        assert!(name == AUDIT_HEADER || second.headers.get(name) == Some(value), "{name}");
    }
    let chain = chain(&world).await;
    let entry = |answer: &Answered| {
        let own =
            |(entry, _): &&(AuditEntry, AuditRecord)| entry.hash.to_string() == answer.header(AUDIT_HEADER);
        chain.iter().find(own).expect("the header names an entry").1.clone()
    };
    let records = [entry(&first), entry(&second), entry(&third)];
    assert_eq!(
        records.each_ref().map(|record| &*record.action),
        ["bundle.read", "bundle.read", "bundle.not_modified"]
    );
    for record in &records {
        assert_eq!((record.actor, &record.objects), (Some(world.agent), &records[0].objects));
        assert_eq!(record.ip.as_deref(), Some("127.0.0.1"));
    }
    // The filter by key finds all three.
    let uri = format!("/v1/audit?key={}", world.allowed[0]);
    let about: AuditAnswer = world.server.get(&world.owner.session, &uri).await.json();
    assert_eq!(about.entries.iter().filter(|entry| entry.entry.contains("bundle.")).count(), 3);
}

#[tokio::test]
async fn an_owner_s_bundle_from_memory_tells_the_head() {
    let world = World::build().await;
    let device = proof(world.owner.credential(CredentialKind::Device), 1);
    let (first, second) = (ask(&world, &device, None).await, ask(&world, &device, None).await);
    let seq =
        |answer: &Answered| answer.header(AUDIT_HEADER).split_once(':').unwrap().0.parse::<u64>().unwrap();
    assert_eq!((seq(&second), &second.body), (seq(&first) + 1, &first.body));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_at_once_each_answer_has_its_entry_and_the_chain_is_linear() {
    let world = &World::build().await;
    let (agent, wrong) = (&*proof(world.token, 1), &*proof(world.token, 2));
    let base = world.org().await.seq;
    let etag = &ask(world, agent, None).await.header("etag").to_owned();
    let mut answers = Vec::new();
    let readers = async {
        for _ in 0..6 {
            let mut round = Vec::new();
            for tag in [None, Some(&**etag)].repeat(12) {
                round.push(ask(world, agent, tag));
            }
            for (at, answer) in join_all(round).await.into_iter().enumerate() {
                assert!(answer.status == StatusCode::OK || at % 2 == 1, "{}", answer.text());
                answers.push(answer);
            }
        }
    };
    let writer = async {
        for reseal in 1..=3 {
            world.exclude(world.allowed[0], reseal).await;
            world.include(world.allowed[0]).await;
        }
    };
    let stranger = async {
        for _ in 0..3 {
            assert_eq!(ask(world, wrong, None).await.status, StatusCode::UNAUTHORIZED);
        }
    };
    // One that goes away: whether or not it has an entry, it takes nobody with it.
    let leaver = async {
        for _ in 0..20 {
            let _ =
                tokio::time::timeout(std::time::Duration::from_micros(300), ask(world, agent, None)).await;
        }
    };
    tokio::join!(readers, writer, stranger, leaver);
    let chain: HashMap<String, AuditRecord> =
        chain(world).await.into_iter().map(|(entry, record)| (entry.hash.to_string(), record)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for answer in &answers {
        let hash = answer.header(AUDIT_HEADER);
        assert!(seen.insert(hash.to_owned()), "two answers have one entry");
        let record = &chain[hash];
        assert_eq!(record.actor, Some(world.agent));
        if answer.status == StatusCode::NOT_MODIFIED {
            assert_eq!(record.action, "bundle.not_modified");
            continue;
        }
        // The entry names the state that went out, and the answer is of one state.
        let bundle: Bundle = answer.json();
        let (view, seq) = (bundle.grant.as_ref().unwrap().view, bundle.view.as_ref().unwrap().seq);
        assert_eq!((&*record.action, &record.objects), ("bundle.read", &vec![format!("view:{view}@{seq}")]));
        assert_eq!(keys(answer).contains(&world.allowed[0]), (seq - base).is_multiple_of(2));
    }
}

#[tokio::test]
async fn of_a_group_only_what_still_holds_is_recorded() {
    let world = World::build().await;
    ask(&world, &proof(world.token, 1), None).await;
    let good = remembered(&world, true).unwrap();
    let wrong = |claim| Read { claim, ..good.clone() };
    let device = world.owner.credential(CredentialKind::Device);
    // The owner's, with the agent's CRED by the word of a client that lies: it is not the agent's for that.
    let mut twin = credential(world.owner.signup.identity, CredentialKind::Device);
    twin.env = good.answer.cred.clone().unwrap();
    assert_eq!(
        world.server.post(&world.owner.session, "/v1/credentials", &twin).await.status,
        StatusCode::CREATED
    );
    let group = vec![
        good.clone(),
        wrong(claim(world.token, 2)),
        wrong(claim(device, 1)),
        wrong(claim(twin.id, 1)),
        wrong(claim(CredentialId::from_bytes(id()), 1)),
        wrong(claim(world.owner.credential(CredentialKind::Password), 1)),
        good.clone(),
    ];
    let before = chain(&world).await.len();
    let recorded = record(&world, group).await;
    assert_eq!(
        recorded.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, false, false, false, false, true]
    );
    let head = |at: usize| recorded[at].unwrap().head;
    let after = chain(&world).await;
    // One entry more is that of the first look at the chain.
    assert_eq!(after.len(), before + 3);
    for at in [0, 6] {
        let (entry, record) = &after[usize::try_from(head(at).seq).unwrap() - 1];
        assert_eq!(
            (entry.hash, &*record.action, record.actor),
            (head(at).hash, "bundle.read", Some(world.agent))
        );
    }
    // What was sent before a write is no answer after it.
    world.exclude(world.allowed[0], 1).await;
    assert_eq!(record(&world, vec![good]).await, [None]);
}

#[tokio::test]
async fn a_claim_holds_only_of_a_token_or_device_with_its_own_proof() {
    let world = World::build().await;
    let kinds = [CredentialKind::Password, CredentialKind::Recovery, CredentialKind::Device];
    let mut claims = kinds.map(|kind| claim(world.owner.credential(kind), 1)).to_vec();
    claims.extend([claim(world.token, 1), claim(world.token, 2), claim(CredentialId::from_bytes(id()), 1)]);
    let mut tx = world.server.app.store().begin().await.unwrap();
    let now = tx.now().await.unwrap();
    let held = crate::auth::hold(&mut tx, &claims, now).await.unwrap();
    let who: Vec<_> = held.iter().map(|held| held.as_ref().map(|held| held.actor.identity)).collect();
    assert_eq!(who, [None, None, Some(world.owner.signup.identity), Some(world.agent), None, None]);
}

#[tokio::test]
async fn an_older_state_is_not_sent_again() {
    let world = World::build().await;
    let agent = proof(world.token, 1);
    let first = ask(&world, &agent, None).await;
    assert_eq!(keys(&first), world.allowed);
    world.exclude(world.allowed[0], 1).await;
    for _ in 0..2 {
        let answer = ask(&world, &agent, Some(first.header("etag"))).await;
        assert_eq!((answer.status, keys(&answer)), (StatusCode::OK, world.allowed[1..].to_vec()));
    }
}

#[tokio::test]
async fn nobody_is_sent_what_another_has_proved() {
    let world = World::build().await;
    let (agent, device) = (proof(world.token, 1), proof(world.owner.credential(CredentialKind::Device), 1));
    for _ in 0..2 {
        assert!(ask(&world, &agent, None).await.json::<Bundle>().org.is_none());
        assert!(ask(&world, &device, None).await.json::<Bundle>().org.is_some());
        assert_eq!(ask(&world, &proof(world.token, 2), None).await.status, StatusCode::UNAUTHORIZED);
    }
    let narrow = format!("{BUNDLE}?deployment={}", world.unassigned);
    for _ in 0..2 {
        assert!(keys(&world.server.get(&agent, &narrow).await).is_empty());
        assert_eq!(keys(&ask(&world, &agent, None).await), world.allowed);
    }
}

#[tokio::test]
async fn who_was_removed_or_has_ended_is_unknown_with_the_next_request() {
    let world = World::build().await;
    let (agent, device) = (proof(world.token, 1), proof(world.owner.credential(CredentialKind::Device), 1));
    for proof in [&agent, &device] {
        for _ in 0..2 {
            assert_eq!(ask(&world, proof, None).await.status, StatusCode::OK);
        }
    }
    // A device lives for 12 hours; nothing but the clock changes.
    world.server.clock.advance(13 * 3_600_000);
    assert_eq!(ask(&world, &device, None).await.status, StatusCode::UNAUTHORIZED);
    world.server.clock.advance(-13 * 3_600_000);
    assert_eq!(ask(&world, &device, None).await.status, StatusCode::OK);
    world.remove_agent().await;
    assert_eq!(ask(&world, &agent, None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_credential_that_comes_back_under_its_id_is_another_one() {
    let world = World::build().await;
    let session = &world.owner.session;
    let mut device = credential(world.owner.signup.identity, CredentialKind::Device);
    for _ in 0..2 {
        let added = world.server.post(session, "/v1/credentials", &device).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
        for _ in 0..2 {
            let bundle: Bundle = ask(&world, &proof(device.id, 1), None).await.json();
            assert_eq!(bundle.cred.unwrap().sha256(), device.env.sha256());
        }
        let uri = format!("/v1/credentials/{}", device.id);
        let request = Request::delete(uri).header("authorization", session).body(Body::empty()).unwrap();
        assert_eq!(world.server.send(request).await.status, StatusCode::NO_CONTENT);
        assert_eq!(ask(&world, &proof(device.id, 1), None).await.status, StatusCode::UNAUTHORIZED);
        device.env = envelope(Purpose::Cred);
    }
}

#[tokio::test]
async fn the_last_use_is_noted_to_the_minute() {
    let world = World::build().await;
    let agent = proof(world.token, 1);
    let noted = async || {
        let all: IdentitiesAnswer = world.server.get(&world.owner.session, "/v1/identities").await.json();
        all.identities.iter().find(|info| info.id == world.agent).unwrap().last_used_at.unwrap()
    };
    ask(&world, &agent, None).await;
    let first = noted().await;
    world.server.clock.advance(30_000);
    ask(&world, &agent, None).await;
    assert_eq!(noted().await, first);
    world.server.clock.advance(30_000);
    ask(&world, &agent, None).await;
    assert!(noted().await >= first + 60_000);
}

async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |context| {
        let mut pending = false;
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => *output = Some(value),
                std::task::Poll::Pending => pending = true,
            }
        }
        if pending {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(futures.iter_mut().filter_map(|(_, output)| output.take()).collect())
    })
    .await
}
