//! Several servers over one database ask for one setup code, once.

use std::fs::read_to_string;

use keyward_tests::liar::{Liar, Reply};
use keyward_tests::machine::{Ended, Machine};
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::PASSWORD;

#[test]
fn one_code_is_good_at_each_of_several_servers_and_once() {
    let one = Server::start(Engine::Postgres);
    let mut two = one.twin();
    let code = read_to_string(one.data().join("setup-code")).unwrap();
    assert_eq!(read_to_string(two.data().join("setup-code")).unwrap(), code);

    let wrong = sign_up(&two, "a@acme.example", "aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhhh");
    assert_eq!(wrong.code, 9, "{}", wrong.said());
    // What the first printed is good at the second, and then nowhere any more.
    let first = sign_up(&two, "a@acme.example", code.trim());
    assert_eq!(first.code, 0, "{}", first.said());
    for server in [&one, &two] {
        let again = sign_up(server, "b@acme.example", code.trim());
        assert_eq!(again.code, 9, "{}", again.said());
    }
    assert_eq!(one.sql("select count(*) from orgs"), "1");
    assert!(!two.data().join("setup-code").exists());
    two.restart();
    assert!(!two.data().join("setup-code").exists());
}

/// Signs up as from behind a proxy: from this machine itself, no code is asked for.
fn sign_up(server: &Server, email: &str, code: &str) -> Ended {
    let proxy = Liar::before(server.address);
    proxy.lie("POST /v1/signup", |request, server| {
        Reply::Whole(server(&request.clone().header("x-forwarded-for", "203.0.113.7")))
    });
    let words = [
        "init",
        "--org",
        "Acme",
        "--email",
        email,
        "--password-stdin",
        "--recovery-kit",
        "kit.txt",
        "--setup-code",
        code,
    ];
    Machine::new(&proxy.url()).keyward_with(&words, PASSWORD.as_bytes())
}
