//! Back in with the recovery kit (CRYPTO.md §2.13 F15), black box: MS-63, and what everybody else notices of it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers: a failure is the test's failure"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use keyward_crypto::{Token, TokenKind};
use keyward_tests::http::{Answer, Request};
use keyward_tests::insider::Insider;
use keyward_tests::leak::{Secret, absent};
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::{Engine, Server, program, wait_until};
use keyward_tests::world::{
    ALPHA, BETA, DEPLOYMENT, EMAIL, EXCLUDED, GROUP, ORG, World, expected, founded, new_robot, read, sign_up,
};
use keyward_tests::{engines, http};
use serde_json::{Value, json};

const NEW: &str = "olga+new@canary.example";
const NEW_PASSWORD: &str = "recovered-violet-anchor-saddle-mint-quarry";
const LOGIN: &str = "POST /v1/auth/login";
const READ: &str = "GET /v1/recovery";
const RECOVER: &str = "POST /v1/recovery";

/// A machine with the kit and nothing else.
fn rescuer(url: &str, kit: &Path) -> Machine {
    let machine = Machine::new(url);
    std::fs::copy(kit, machine.path("kit")).unwrap();
    machine
}

fn recover(machine: &Machine, email: &str, more: &[&str]) -> Ended {
    let words = ["org", "recover", "--email", email, "--recovery-kit", "kit", "--password-stdin"];
    machine.keyward_with(&[&words, more].concat(), NEW_PASSWORD.as_bytes())
}

/// Into a new kit `kit-2`.
fn recovered(machine: &Machine, email: &str) -> Ended {
    recover(machine, email, &["--new-kit", "kit-2"])
}

fn code(kit: &Path) -> String {
    let text = std::fs::read_to_string(kit).unwrap();
    text.split_whitespace().find(|word| word.starts_with("kwr1_")).unwrap().to_owned()
}

/// The secret part of a code.
fn part(code: &str) -> &str {
    code.split('_').nth(2).unwrap()
}

fn seq(owner: &Machine) -> u64 {
    let shown: Value = serde_json::from_str(&owner.ok(&["org", "show", "--json"])).unwrap();
    shown["seq"].as_u64().unwrap()
}

