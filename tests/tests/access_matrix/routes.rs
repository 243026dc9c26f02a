//! A request for every route, and more where it matters for what or for whom.

use std::collections::BTreeSet;

use keyward_crypto::enrol::new_device;
use keyward_crypto::recover::new_kit;
use keyward_crypto::state::roots::Recovery;
use keyward_crypto::{Token, TokenKind, new_id};
use keyward_tests::http::Request;
use keyward_tests::insider::now;
use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::recovery::RecoveryRequest;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{AgentId, CredentialId, IdentityId, Salt};
use serde_json::json;

use crate::callers::{Person, Who};
use crate::desk::Somebody;
use crate::land::Land;

/// A row of the matrix.
pub(crate) struct Case {
    /// The route, as in `ROUTES`.
    pub(crate) route: &'static str,
    /// What is asked of the route.
    pub(crate) what: &'static str,
    /// Asks.
    pub(crate) request: fn(&Land, Who) -> Request,
}

/// Every row.
pub(crate) const CASES: &[Case] = &[
    case("GET /healthz", "", |land, who| get(land, who, "/healthz")),
    case("GET /readyz", "", |land, who| get(land, who, "/readyz")),
    case("GET /openapi.json", "", |land, who| get(land, who, "/openapi.json")),
    case("POST /v1/signup", "", |land, who| {
        land.by(who, Request::post("/v1/signup", &serde_json::to_value(&land.signup).unwrap()))
    }),
    case("GET /v1/auth/prelogin", "", |land, who| get(land, who, "/v1/auth/prelogin?email=x@canary.example")),
    case("POST /v1/auth/login", "another's proof", |land, who| {
        let body = json!({ "cred": land.anothers.id, "auth": land.anothers.auth });
        land.by(who, Request::post("/v1/auth/login", &body))
    }),
    case("POST /v1/auth/login", "a wrong proof", |land, who| {
        let body = json!({ "cred": new_id::<CredentialId>(), "auth": land.anothers.auth });
        land.by(who, Request::post("/v1/auth/login", &body))
    }),
    case("POST /v1/auth/logout", "", |land, who| {
        with_spare(land, who, |_| Request::new("POST", "/v1/auth/logout"))
    }),
    case("POST /v1/auth/logout", "with this one", |land, who| with_spare(land, who, log_out)),
    case("POST /v1/auth/logout", "with one's kit", |land, who| {
        with_spare(land, who, |_| log_out(land.desk.credential(land.id(who), CredentialKind::Recovery).id))
    }),
    case("POST /v1/auth/logout", "with another's", |land, who| {
        let another = if who.person == Person::Viewer { Person::User } else { Person::Viewer };
        with_spare(land, who, |_| {
            log_out(land.desk.credential(land.person(another), CredentialKind::Token).id)
        })
    }),
    case("GET /v1/me", "", |land, who| get(land, who, "/v1/me")),
    case("GET /v1/me/bundle", "", |land, who| get(land, who, "/v1/me/bundle")),
    case("GET /v1/me/bundle", "a deployment", |land, who| {
        get(land, who, &format!("/v1/me/bundle?deployment={}", land.deployment))
    }),
    case("GET /v1/me/agents", "", |land, who| get(land, who, "/v1/me/agents")),
    case("POST /v1/me/agents/requests", "", |land, who| {
        let count = json!({ "agent": new_id::<AgentId>(), "decision": "inject", "count": 1 });
        land.by(who, Request::post("/v1/me/agents/requests", &json!({ "requests": [count] })))
    }),
    case("GET /v1/credentials", "", |land, who| get(land, who, "/v1/credentials")),
    case("POST /v1/credentials", "a device", |land, who| add(land, who, CredentialKind::Device)),
    case("POST /v1/credentials", "another's device", |land, who| {
        add_for(land, who, new_id(), CredentialKind::Device)
    }),
    case("POST /v1/credentials", "a password", |land, who| add(land, who, CredentialKind::Password)),
    case("POST /v1/credentials", "a recovery kit", |land, who| add(land, who, CredentialKind::Recovery)),
    case("POST /v1/credentials", "a token", |land, who| add(land, who, CredentialKind::Token)),
    case("POST /v1/credentials", "a link", |land, who| add(land, who, CredentialKind::Link)),
    case("DELETE /v1/credentials/{id}", "this one", |land, who| with_spare(land, who, delete)),
    case("DELETE /v1/credentials/{id}", "one's other", |land, who| {
        let api = matches!(who.person, Person::Viewer | Person::User | Person::Gateway);
        let kind = if api { CredentialKind::Token } else { CredentialKind::Device };
        land.by(who, delete(land.desk.credential(land.id(who), kind).id))
    }),
    case("DELETE /v1/credentials/{id}", "one's kit", |land, who| {
        land.by(who, delete(land.desk.credential(land.id(who), CredentialKind::Recovery).id))
    }),
    case("DELETE /v1/credentials/{id}", "another's", |land, who| {
        let another = if who.person == Person::Viewer { Person::User } else { Person::Viewer };
        land.by(who, delete(land.desk.credential(land.person(another), CredentialKind::Token).id))
    }),
    case("DELETE /v1/credentials/{id}", "unknown", |land, who| land.by(who, delete(new_id()))),
    case("GET /v1/org", "", |land, who| get(land, who, "/v1/org")),
    case("POST /v1/org/write", "", |land, who| {
        land.write(&land.desk.draft(keyward_crypto::change::Draft::regrant_all), who)
    }),
    case("POST /v1/secrets/get", "", |land, who| {
        let body = json!({ "secrets": [{ "key": land.excluded, "version": 1 }] });
        land.by(who, Request::post("/v1/secrets/get", &body))
    }),
    case("GET /v1/escrows/{identity}", "", |land, who| {
        get(land, who, &format!("/v1/escrows/{}", land.person(Person::Viewer)))
    }),
    case("GET /v1/escrows/{identity}", "unknown", |land, who| {
        get(land, who, &format!("/v1/escrows/{}", new_id::<IdentityId>()))
    }),
    case("GET /v1/identities", "", |land, who| get(land, who, "/v1/identities")),
    case("GET /v1/audit", "", |land, who| get(land, who, "/v1/audit")),
    case("GET /v1/recovery", "", |land, who| get(land, who, "/v1/recovery")),
    case("POST /v1/recovery", "no new kit", |land, who| {
        let mut new = recovery(land);
        new.credentials.retain(|credential| credential.kind != CredentialKind::Recovery);
        land.by(who, Request::post("/v1/recovery", &serde_json::to_value(new).unwrap()))
    }),
    case("POST /v1/recovery", "one more owner", |land, who| {
        land.by(who, Request::post("/v1/recovery", &serde_json::to_value(recovery(land)).unwrap()))
    }),
];

