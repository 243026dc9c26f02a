use axum::body::Body;
use axum::http::{Request, StatusCode};
use keyward_wire::api::auth::{MeAnswer, PreloginAnswer};
use keyward_wire::api::credentials::{CredentialKind, CredentialsAnswer};
use keyward_wire::error::{ErrorBody, ErrorCode};
use keyward_wire::{AuthHalf, CredentialId};
use zeroize::Zeroizing;

use crate::config::Signup;
use crate::testing::{TestOwner, TestServer, credential, id, login_request};

#[tokio::test]
async fn a_first_owner_signs_up_and_is_signed_in() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let me: MeAnswer = server.get(&owner.session, "/v1/me").await.json();
    assert_eq!((me.org, me.identity), (owner.signup.org, owner.signup.identity));
    assert_eq!(me.credential_kind, CredentialKind::Password);
    let answer = server.post(&owner.session, "/v1/auth/logout", &()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&owner.session, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_with_the_device_that_it_replaced_and_with_nothing_else() {
    let server = TestServer::start_with(|config| config.signup = Signup::Open).await;
    let (owner, other) = (server.owner("alice@example.com").await, server.owner("bob@example.com").await);
    let device = owner.credential(CredentialKind::Device);
    let on_device = server.login(device).await;
    let logout = async |session: &str, credential: &str| {
        server.post(session, &format!("/v1/auth/logout?credential={credential}"), &()).await.status
    };
    let lives = async |session: &str| server.get(session, "/v1/me").await.status == StatusCode::OK;

    // What may not be dropped ends nothing, and neither does what is no id.
    for kind in [CredentialKind::Password, CredentialKind::Recovery] {
        let kept = owner.credential(kind).to_string();
        assert_eq!(logout(&owner.session, &kept).await, StatusCode::FORBIDDEN, "{kind:?}");
    }
    assert_eq!(logout(&owner.session, "alice").await, StatusCode::BAD_REQUEST);
    assert!(lives(&owner.session).await && lives(&on_device).await);

    assert_eq!(logout(&owner.session, &device.to_string()).await, StatusCode::NO_CONTENT);
    assert!(!lives(&owner.session).await && !lives(&on_device).await);
    assert_eq!(
        server.post("", "/v1/auth/login", &login_request(device, 1)).await.status,
        StatusCode::UNAUTHORIZED
    );

    // One that has ended before, and another's: the session ends, and nothing more.
    let foreign = other.credential(CredentialKind::Device);
    for credential in [device, foreign] {
        let session = server.login(owner.credential(CredentialKind::Password)).await;
        assert_eq!(logout(&session, &credential.to_string()).await, StatusCode::NO_CONTENT);
        assert!(!lives(&session).await);
    }
    assert!(lives(&server.login(foreign).await).await);

    // A device that ends itself ends its session once.
    let foreign_session = server.login(foreign).await;
    assert_eq!(logout(&foreign_session, &foreign.to_string()).await, StatusCode::NO_CONTENT);
    assert!(!lives(&foreign_session).await);
}

#[tokio::test]
async fn only_the_first_may_sign_up_by_default() {
    let server = TestServer::start().await;
    server.owner("alice@example.com").await;
    let second = server.post("", "/v1/signup", &TestOwner::new("bob@example.com").signup).await;
    assert_eq!(second.json::<ErrorBody>().error.code, ErrorCode::SignupClosed);
}

#[tokio::test]
async fn a_proxy_in_front_makes_the_setup_code_necessary() {
    let server = TestServer::start().await;
    let mut owner = TestOwner::new("alice@example.com");
    let forwarded = |owner: &TestOwner, header: &str| {
        let body = Body::from(serde_json::to_vec(&owner.signup).unwrap());
        let request = Request::post("/v1/signup").header("content-type", "application/json");
        server.send(request.header(header, "x").body(body).unwrap())
    };
    for header in ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto"] {
        let answer = forwarded(&owner, header).await;
        let error = answer.json::<ErrorBody>().error;
        assert_eq!(error.code, ErrorCode::SetupCode, "{header}");
        assert!(error.message.starts_with("The first sign-up needs the server's setup code."), "{header}");
    }
    let rebound = |host: &str| {
        let body = Body::from(serde_json::to_vec(&owner.signup).unwrap());
        let request = Request::post("/v1/signup").header("content-type", "application/json");
        server.send(request.header("host", host).body(body).unwrap())
    };
    for host in ["evil.example:8420", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", ""] {
        assert_eq!(rebound(host).await.json::<ErrorBody>().error.code, ErrorCode::SetupCode, "{host}");
    }
    owner.signup.setup_code = Some("wrong".to_owned());
    let answer = forwarded(&owner, "Forwarded").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json::<ErrorBody>().error.message, "The setup code is wrong.");
    owner.signup.setup_code = server.app.setup_code().text().map(|code| code.to_string());
    assert_eq!(forwarded(&owner, "Forwarded").await.status, StatusCode::CREATED);
    assert!(server.app.setup_code().text().is_none());
}