engines! {
    fn whoever_forgot_the_password_is_back_with_the_kit_and_everybody_else_stays(engine) {
        let world = World::new(engine);
        let (robot, owner) = (world.remembering_robot(), &world.owner);
        assert_eq!(read(&robot), expected());
        let before = world.bundle(&world.token);
        let machine = rescuer(&world.server.url(), &owner.path("recovery-kit.txt"));
        let ended = recovered(&machine, NEW);
        assert_eq!(ended.code, 0, "{}", ended.said());
        assert!(ended.stderr.contains(ORG), "whoever recovers sees what: {}", ended.stderr);
        assert!(!ended.stderr.contains("warning"), "nobody is told of himself: {}", ended.stderr);
        let kit = machine.path("kit-2");
        assert_eq!(std::fs::metadata(&kit).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&kit).unwrap().contains("NOT CONFIRMED"));

        let all = [ALPHA, BETA, EXCLUDED].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(&machine), all.into(), "an owner reads everything");
        machine.ok(&["group", "create", "after"]);
        let token = new_robot(&machine, "after", &["after"]);
        let words = ["login", "--email", NEW, "--password-stdin"];
        Machine::new(&world.server.url()).keyward_with(&words, NEW_PASSWORD.as_bytes()).ok(&words);

        assert_eq!(read(&robot), expected());
        let after = world.bundle(&world.token);
        let sealed = |bundle: &keyward_wire::api::bundle::Bundle| {
            let (grant, view) = (bundle.grant.clone().unwrap(), bundle.view.clone().unwrap());
            (grant.seq, grant.env, view.seq, view.env)
        };
        assert!(sealed(&before) == sealed(&after), "nothing changed for whoever reads by the rule");

        let told = owner.keyward(&["key", "list"]);
        assert!(told.stderr.contains("recovered") && told.stderr.contains(NEW), "{}", told.said());
        let again = owner.keyward(&["key", "list"]);
        assert_eq!((again.code, again.stderr.as_str()), (0, ""), "once");
        assert!(owner.ok(&["org", "show"]).contains(NEW), "and in org show for good");
        assert!(owner.ok(&["audit", "list"]).contains("org.recovered"));
        let verified = owner.keyward(&["audit", "verify"]);
        assert!(verified.code == 0 && !verified.stderr.contains("hides"), "{}", verified.said());
        owner.ok(&["api-user", "rotate", "after"]);
        assert_eq!(machine.keyward(&["api-user", "revoke", "after"]).code, 0);
        drop(token);

        let spent = rescuer(&world.server.url(), &owner.path("recovery-kit.txt"));
        let seq_before = seq(owner);
        let refused = recovered(&spent, "third@canary.example");
        assert_eq!(refused.code, 3, "a used kit: {}", refused.said());
        assert!(!spent.path("kit-2").exists() && seq(owner) == seq_before);
        let next = rescuer(&world.server.url(), &kit);
        assert_eq!(recovered(&next, "third@canary.example").code, 0, "the new kit is as good as the first");
    }

    fn what_stands_in_the_way_is_said_and_changes_nothing(engine) {
        let server = Server::start_with(engine, &["--signup", "open"]);
        let (owner, other) = (Machine::new(&server.url()), Machine::new(&server.url()));
        sign_up(&owner, ORG, EMAIL);
        sign_up(&other, "Elsewhere", "eve@elsewhere.example");
        let machine = rescuer(&server.url(), &owner.path("recovery-kit.txt"));
        let before = seq(&owner);
        let secret = code(&machine.path("kit"));
        machine.write("token", "keyward recovery kit\n\nkwt1_aaisem2ekvthpcezvk54zxpoam_x\n");
        machine.write("damaged", secret.replace(secret.chars().last().unwrap(), "1"));
        std::fs::write(machine.path("present"), b"something of value").unwrap();
        let file = &["--new-kit", "kit-2"][..];
        for (what, email, more, expected) in [
            ("one's own former address", EMAIL, file, 10),
            ("an address of another organisation", "eve@elsewhere.example", file, 10),
            ("a name that is taken", NEW, &["--new-kit", "kit-2", "--name", EMAIL][..], 10),
            ("a file that is there", NEW, &["--new-kit", "present"][..], 10),
            ("no place for the new kit", NEW, &[][..], 2),
            ("two ways to give the code", NEW, &["--new-kit", "kit-2", "--kit-stdin"][..], 2),
            ("a folder that is not there", NEW, &["--new-kit", "nowhere/kit-2"][..], 1),
        ] {
            let ended = recover(&machine, email, more);
            assert_eq!(ended.code, expected, "{what}: {}", ended.said());
            assert!(!machine.path("kit-2").exists(), "{what}: a kit that opens nothing was left");
            assert!(!ended.said().contains(&secret), "{what}: the code was repeated");
        }
        for (what, kit, password, expected) in [
            ("a weak password", "kit", "password1234", 9),
            ("a file without a code", "token", NEW_PASSWORD, 3),
            ("a code that was cut", "damaged", NEW_PASSWORD, 3),
            ("the code in the place of a file", secret.as_str(), NEW_PASSWORD, 1),
        ] {
            let words =
                ["org", "recover", "--email", NEW, "--recovery-kit", kit, "--password-stdin", "--new-kit", "kit-2"];
            let ended = machine.keyward_with(&words, password.as_bytes());
            assert_eq!(ended.code, expected, "{what}: {}", ended.said());
            assert!(!machine.path("kit-2").exists(), "{what}");
        }
        assert_eq!(std::fs::read(machine.path("present")).unwrap(), b"something of value");
        std::fs::copy(machine.path("kit"), other.path("kit")).unwrap();
        assert_eq!(recovered(&other, NEW).code, 10, "somebody is signed in there");
        assert_eq!(seq(&owner), before, "something was changed");
        assert_eq!(recovered(&machine, NEW).code, 0, "the kit is as good as ever");
        assert_eq!(seq(&owner), before + 1);
    }
}

