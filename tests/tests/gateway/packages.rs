//! Package managers behind the gateway. Their requests are what counts: the registry here has nothing for them.

use keyward_tests::machine::run;
use keyward_tests::tools::python_program;

use crate::{SECRET, Scene, Service, ok};

#[test]
fn pip_npm_and_cargo_ask_through_the_variables() {
    let scene =
        Scene::of("bearer", |authority| Service::start(authority, |_, _| ok("application/json", b"{}\n")));
    let gateway = scene.start();
    let agent = scene.agent(&gateway.at).with("CARGO_NET_RETRY", "0");
    // Of whoever runs the tests: rustup needs to find its toolchain, which is no secret.
    let agent =
        ["RUSTUP_HOME", "CARGO_HOME"].into_iter().fold(agent, |agent, name| match std::env::var_os(name) {
            Some(value) => agent.with(name, value),
            None => agent,
        });
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests").into();
    let (pip, registry) = (python_program("pip"), scene.url("/npm/"));
    let (index, sparse) = (scene.url("/pip/"), format!("sparse+{}", scene.url("/cargo/")));
    for (program, words, path) in [
        (
            pip,
            vec!["download", "--retries=0", "--no-deps", "--index-url", &index, "anything"],
            "/pip/anything/",
        ),
        (
            "npm".into(),
            vec!["view", "anything", "--fetch-retries=0", "--registry", &registry],
            "/npm/anything",
        ),
        (cargo, vec!["search", "anything", "--index", &sparse], "/cargo/config.json"),
    ] {
        let mut command = agent.command(program);
        command.args(&words);
        let ended = run(command, b"");
        let seen = scene.service.seen();
        let head = seen.split("\r\n\r\n").find(|head| head.starts_with(&format!("GET {path} ")));
        let head = head.unwrap_or_else(|| panic!("{words:?}: {}", ended.said()));
        assert!(head.contains(&format!("\r\nauthorization: Bearer {SECRET}")), "{head}");
        assert!(!ended.said().contains(SECRET), "{words:?}");
    }
}
