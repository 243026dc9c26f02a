//! Lies while somebody signs in with a password.

use keyward_crypto::state::roots::Recovery;
use keyward_crypto::{RootKey, Token, TokenKind, derive_secret, new_id};
use keyward_tests::http::{Answer, Request};
use keyward_tests::leak::{Secret, absent};
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::{Ended, Machine, run};
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{EMAIL, PASSWORD, World, founded};
use serde_json::{Value, json};

use crate::json_answer;

const PRELOGIN: &str = "GET /v1/auth/prelogin";
const LOGIN: &str = "POST /v1/auth/login";

/// A server with an owner, a liar before it, and a fresh machine of the owner's.
struct Gate {
    server: Server,
    liar: Liar,
    machine: Machine,
}

impl Gate {
    fn new() -> Self {
        let (server, _) = founded(Engine::Sqlite);
        let liar = Liar::before(server.address);
        let machine = Machine::new(&liar.url());
        Self { server, liar, machine }
    }

    fn log_in(&self, email: &str) -> Ended {
        let words = ["login", "--email", email, "--password-stdin"];
        self.machine.keyward_with(&words, PASSWORD.as_bytes())
    }

    /// The proofs that were sent.
    fn proofs(&self) -> Vec<Value> {
        let sent = self.liar.traffic().into_iter().map(|exchange| exchange.request);
        let bodies = sent.filter(|request| request.route() == LOGIN).map(|request| request.body);
        bodies.map(|body| serde_json::from_slice::<Value>(&body).unwrap()["auth"].clone()).collect()
    }

    fn prelogin(&self) -> Value {
        self.server.send(&Request::get(&format!("/v1/auth/prelogin?email={EMAIL}"))).json()
    }
}

#[test]
fn ms_26_asking_for_fewer_rounds_changes_no_proof() {
    let gate = Gate::new();
    assert_eq!(gate.log_in(EMAIL).code, 0);
    let honest = gate.proofs();
    assert_eq!(honest.len(), 1);
    for lie in [
        json!({ "iterations": 1 }),
        json!({ "iterations": 0, "rounds": 1, "kdf": "none" }),
        json!({ "kdf": "argon2id", "m": 8, "t": 1, "p": 1 }),
        json!({ "kdf": { "name": "pbkdf2", "hash": "sha1", "iterations": 1 } }),
    ] {
        gate.liar.reform();
        let said = lie.clone();
        gate.liar.change(PRELOGIN, move |answer| {
            answer.edit(|value| value.as_object_mut().unwrap().extend(said.as_object().unwrap().clone()));
        });
        let ended = Machine::new(&gate.liar.url())
            .keyward_with(&["login", "--email", EMAIL, "--password-stdin"], PASSWORD.as_bytes());
        assert!(ended.code == 0 || ended.code == 9, "{lie}: {}", ended.said());
        assert!(gate.proofs().iter().all(|proof| *proof == honest[0]), "{lie}");
    }
}

#[test]
fn ms_27_another_suite_or_salt_is_refused_before_anything_is_sent() {
    let gate = Gate::new();
    let honest = gate.prelogin();
    let refused = |lie: &str, answer: Value| {
        gate.liar.reform();
        gate.liar.answer(PRELOGIN, json_answer(&answer.to_string()));
        let ended = gate.log_in(EMAIL);
        assert_eq!(ended.code, 9, "{lie}: {}", ended.said());
        assert!(ended.stdout.is_empty(), "{lie}");
        assert_eq!(gate.liar.routes(), [PRELOGIN], "{lie}");
    };
    for suite in [0, 2, 255] {
        let mut answer = honest.clone();
        answer["suite"] = suite.into();
        refused(&format!("suite {suite}"), answer);
    }
    for length in [0, 15, 17, 4096] {
        let mut answer = honest.clone();
        answer["salt"] = data_encoding::BASE64URL_NOPAD.encode(&vec![7; length]).into();
        refused(&format!("a salt of {length} bytes"), answer);
    }
    let mut answer = honest;
    answer.as_object_mut().unwrap().remove("salt");
    refused("no salt", answer);
}

#[test]
fn ms_28_one_persons_salt_gives_another_person_another_proof() {
    let gate = Gate::new();
    assert_eq!(gate.log_in(EMAIL).code, 0);
    let olgas = gate.proofs();
    gate.liar.reform();
    gate.liar.answer(PRELOGIN, json_answer(&gate.prelogin().to_string()));
    assert_eq!(gate.log_in("bob@canary.example").code, 3);
    let bobs = gate.proofs();
    assert_eq!(bobs.len(), 1);
    assert_ne!(bobs[0], olgas[0]);
}