#[test]
fn a_code_comes_from_a_file_or_standard_input_and_a_guess_is_slowed() {
    let (server, owner) = founded(Engine::Sqlite);
    let kit = owner.path("recovery-kit.txt");
    let secret = code(&kit);
    let machine = Machine::new(&server.url());
    let words = ["org", "recover", "--email", NEW, "--kit-stdin", "--new-kit", "kit-2"];
    let ended = machine.keyward_with(&words, secret.as_bytes());
    assert_eq!(ended.code, 2, "there is nobody to ask for a password: {}", ended.said());

    let id = Token::parse(&secret).unwrap().id;
    let wrong = Token::generate_for(TokenKind::Recovery, id);
    let guesser = Machine::new(&server.url());
    guesser.write("kit", wrong.encode().as_bytes());
    let ended = recovered(&guesser, NEW);
    assert_eq!(ended.code, 3, "a wrong code: {}", ended.said());
    let body = json!({ "cred": id, "auth": data_encoding::BASE64URL_NOPAD.encode(&[7; 32]) });
    let guess = |_| {
        let status = server.send(&Request::post("/v1/auth/login", &body)).status;
        assert!([401, 429].contains(&status), "{status}");
        status == 401
    };
    // One more guess is judged every two seconds: how long each takes here is not known.
    let judged = || (0..600).map(guess).take_while(|judged| *judged).count();
    let first = judged();
    assert!((40..600).contains(&first), "{first} guesses were judged");
    let tries = (0..5).map(|_| {
        judged();
        recovered(&guesser, NEW)
    });
    let mut tries = tries.inspect(|ended| assert!([3, 5].contains(&ended.code), "{}", ended.said()));
    assert!(tries.any(|ended| ended.code == 5), "no try was told to wait");
    assert!(!guesser.path("kit-2").exists());
}

/// A rescuer who believes to talk to the server.
struct Trap {
    world: World,
    liar: Liar,
    machine: Machine,
}

impl Trap {
    fn new() -> Self {
        let world = World::new(Engine::Sqlite);
        let liar = world.liar();
        let machine = rescuer(&liar.url(), &world.owner.path("recovery-kit.txt"));
        Self { world, liar, machine }
    }

    /// Told this lie, it refuses, and nothing was made.
    fn refused(&self, code: i32, lie: &str) {
        let before = seq(&self.world.owner);
        let ended = recovered(&self.machine, NEW);
        assert_eq!(ended.code, code, "{lie}: {}", ended.said());
        assert!(ended.stdout.is_empty(), "{lie}");
        assert!(!self.liar.routes().contains(&RECOVER.to_owned()), "{lie}: it was sent");
        assert!(!self.machine.path("kit-2").exists(), "{lie}: a kit that opens nothing was left");
        assert_eq!(seq(&self.world.owner), before, "{lie}: something was made");
        self.liar.reform();
    }
}

/// What the kit is truly answered: to its log-in, and when it asks what a new owner is made from.
fn honest(server: &Server, kit: &Path) -> (Value, Value) {
    let token = Token::parse(&code(kit)).unwrap();
    let keys = keyward_crypto::derive_secret(token.id, &token.secret);
    let auth = data_encoding::BASE64URL_NOPAD.encode(keys.auth.as_bytes());
    let body = json!({ "cred": token.id, "auth": auth });
    let signed_in = server.send(&Request::post("/v1/auth/login", &body)).json();
    let bearer = format!("Bearer {}", signed_in["session"].as_str().unwrap());
    let answer = server.send(&Request::get("/v1/recovery").by(&bearer)).json();
    (signed_in, answer)
}

fn flip(text: &str) -> String {
    let mut bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    bytes[300] ^= 1;
    data_encoding::BASE64URL_NOPAD.encode(&bytes)
}