#[tokio::test]
async fn a_server_that_others_can_reach_asks_for_the_setup_code() {
    for change in [
        |config: &mut crate::config::Config| config.public_url = Some("https://keyward.example".to_owned()),
        |config: &mut crate::config::Config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()],
    ] {
        let server = TestServer::start_with(change).await;
        let answer = server.post("", "/v1/signup", &TestOwner::new("alice@example.com").signup).await;
        assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::SetupCode);
    }
}

#[tokio::test]
async fn sign_up_can_be_closed_or_open() {
    let closed = TestServer::start_with(|config| config.signup = Signup::Closed).await;
    let answer = closed.post("", "/v1/signup", &TestOwner::new("alice@example.com").signup).await;
    assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::SignupClosed);

    let open = TestServer::start_with(|config| config.signup = Signup::Open).await;
    let alice = open.owner("alice@example.com").await;
    open.owner("bob@example.com").await;
    let again = open.post("", "/v1/signup", &TestOwner::new(" Alice@Example.com").signup).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let mut stolen = TestOwner::new("carol@example.com");
    stolen.signup.credentials[0].id = alice.credential(CredentialKind::Password);
    assert_eq!(open.post("", "/v1/signup", &stolen.signup).await.status, StatusCode::CONFLICT);
    let mut foreign = TestOwner::new("dave@example.com");
    foreign.signup.credentials[0].identity = alice.signup.identity;
    assert_eq!(open.post("", "/v1/signup", &foreign.signup).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn every_refused_log_in_looks_the_same() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let device = owner.credential(CredentialKind::Device);
    let try_in = async |credential, auth| {
        let answer = server.post("", "/v1/auth/login", &login_request(credential, auth)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
        (answer.body, format!("{:?}", answer.headers))
    };
    let unknown = try_in(CredentialId::from_bytes(id()), 1).await;
    assert_eq!(unknown, try_in(owner.credential(CredentialKind::Password), 2).await);
    server.clock.advance(13 * 3_600_000);
    assert_eq!(unknown, try_in(device, 1).await);
}

#[tokio::test]
async fn a_session_ends_after_a_quarter_of_an_hour() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    server.clock.advance(14 * 60_000);
    assert_eq!(server.get(&owner.session, "/v1/me").await.status, StatusCode::OK);
    server.clock.advance(2 * 60_000);
    assert_eq!(server.get(&owner.session, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn prelogin_does_not_tell_who_is_known() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let ask = async |email: &str| server.get("", &format!("/v1/auth/prelogin?email={email}")).await;
    let known: PreloginAnswer = ask("alice%40example.com").await.json();
    assert_eq!(known.cred, owner.credential(CredentialKind::Password));
    let (first, second) = (ask("bob%40example.com").await, ask("BOB%40example.com").await);
    assert_eq!(first.body, second.body);
    assert_eq!(first.body.len(), ask("alice%40example.com").await.body.len());
    let other: PreloginAnswer = ask("carol%40example.com").await.json();
    let first: PreloginAnswer = first.json();
    assert_ne!((first.cred, first.salt), (other.cred, other.salt));
    assert_eq!(ask("nonsense").await.status, StatusCode::BAD_REQUEST);
    // Nor does the attempt to have what it named.
    for taken in [known.cred, first.cred, other.cred] {
        let mut own = credential(owner.signup.identity, CredentialKind::Device);
        own.id = taken;
        let answer = server.post(&owner.session, "/v1/credentials", &own).await;
        assert_eq!(answer.json::<ErrorBody>().error.code, ErrorCode::Conflict, "{taken}");
    }
    let mut bob = TestOwner::new("bob@example.com");
    bob.signup.credentials[0].id = first.cred;
    let open = TestServer::start_with(|config| config.signup = Signup::Open).await;
    assert_eq!(
        open.post("", "/v1/signup", &bob.signup).await.status,
        StatusCode::CREATED,
        "another server's"
    );
}

#[tokio::test]
async fn somebody_has_so_many_devices_and_the_newest_ones_stay() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let first = owner.credential(CredentialKind::Device);
    let mut added = Vec::new();
    for _ in 0..64 {
        server.clock.advance(1);
        let device = credential(owner.signup.identity, CredentialKind::Device);
        added.push(device.id);
        let answer = server.post(&owner.session, "/v1/credentials", &device).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    }
    let answer: CredentialsAnswer = server.get(&owner.session, "/v1/credentials").await.json();
    let devices = answer.credentials.iter().filter(|one| one.kind == CredentialKind::Device);
    assert!(devices.map(|device| device.id).eq(added), "the first is gone, and those after it are there");
    let old = server.post("", "/v1/auth/login", &login_request(first, 1)).await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_device_that_has_ended_goes_before_an_older_one_that_has_not() {
    let server = TestServer::start().await;
    let owner = server.owner("alice@example.com").await;
    let add = async |session: &str, more_days: i64| {
        let mut device = credential(owner.signup.identity, CredentialKind::Device);
        device.not_after = device.not_after.map(|end| end + more_days * 86_400_000);
        server.clock.advance(1);
        assert_eq!(server.post(session, "/v1/credentials", &device).await.status, StatusCode::CREATED);
        device.id
    };
    let lasting = add(&owner.session, 80).await;
    for _ in 0..62 {
        add(&owner.session, 0).await;
    }
    server.clock.advance(86_400_000);
    let session = server.login(owner.credential(CredentialKind::Password)).await;
    for _ in 0..5 {
        add(&session, 2).await;
    }
    let answer: CredentialsAnswer = server.get(&session, "/v1/credentials").await.json();
    let devices: Vec<_> =
        answer.credentials.iter().filter(|one| one.kind == CredentialKind::Device).collect();
    assert_eq!(devices.len(), 64);
    assert!(devices.iter().any(|one| one.id == lasting));
}

#[tokio::test]
async fn an_address_that_guesses_is_slowed_and_nobody_else() {
    let server = Proxied::start().await;
    let password = server.owner.credential(CredentialKind::Password);
    // Of many credentials, so that it is the address that counts. A slow machine forgets some meanwhile.
    let mut refused = 0;
    while server.login("192.0.2.1", CredentialId::from_bytes(id()), 2).await.status
        == StatusCode::UNAUTHORIZED
    {
        refused += 1;
    }
    assert!(refused >= 50, "{refused}");
    let refused = server.login("192.0.2.1", password, 1).await;
    let error = refused.json::<ErrorBody>().error;
    assert_eq!(error.code, ErrorCode::TooMany);
    let wait = refused.header("retry-after").to_owned();
    assert!(["1", "2"].contains(&wait.as_str()), "{wait}");
    assert!(error.message.contains(&format!("in {wait} seconds")), "{}", error.message);
    assert_eq!(server.login("192.0.2.2", password, 1).await.status, StatusCode::OK);
    // With a device or token nobody waits for what others guess behind the same address.
    let device = server.owner.credential(CredentialKind::Device);
    assert_eq!(server.login("192.0.2.1", device, 1).await.status, StatusCode::OK);
    assert_eq!(server.login("192.0.2.1", device, 2).await.status, StatusCode::TOO_MANY_REQUESTS);
}

/// The wait that is told is the one that there is, also to those who guess on during it.
#[tokio::test]
async fn who_asks_for_a_bundle_again_when_he_was_told_to_is_looked_at() {
    let server = TestServer::start().await;
    let wrong = || {
        let auth = AuthHalf::from_bytes(Zeroizing::new([2; 32]));
        auth.authorization(CredentialId::from_bytes(id())).to_string()
    };
    let ask = async || server.get(&wrong(), "/v1/me/bundle").await;
    while ask().await.status == StatusCode::UNAUTHORIZED {}
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let early = ask().await;
    assert_eq!((early.status, early.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "2"));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(ask().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_password_guessed_from_everywhere_is_slowed_and_its_holder_is_not_where_he_was() {
    let server = Proxied::start().await;
    let password = server.owner.credential(CredentialKind::Password);
    let device = server.owner.credential(CredentialKind::Device);
    for home in ["198.51.100.7", "2001:db8:7::1"] {
        assert_eq!(server.login(home, password, 1).await.status, StatusCode::OK);
    }
    // One try an address.
    for n in 0..20 {
        let guess = server.login(&format!("192.0.2.{n}"), password, 2).await;
        assert_eq!(guess.status, StatusCode::UNAUTHORIZED, "{n}");
    }
    for (n, auth) in [(101, 2), (102, 1)] {
        let late = server.login(&format!("192.0.2.{n}"), password, auth).await;
        assert_eq!(late.json::<ErrorBody>().error.code, ErrorCode::TooMany, "right or wrong");
        let wait: u64 = late.header("retry-after").parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
    }
    // At home, in the same /64 of home, with a device from anywhere; and others with their own.
    for home in ["198.51.100.7", "2001:db8:7::1", "2001:db8:7::2"] {
        assert_eq!(server.login(home, password, 1).await.status, StatusCode::OK, "{home}");
    }
    assert_eq!(server.login("192.0.2.103", device, 1).await.status, StatusCode::OK);
    assert_eq!(server.login("2001:db8:8::1", password, 1).await.status, StatusCode::TOO_MANY_REQUESTS);
    // Wrong at home is the address's affair, and does not fill the strangers' bucket.
    assert_eq!(server.login("198.51.100.7", password, 2).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_throttle_does_not_tell_who_is_known() {
    let server = Proxied::start().await;
    let known = server.owner.credential(CredentialKind::Password);
    let device = server.owner.credential(CredentialKind::Device);
    let mut seen = Vec::new();
    for credential in [known, device, CredentialId::from_bytes(id())] {
        let mut statuses = Vec::new();
        for n in 0..25 {
            statuses.push(server.login(&format!("192.0.2.{n}"), credential, 2).await.status);
        }
        seen.push(statuses);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert_eq!(seen[0].iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count(), 5);
}

#[tokio::test]
async fn a_token_in_a_request_is_slowed_for_nobody_else_s_tries() {
    let server = Proxied::start().await;
    let device = server.owner.credential(CredentialKind::Device);
    let proof = |auth| AuthHalf::from_bytes(Zeroizing::new([auth; 32])).authorization(device).to_string();
    let bundle = async |ip: &str, auth| {
        let request = Request::get("/v1/me/bundle").header("authorization", proof(auth));
        server.server.send(request.header("x-forwarded-for", ip).body(Body::empty()).unwrap()).await.status
    };
    for n in 0..60 {
        assert_eq!(bundle(&format!("192.0.2.{n}"), 2).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(bundle("192.0.2.99", 1).await, StatusCode::OK);
}

/// A server behind a trusted proxy, and its owner.
struct Proxied {
    server: TestServer,
    owner: TestOwner,
}

impl Proxied {
    async fn start() -> Self {
        let server = TestServer::start_with(|config| {
            config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        })
        .await;
        let mut owner = TestOwner::new("alice@example.com");
        owner.signup.setup_code = server.app.setup_code().text().map(|code| code.to_string());
        assert_eq!(server.post("", "/v1/signup", &owner.signup).await.status, StatusCode::CREATED);
        Self { server, owner }
    }

    async fn login(&self, ip: &str, credential: CredentialId, auth: u8) -> crate::testing::Answered {
        let body = Body::from(login_request(credential, auth).to_string());
        let request = Request::post("/v1/auth/login").header("content-type", "application/json");
        self.server.send(request.header("x-forwarded-for", ip).body(body).unwrap()).await
    }
}