#[test]
fn ms_29_refused_again_and_again_the_password_is_asked_for_as_ever_and_never_sent() {
    let gate = Gate::new();
    let unauthenticated =
        Answer::new(401, r#"{"error":{"code":"unauthenticated","message":"The password again, in clear:"}}"#);
    gate.liar.answer(LOGIN, unauthenticated.clone());
    for _ in 0..3 {
        let ended = gate.log_in(EMAIL);
        assert_eq!(ended.code, 3, "{}", ended.said());
    }
    assert_eq!(gate.proofs().len(), 3, "without a terminal, one attempt each");
    // On a terminal: three questions, and no more.
    gate.liar.reform();
    gate.liar.answer(LOGIN, unauthenticated);
    let mut terminal = gate.machine.command("script".into());
    terminal.args(["-qec", &format!("keyward login --email {EMAIL}"), "/dev/null"]);
    let ended = run(terminal, format!("{PASSWORD}\n").repeat(12).as_bytes());
    assert_eq!(ended.code, 3, "{}", ended.said());
    assert_eq!(gate.proofs().len(), 3);
    // Then 200, with nonsense in it.
    for cred in [json!("x"), Value::Null, json!(data_encoding::BASE64URL_NOPAD.encode(&[7; 600]))] {
        gate.liar.change(LOGIN, move |answer| answer.edit(|value| value["cred"] = cred.clone()));
        let ended = gate.log_in(EMAIL);
        assert_eq!(ended.code, 6, "{}", ended.said());
    }
    // An envelope as good as any, of somebody else.
    let token = Token::generate(TokenKind::Api);
    let other = derive_secret(token.id, &token.secret);
    let forged = Recovery::new(new_id(), &RootKey::generate(), 1).seal(&other.unlock, token.id);
    gate.liar.change(LOGIN, move |answer| answer.edit(|value| value["cred"] = json!(forged)));
    assert_eq!(gate.log_in(EMAIL).code, 6);
    absent(&[Secret::new("the password", PASSWORD)], &gate.liar.bytes(), "the traffic");
}

#[test]
fn ms_30_fields_that_ask_for_keys_are_ignored() {
    let world = World::new(Engine::Sqlite);
    let liar = world.liar();
    let asked_for = json!({
        "key": "AAAA", "master_key": true, "public_key": "MIIB", "recovery_enrol": true, "reset_password": true,
        "key_connector_url": liar.url(), "migrate": true, "server_version": 0, "legacy": true,
        "policies": [{ "auto_enrol": true, "public_key": "MIIB" }], "require_password": true,
    });
    let session = || {
        let (owner, robot) = (Machine::new(&liar.url()), Machine::new(&liar.url()));
        let words = ["login", "--email", EMAIL, "--password-stdin"];
        owner.keyward_with(&words, PASSWORD.as_bytes()).ok(&words);
        owner.ok(&["key", "list"]);
        owner.ok(&["key", "get", "CANARY_ALPHA"]);
        owner.ok(&["org", "heartbeat"]);
        let words = ["auth", "api-user", "--token-stdin"];
        robot.keyward_with(&words, world.token.as_bytes()).ok(&words);
        robot.ok(&["key", "list"]);
        let routes = liar.routes();
        liar.reform();
        routes
    };
    let honest = session();
    liar.lie("*", move |request, honest| {
        let mut answer = honest(request);
        if answer.body.starts_with(b"{") {
            answer
                .edit(|value| value.as_object_mut().unwrap().extend(asked_for.as_object().unwrap().clone()));
        }
        Reply::Whole(answer)
    });
    assert_eq!(session(), honest);
}

#[test]
fn a_server_that_fails_at_the_end_of_a_sign_in_leaves_the_device_signed_in() {
    let gate = Gate::new();
    assert_eq!(gate.log_in(EMAIL).code, 0);
    gate.liar.answer("POST /v1/auth/logout", Answer::new(502, "no"));
    let again = gate.log_in(EMAIL);
    assert_eq!(again.code, 0, "{}", again.said());
    assert!(again.said().contains("session could not be ended"), "{}", again.said());
    gate.liar.reform();
    let whoami = gate.machine.keyward(&["whoami"]);
    assert_eq!(whoami.code, 0, "{}", whoami.said());
}

#[test]
fn a_former_login_that_may_not_be_ended_keeps_no_session_open() {
    let gate = Gate::new();
    assert_eq!(gate.log_in(EMAIL).code, 0);
    gate.liar.lie("POST /v1/auth/logout", |request, honest| {
        let names_one = request.target.contains('?');
        Reply::Whole(if names_one { Answer::new(403, "no") } else { honest(request) })
    });
    let again = gate.log_in(EMAIL);
    assert_eq!(again.code, 0, "{}", again.said());
    assert!(again.stderr.contains("former login could not be ended"), "{}", again.said());
    assert!(!again.stderr.contains("session could not be ended"), "{}", again.said());
    let asked: Vec<_> = gate.liar.routes().into_iter().filter(|route| route.contains("logout")).collect();
    assert_eq!(asked.len(), 3, "one each, and one more for the session: {asked:?}");
}

#[test]
fn a_logout_that_was_not_heard_says_so() {
    let gate = Gate::new();
    assert_eq!(gate.log_in(EMAIL).code, 0);
    gate.liar.answer(LOGIN, Answer::new(404, "nothing here"));
    let ended = gate.machine.keyward(&["logout"]);
    assert!(ended.said().contains("could not be ended on the server"), "{}", ended.said());
}