/// The heading of the rows.
pub(crate) const HEAD: &str = "\
# Every route. Sign-up is as it is by default: for the first organisation only, which is there.
# The deployment holds three keys, one of them excluded for everybody but owner and admin.
";

const fn case(route: &'static str, what: &'static str, request: fn(&Land, Who) -> Request) -> Case {
    Case { route, what, request }
}

fn get(land: &Land, who: Who, target: &str) -> Request {
    land.by(who, Request::get(target))
}

/// A request by a credential and session that may end by it.
fn with_spare(land: &Land, who: Who, request: impl Fn(CredentialId) -> Request) -> Request {
    match who.person {
        Person::Nobody | Person::Gone => land.by(who, request(new_id())),
        _ => land.spare(who).map(|(halves, authorization)| request(halves.id).by(&authorization)).unwrap(),
    }
}

fn log_out(with: CredentialId) -> Request {
    Request::new("POST", &format!("/v1/auth/logout?credential={with}"))
}

fn delete(id: CredentialId) -> Request {
    Request::new("DELETE", &format!("/v1/credentials/{id}"))
}

fn add(land: &Land, who: Who, kind: CredentialKind) -> Request {
    add_for(land, who, land.id(who), kind)
}

fn add_for(land: &Land, who: Who, identity: IdentityId, kind: CredentialKind) -> Request {
    let (_, device) = new_device(&land.desk.insider.cred, 1, 1, now() + 1000);
    let new = NewCredential { identity, kind, ..device };
    land.by(who, Request::post("/v1/credentials", &serde_json::to_value(new).unwrap()))
}

/// The recovery request of one more owner, complete, with a new kit.
fn recovery(land: &Land) -> RecoveryRequest {
    let (desk, mut made) = (&land.desk, None);
    let write = desk.draft(|draft| {
        let person = ("thing recovered", IdentityKind::Human, Role::Owner);
        made = Some(desk.enrol(draft, person, BTreeSet::new(), None));
    });
    let (Somebody { id, .. }, roots) = made.unwrap();
    let root = Recovery::new(desk.insider.org.org, &desk.insider.root, 1);
    let (_, device) = new_device(&desk.insider.cred, 1, 1, now() + 1000);
    let device = NewCredential { identity: id, ..device };
    let (kind, salt) = (CredentialKind::Password, Some(Salt::from_bytes([5; 16])));
    let password = NewCredential { id: new_id(), kind, salt, not_after: None, ..device.clone() };
    RecoveryRequest {
        base: write.base,
        org: write.org,
        identity: id,
        email: format!("{id}@canary.example").parse().unwrap(),
        credentials: vec![password, new_kit(&Token::generate(TokenKind::Recovery), id, &root), device],
        escrow: write.escrows.into_iter().next().unwrap(),
        roots,
    }
}
