//! Who gets into a server, and over what: TLS, the sign-up modes and the setup code, bad configuration.

use std::path::Path;
use std::process::Command;

use keyward_tests::authority::Authority;
use keyward_tests::engines;
use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{EMAIL, ORG, PASSWORD, sign_up};

#[test]
fn nothing_listens_beyond_this_machine_in_the_clear() {
    let server = Server::start(Engine::Sqlite);
    let open: &[&[&str]] =
        &[&["--listen", "0.0.0.0:0"], &["--listen", "[::]:0", "--public-url", "http://keyward.example"]];
    for words in open {
        let ended = server.another(words);
        assert_eq!((ended.code, ended.stdout.as_slice()), (1, &b""[..]), "{words:?}: {}", ended.said());
        for hint in ["TLS", "--tls-cert", "--public-url https://"] {
            assert!(ended.stderr.contains(hint), "{words:?}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_clients_trust_is_what_it_was_told_and_is_remembered() {
    let ca = Authority::new();
    let (cert, key) = (ca.path("server.pem"), ca.path("server.key"));
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let server = Server::start_with(Engine::Sqlite, &flags);
    let url = format!("https://{}", server.address);
    assert_eq!(server.stdout(), format!("keyward-server listening on {url}\n"));

    let stranger = Machine::new(&url);
    assert_eq!(try_sign_up(&stranger, ORG, EMAIL, &[]).code, 5, "an unknown authority was trusted");
    let other = Authority::new();
    let wrong = try_sign_up(&stranger, ORG, EMAIL, &["--ca", other.path("ca.pem").to_str().unwrap()]);
    assert_eq!(wrong.code, 5, "another authority was trusted: {}", wrong.said());
    let clear = Machine::new(&server.url());
    assert_eq!(try_sign_up(&clear, ORG, EMAIL, &[]).code, 5, "TLS was not needed");
    // Nothing was sent, so nothing is in doubt: no kit is left over for an organisation that is not there.
    assert!(!stranger.path("recovery-kit.txt").exists());

    let owner = Machine::new(&format!("https://localhost:{}", server.address.port()));
    let signed_up = try_sign_up(&owner, ORG, EMAIL, &["--ca", ca.path("ca.pem").to_str().unwrap()]);
    assert_eq!(signed_up.code, 0, "{}", signed_up.said());
    owner.without("KEYWARD_URL").ok(&["whoami"]);
}

#[test]
fn whoever_cannot_reach_a_server_is_told_what_would_help() {
    let folder = tempfile::tempdir().unwrap();
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem \
                 -subj /CN=localhost -addext subjectAltName=DNS:localhost";
    let made = Command::new("openssl").args(words.split_whitespace()).current_dir(folder.path()).output();
    assert!(made.expect("openssl is installed").status.success());
    let started = |cert: &Path, key: &Path| {
        let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let server = Server::start_with(Engine::Sqlite, &flags);
        let machine = Machine::new(&format!("https://localhost:{}", server.address.port()));
        (server, machine)
    };
    // What openssl makes of itself is the certificate of an authority, which is no server's, named with --ca or not.
    let cert = folder.path().join("cert.pem");
    let (_server, machine) = started(&cert, &folder.path().join("key.pem"));
    let trusting = ["--ca", cert.to_str().unwrap()];
    for more in [&[][..], &trusting] {
        for ended in [try_sign_up(&machine, ORG, EMAIL, more), machine.keyward(&[&["doctor"], more].concat())]
        {
            assert_eq!(ended.code, 5, "{more:?}: {}", ended.said());
            for said in ["is that of an authority", "basicConstraints=critical,CA:FALSE"] {
                assert!(ended.said().contains(said), "{more:?}: {said}: {}", ended.said());
            }
        }
    }
    // An authority was named already.
    let (ca, other) = (Authority::new(), Authority::new());
    let (_server, machine) = started(&ca.path("server.pem"), &ca.path("server.key"));
    let ended = try_sign_up(&machine, ORG, EMAIL, &["--ca", other.path("ca.pem").to_str().unwrap()]);
    assert!(ended.code == 5 && ended.stderr.contains("not the one that signed it"), "{}", ended.said());
    // A port without TLS.
    let plain = Server::start(Engine::Sqlite);
    let ended = try_sign_up(&Machine::new(&format!("https://{}", plain.address)), ORG, EMAIL, &[]);
    assert!(ended.code == 5 && ended.stderr.contains("speaks no TLS"), "{}", ended.said());
    // No address at all.
    let ended = try_sign_up(&Machine::new("").without("KEYWARD_URL"), ORG, EMAIL, &[]);
    assert!(ended.code == 5 && ended.stderr.contains("no address was given"), "{}", ended.said());
    assert!(ended.stderr.contains("KEYWARD_URL"), "{}", ended.stderr);
}

#[test]
fn a_server_with_a_wrong_certificate_does_not_start() {
    let (ca, other, server) = (Authority::new(), Authority::new(), Server::start(Engine::Sqlite));
    let (cert, key) = (ca.path("server.pem"), other.path("server.key"));
    let ended = server.another(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("do not belong together"), "{}", ended.stderr);
    let missing = ca.path("missing.pem");
    let ended =
        server.another(&["--tls-cert", missing.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("missing.pem"), "{}", ended.stderr);
}

#[test]
fn one_data_directory_has_one_server_at_a_time() {
    let mut server = Server::start(Engine::Sqlite);
    for words in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let ended = server.another(words);
        assert_eq!(ended.code, 1, "{words:?}: {}", ended.said());
        assert_eq!(ended.stdout, b"", "{words:?}");
        assert!(ended.stderr.contains("another keyward-server uses"), "{}", ended.stderr);
    }
    server.stop();
    assert_eq!(server.another(&["migrate"]).code, 0, "a killed server keeps nobody out");
}

#[test]
fn a_database_that_cannot_be_reached_is_said_without_its_password() {
    let server = Server::start(Engine::Sqlite);
    for url in
        ["postgres://keyward:canary-hunter2@127.0.0.1:1/x", "mysql://keyward:canary-hunter2@127.0.0.1/x"]
    {
        let ended = server.another(&["migrate", "--database-url", url]);
        assert_eq!(ended.code, 1, "{}", ended.said());
        assert!(ended.stderr.contains("database"), "{}", ended.stderr);
        assert!(!ended.said().contains("hunter2"), "{}", ended.said());
    }
}

engines! {
    fn by_default_one_organisation_signs_up_and_no_other(engine) {
        let server = Server::start(engine);
        let (alice, bob) = (Machine::new(&server.url()), Machine::new(&server.url()));
        sign_up(&alice, "Acme", "alice@acme.example");
        let second = try_sign_up(&bob, "Bolt", "bob@bolt.example", &[]);
        assert_eq!(second.code, 9, "{}", second.said());
        assert_eq!(server.sql("select count(*) from orgs"), "1");
        assert!(!server.data().join("setup-code").exists(), "a setup code outlives the first sign-up");
    }

    fn an_open_server_takes_many_organisations_but_an_address_once(engine) {
        let server = Server::start_with(engine, &["--signup", "open"]);
        let machines = [(); 3].map(|()| Machine::new(&server.url()));
        sign_up(&machines[0], "Acme", "alice@acme.example");
        sign_up(&machines[1], "Acme", "bob@bolt.example");
        let again = try_sign_up(&machines[2], "Coil", "Alice@Acme.Example", &[]);
        assert_eq!(again.code, 10, "{}", again.said());
        assert_eq!(server.sql("select count(*) from orgs"), "2");
    }

    fn a_closed_server_takes_none(engine) {
        let server = Server::start_with(engine, &["--signup", "closed"]);
        let refused = try_sign_up(&Machine::new(&server.url()), ORG, EMAIL, &[]);
        assert_eq!(refused.code, 9, "{}", refused.said());
        assert_eq!(server.sql("select count(*) from orgs"), "0");
    }

    fn behind_a_proxy_the_first_owner_shows_the_setup_code(engine) {
        for flags in [["--public-url", "https://keyward.example"], ["--trusted-proxy", "10.0.0.0/8"]] {
            let server = Server::start_with(engine, &flags);
            let owner = Machine::new(&server.url());
            the_setup_code_is_needed(&server, &owner);
        }
    }

    fn a_forwarded_request_shows_the_setup_code_though_nobody_told_of_a_proxy(engine) {
        for header in ["x-forwarded-for", "forwarded", "x-forwarded-host"] {
            let server = Server::start(engine);
            let proxy = Liar::before(server.address);
            proxy.lie("POST /v1/signup", move |request, server| {
                Reply::Whole(server(&request.clone().header(header, "203.0.113.7")))
            });
            the_setup_code_is_needed(&server, &Machine::new(&proxy.url()));
        }
    }
}

fn the_setup_code_is_needed(server: &Server, owner: &Machine) {
    let file = server.data().join("setup-code");
    let code = std::fs::read_to_string(&file).unwrap();
    for words in [&[][..], &["--setup-code", "aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhhh"]] {
        let refused = try_sign_up(owner, ORG, EMAIL, words);
        assert_eq!(refused.code, 9, "{words:?}: {}", refused.said());
        assert!(refused.stderr.contains("setup code"), "{}", refused.stderr);
        assert!(!owner.path("recovery-kit.txt").exists(), "a kit for an organisation that is not there");
    }
    let taken = try_sign_up(owner, ORG, EMAIL, &["--setup-code", code.trim()]);
    assert_eq!(taken.code, 0, "{}", taken.said());
    assert!(!file.exists(), "the code is good for one sign-up");
}

fn try_sign_up(owner: &Machine, org: &str, email: &str, more: &[&str]) -> Ended {
    let words =
        ["init", "--org", org, "--email", email, "--password-stdin", "--recovery-kit", "recovery-kit.txt"];
    owner.keyward_with(&[&words, more].concat(), PASSWORD.as_bytes())
}
