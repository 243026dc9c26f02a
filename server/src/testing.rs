//! A server for the unit tests of this package: in a temporary directory, spoken to without a socket, and clients whose envelopes
//! are noise. Nothing here can be opened, so nothing here needs a key.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use keyward_wire::api::auth::LoginAnswer;
use keyward_wire::api::credentials::{CredentialKind, NewCredential};
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::{NewEscrow, RootEnvelope, RootKind};
use keyward_wire::{AuthHalf, CredentialId, Envelope, IdentityId, Nonce, OrgId, Purpose, Salt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::app::App;
use crate::config::Config;
use crate::http::{self, Peer, Server};
use crate::random;
use crate::store::ClockOffset;

/// A server on SQLite.
pub(crate) struct TestServer {
    pub app: App,
    pub clock: ClockOffset,
    pub router: Router,
    pub dir: tempfile::TempDir,
}

/// A whole answer.
pub(crate) struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answered {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The header of this name. Empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::in_directory(dir.path().join("data"));
        change(&mut config);
        let clock = ClockOffset::default();
        let app = App::open(&config, clock.clone()).await.unwrap();
        let loopback = config.listen.ip().is_loopback();
        let router = http::router(&Server { app: app.clone(), loopback });
        Self { app, clock, router, dir }
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answered {
        request.headers_mut().entry("host").or_insert(HeaderValue::from_static("127.0.0.1:8420"));
        request.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 4711))));
        let response = http::answer(self.router.clone(), self.app.metrics(), request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answered { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, authorization: &str, uri: &str) -> Answered {
        self.send(Request::get(uri).header("authorization", authorization).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, authorization: &str, uri: &str, body: &impl Serialize) -> Answered {
        let body = Body::from(serde_json::to_vec(body).unwrap());
        let request = Request::post(uri).header("authorization", authorization);
        self.send(request.header("content-type", "application/json").body(body).unwrap()).await
    }

    /// Signs an organisation up, with its owner signed in by password.
    pub(crate) async fn owner(&self, email: &str) -> TestOwner {
        let owner = TestOwner::new(email);
        let answer = self.post("", "/v1/signup", &owner.signup).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let session = self.login(owner.credential(CredentialKind::Password)).await;
        TestOwner { session, ..owner }
    }

    /// The `Authorization` header of a new session.
    pub(crate) async fn login(&self, credential: CredentialId) -> String {
        let answer = self.post("", "/v1/auth/login", &login_request(credential, 1)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json::<LoginAnswer>().session.authorization().to_string()
    }
}

/// The body of a log-in. The auth half of every test credential is 32 times 1.
pub(crate) fn login_request(cred: CredentialId, auth: u8) -> serde_json::Value {
    serde_json::json!({ "cred": cred, "auth": AuthHalf::from_bytes(Zeroizing::new([auth; 32])) })
}

/// A first owner.
pub(crate) struct TestOwner {
    pub signup: SignupRequest,
    pub session: String,
}

impl TestOwner {
    pub(crate) fn new(email: &str) -> Self {
        let (org, identity) = (OrgId::from_bytes(id()), IdentityId::from_bytes(id()));
        let root = |kind, holder, purpose| RootEnvelope {
            kind,
            identity: holder,
            generation: 1,
            env: envelope(purpose),
        };
        let signup = SignupRequest {
            org,
            identity,
            email: email.parse().unwrap(),
            nonce: Nonce::from_bytes([9; 32]),
            state: envelope(Purpose::Org),
            credentials: [CredentialKind::Password, CredentialKind::Recovery, CredentialKind::Device]
                .map(|kind| credential(identity, kind))
                .into(),
            escrow: NewEscrow { identity, creator: None, ik_gen: 1, env: envelope(Purpose::Escrow) },
            roots: vec![
                root(RootKind::Root, Some(identity), Purpose::Root),
                root(RootKind::OrgkeyRoot, None, Purpose::OrgKeyRoot),
                root(RootKind::OrgkeyAdmin, Some(identity), Purpose::OrgKeyAdmin),
            ],
            setup_code: None,
        };
        Self { signup, session: String::new() }
    }

    pub(crate) fn credential(&self, kind: CredentialKind) -> CredentialId {
        self.signup.credentials.iter().find(|credential| credential.kind == kind).unwrap().id
    }
}

/// A credential whose auth half is 32 times 1.
pub(crate) fn credential(identity: IdentityId, kind: CredentialKind) -> NewCredential {
    let recovery = kind == CredentialKind::Recovery;
    NewCredential {
        id: CredentialId::from_bytes(id()),
        identity,
        kind,
        salt: (kind == CredentialKind::Password).then_some(Salt::from_bytes([5; 16])),
        auth_sha256: AuthHalf::from_bytes(Zeroizing::new([1; 32])).verifier(),
        env: envelope(if recovery { Purpose::Recovery } else { Purpose::Cred }),
        not_after: (kind == CredentialKind::Device).then_some(now() + 12 * 3_600_000),
    }
}

/// An envelope of this purpose, full of noise.
pub(crate) fn envelope(purpose: Purpose) -> Envelope {
    let mut bytes = random::bytes::<600>().to_vec();
    bytes[..8].copy_from_slice(&[b'K', b'W', b'E', b'1', purpose.code(), 1, 0, 0]);
    Envelope::from_bytes(bytes).unwrap()
}

/// A fresh id.
pub(crate) fn id() -> [u8; 16] {
    *random::bytes()
}

#[expect(clippy::disallowed_methods, reason = "the server under test compares with the real clock")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}
