//! The server against its own description: schemathesis sends what `/openapi.json` allows and much that it does not.

use std::process::Command;

use keyward_tests::engines;
use keyward_tests::insider::{sign_in, token_halves};
use keyward_tests::machine::run;
use keyward_tests::tools;
use keyward_tests::world::World;

engines! {
    fn no_request_is_answered_with_a_5xx_or_in_a_way_that_is_not_described(engine) {
        let world = World::new(engine);
        // An owner can do the most; without what would end that, and what is for recovery kits and gateways.
        let but_for = ["/v1/auth/logout", "/v1/credentials/{id}", "/v1/recovery", "/v1/me/agents/requests"];
        is_as_described(&world, &world.insider().authorization, "--exclude-path", &but_for, 16);
        let token = world.owner.ok(&["api-user", "create", "edge", "--gateway"]);
        let (_, session) = sign_in(&world.server, &token_halves(token.trim_end()));
        is_as_described(&world, &session, "--include-path", &["/v1/me/agents", "/v1/me/agents/requests"], 2);
        world.owner.ok(&["audit", "verify", "--all"]);
        world.server.another(&["check"]).ok(&["keyward-server", "check"]);
    }
}

/// Asks for the routes that `choice` and the paths name, which are so many, with this authorization.
fn is_as_described(world: &World, authorization: &str, choice: &str, paths: &[&str], routes: usize) {
    let mut command = Command::new(tools::python_program("schemathesis"));
    command.env_clear().current_dir(world.owner.home());
    command.args(["run", &format!("{}/openapi.json", world.server.url())]);
    command.args(["--header", &format!("Authorization: {authorization}")]);
    for path in paths {
        command.args([choice, path]);
    }
    command.args(["--phases", "coverage,fuzzing", "--max-examples", "5", "--workers", "1", "--no-color"]);
    command.args(["--generation-deterministic", "--checks", CHECKS]);
    let ended = run(command, b"");
    assert_eq!(ended.code, 0, "{}", ended.said());
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(said.contains(&format!("Tested: {routes}\n")), "not every route was tried: {said}");
    assert!(!said.contains("Authentication failed"), "whoever asked was not known: {said}");
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance";