#[test]
fn ms_63_a_kit_opens_its_own_organisation_as_it_was_sealed_and_nothing_else() {
    let trap = Trap::new();
    // Another organisation, of another server, whose owner is the attacker.
    let (foreign, eve) = founded(Engine::Sqlite);
    let their_kit = honest(&foreign, &eve.path("recovery-kit.txt"));
    let insider = Insider::open(&trap.world.server, &trap.world.owner);
    let (signed_in, answer) = honest(&trap.world.server, &trap.machine.path("kit"));

    for (lie, cred) in [
        ("RECOVERY with a bit flipped", json!(flip(signed_in["cred"].as_str().unwrap()))),
        ("RECOVERY of another organisation's kit", their_kit.0["cred"].clone()),
        ("a CRED in the place of RECOVERY", json!(trap.world.bundle(&trap.world.token).cred.unwrap())),
        ("no RECOVERY", Value::Null),
    ] {
        trap.liar.change(LOGIN, move |answer| answer.edit(|value| value["cred"] = cred.clone()));
        trap.refused(6, lie);
    }
    let admins = json!(insider.answer.orgkey);
    let edits: Vec<(&str, &str, Value)> = vec![
        ("ORG with a bit flipped", "env", json!(flip(answer["env"].as_str().unwrap()))),
        ("ORGKEY_ROOT with a bit flipped", "orgkey", json!(flip(answer["orgkey"].as_str().unwrap()))),
        ("an owner's ORGKEY_ADMIN in its place", "orgkey", admins),
        ("another organisation's ORG", "env", their_kit.1["env"].clone()),
        ("another organisation's ORGKEY_ROOT", "orgkey", their_kit.1["orgkey"].clone()),
        ("another seq", "seq", json!(answer["seq"].as_u64().unwrap() - 1)),
        ("another epoch", "epoch", json!(2)),
        ("another nonce", "nonce", their_kit.1["nonce"].clone()),
        ("no ORG", "env", Value::Null),
    ];
    for (lie, field, value) in edits {
        trap.liar.change(READ, move |answer| answer.edit(|whole| whole[field] = value.clone()));
        trap.refused(6, lie);
    }
    let whole = their_kit.1.to_string();
    trap.liar.answer(READ, Answer::new(200, whole).header("content-type", "application/json"));
    trap.refused(6, "all of another organisation");
    trap.liar.answer(READ, Answer::new(403, r#"{"error":{"code":"forbidden","message":"no"}}"#));
    trap.refused(9, "a kit that may not");
    assert_eq!(recovered(&trap.machine, NEW).code, 0, "the kit was not used up by any of them");
    let secret = code(&trap.machine.path("kit"));
    let new = code(&trap.machine.path("kit-2"));
    let secrets = [
        Secret::new("the code", part(&secret)),
        Secret::new("the new code", part(&new)),
        Secret::new("the password", NEW_PASSWORD),
    ];
    absent(&secrets, &trap.liar.bytes(), "the traffic");
    absent(&secrets, &trap.world.server.everything(), "the server");
}

#[test]
fn an_old_state_is_believed_without_a_floor_and_lost_against_an_honest_server() {
    let trap = Trap::new();
    let (_, old) = honest(&trap.world.server, &trap.machine.path("kit"));
    trap.world.owner.ok(&["group", "create", "later"]);
    let now = seq(&trap.world.owner);
    let text = old.to_string();
    trap.liar.answer(READ, Answer::new(200, text).header("content-type", "application/json"));
    let floor = Machine::new(&trap.liar.url()).with("KEYWARD_MIN_SEQ", now.to_string());
    std::fs::copy(trap.machine.path("kit"), floor.path("kit")).unwrap();
    let ended = recovered(&floor, NEW);
    assert_eq!(ended.code, 7, "{}", ended.said());
    let ended = recovered(&trap.machine, NEW);
    assert_eq!(ended.code, 10, "the true server does not take it: {}", ended.said());
    assert!(!trap.machine.path("kit-2").exists());
    assert_eq!(seq(&trap.world.owner), now);
}

#[test]
fn a_recovery_in_doubt_keeps_both_kits_and_says_so() {
    let trap = Trap::new();
    let kit = trap.machine.path("kit-2");
    let again = || {
        assert!(std::fs::read_to_string(&kit).unwrap().starts_with("NOT CONFIRMED YET"));
        std::fs::remove_file(&kit).unwrap();
    };
    // It says that it is stored, and it is not.
    let base = json!({ "seq": 9, "sha256": data_encoding::BASE64URL_NOPAD.encode(&[1; 32]) }).to_string();
    trap.liar.answer(RECOVER, Answer::new(200, base).header("content-type", "application/json"));
    let ended = recovered(&trap.machine, NEW);
    assert_ne!(ended.code, 0, "{}", ended.said());
    assert!(ended.stderr.contains("keep the former kit"), "{}", ended.stderr);
    again();
    // It did not arrive, and nobody says so.
    trap.liar.lie(RECOVER, |_, _| Reply::Bytes(Vec::new()));
    let ended = recovered(&trap.machine, NEW);
    assert_eq!(ended.code, 5, "{}", ended.said());
    assert!(ended.stderr.contains("keep the former kit"), "{}", ended.stderr);
    again();
    // It arrived, and the answer was lost: a look tells.
    trap.liar.lie(RECOVER, |request, honest| {
        honest(request);
        Reply::Bytes(Vec::new())
    });
    let ended = recovered(&trap.machine, NEW);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(!std::fs::read_to_string(&kit).unwrap().contains("NOT CONFIRMED"));
    trap.liar.reform();
    let next = rescuer(&trap.world.server.url(), &kit);
    assert_eq!(recovered(&next, "third@canary.example").code, 0);
}

#[test]
fn a_recovery_is_told_although_somebody_pressed_tab_before() {
    let world = World::new(Engine::Sqlite);
    let owner = &world.owner;
    owner.ok(&["key", "list"]);
    let machine = rescuer(&world.server.url(), &owner.path("recovery-kit.txt"));
    assert_eq!(recovered(&machine, NEW).code, 0);
    // A young copy is offered without asking.
    std::fs::remove_dir_all(owner.path(".keyward/cache")).unwrap();
    for word in ["show", "map"] {
        let line = format!("keyward\0deployment\0{word}\0\0");
        let offered = owner.keyward_with(&["__complete", "bash", "3"], line.as_bytes());
        assert!(String::from_utf8_lossy(&offered.stdout).contains(DEPLOYMENT), "{}", offered.said());
    }
    let offered = owner.keyward_with(&["__complete", "bash", "3"], b"keyward\0group\0show\0\0");
    assert!(String::from_utf8_lossy(&offered.stdout).contains(GROUP), "{}", offered.said());
    let told = owner.keyward(&["key", "list"]);
    assert!(told.stderr.contains("recovered with its recovery kit"), "{}", told.said());
    assert!(!owner.keyward(&["key", "list"]).stderr.contains("recovered"), "once");
}

#[test]
fn a_request_that_arrived_twice_loses_no_kit() {
    let twice = |request: &Request, honest: &dyn Fn(&Request) -> Answer| {
        honest(request);
        Reply::Whole(honest(request))
    };
    // A recovery.
    let world = World::new(Engine::Sqlite);
    let liar = world.liar();
    let machine = rescuer(&liar.url(), &world.owner.path("recovery-kit.txt"));
    liar.lie(RECOVER, twice);
    let ended = recovered(&machine, NEW);
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(machine.path("kit-2").exists());
    machine.ok(&["key", "list"]);
    // A sign-up whose fate cannot be found out.
    let server = Server::start(Engine::Sqlite);
    let liar = Liar::before(server.address);
    liar.lie("POST /v1/signup", twice);
    liar.lie(LOGIN, |_, _| Reply::Bytes(Vec::new()));
    let owner = Machine::new(&liar.url());
    let words = ["init", "--org", ORG, "--email", EMAIL, "--password-stdin", "--recovery-kit", "kit"];
    let ended = owner.keyward_with(&words, NEW_PASSWORD.as_bytes());
    assert!(ended.code != 0 && ended.stderr.contains("the recovery kit stays in"), "{}", ended.said());
    assert!(owner.path("kit").exists());
    // A sign-up.
    let server = Server::start(Engine::Sqlite);
    let liar = Liar::before(server.address);
    liar.lie("POST /v1/signup", twice);
    let owner = Machine::new(&liar.url());
    sign_up(&owner, ORG, EMAIL);
    assert!(owner.path("recovery-kit.txt").exists());
    owner.ok(&["org", "show"]);
}

#[test]
fn killed_between_the_kit_and_the_request_it_leaves_nothing_that_misleads() {
    let trap = Trap::new();
    let kit = trap.machine.path("kit-2");
    trap.liar.lie(RECOVER, |_, _| Reply::Stall(Vec::new()));
    let mut command = trap.machine.command(program("keyward"));
    let words =
        ["org", "recover", "--email", NEW, "--recovery-kit", "kit", "--password-stdin", "--new-kit", "kit-2"];
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), NEW_PASSWORD.as_bytes()).unwrap();
    wait_until("the request", || trap.liar.routes().contains(&RECOVER.to_owned()).then_some(()));
    assert!(kit.exists(), "the kit is on disk before the request");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(std::fs::read_to_string(&kit).unwrap().starts_with("NOT CONFIRMED YET"));
    assert!(!trap.machine.path(".keyward/config.toml").exists(), "it does not take itself for signed in");
    trap.liar.reform();
    let ended = recovered(&trap.machine, NEW);
    assert_eq!(ended.code, 10, "it does not overwrite what may be good: {}", ended.said());
    assert_eq!(recover(&trap.machine, NEW, &["--new-kit", "kit-3"]).code, 0, "the former kit still is");
    let dead = rescuer(&trap.world.server.url(), &kit);
    assert_eq!(recovered(&dead, "third@canary.example").code, 3, "the one of before never became good");
}

#[test]
fn others_writes_meanwhile_are_kept_and_a_hidden_recovery_shows_in_the_log() {
    let trap = Trap::new();
    let owner = Insider::open(&trap.world.server, &trap.world.owner);
    // Somebody writes between the reading and the request, once.
    let mut draft = owner.draft();
    draft.org.add_group("meanwhile".parse().unwrap()).unwrap();
    let write = draft.finish(&owner.ok).unwrap().request;
    let body = serde_json::to_value(&write).unwrap();
    let request = Request::post("/v1/org/write", &body).by(&owner.authorization);
    let (address, first) = (trap.world.server.address, std::sync::atomic::AtomicBool::new(true));
    trap.liar.lie(RECOVER, move |asked, honest| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            assert_eq!(http::send(address, &request).unwrap().status, 200);
        }
        Reply::Whole(honest(asked))
    });
    assert_eq!(recovered(&trap.machine, NEW).code, 0);
    assert!(trap.machine.ok(&["group", "list"]).contains("meanwhile"), "nobody's change was lost");

    // Whoever recovered has a client of his own that takes his trace out of ORG.
    let mut thief = Machine::new("");
    thief.redirect(&trap.world.server.url());
    std::fs::create_dir_all(thief.path(".keyward")).unwrap();
    std::fs::copy(trap.machine.path(".keyward/config.toml"), thief.path(".keyward/config.toml")).unwrap();
    let thief = Insider::open(&trap.world.server, &thief);
    let mut draft = thief.draft();
    draft.org.recoveries.clear();
    assert_eq!(thief.write(&trap.world.server, draft).status, 200);
    assert!(
        !trap.world.owner.keyward(&["key", "list"]).stderr.contains("recovered"),
        "the state says nothing"
    );
    let verified = trap.world.owner.keyward(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.said());
    assert!(verified.stderr.contains("somebody hides it"), "{}", verified.said());
}
