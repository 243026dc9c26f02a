//! The server against its own description: schemathesis sends what `/openapi.json` allows and much that it does not.

use std::process::Command;

use keyward_tests::engines;
use keyward_tests::machine::run;
use keyward_tests::tools;
use keyward_tests::world::World;

engines! {
    fn no_request_is_answered_with_a_5xx_or_in_a_way_that_is_not_described(engine) {
        let world = World::new(engine);
        let authorization = format!("Authorization: {}", world.insider().authorization);
        let mut command = Command::new(tools::python_program("schemathesis"));
        command.env_clear().current_dir(world.owner.home()).args(["run", &format!("{}/openapi.json", world.server.url())]);
        // As an owner, who can do the most; without what would end that, and what only a recovery kit may.
        command.args(["--header", &authorization]);
        for path in ["/v1/auth/logout", "/v1/credentials/{id}", "/v1/recovery"] {
            command.args(["--exclude-path", path]);
        }
        command.args(["--phases", "coverage,fuzzing", "--max-examples", "5", "--workers", "1", "--no-color"]);
        command.args(["--generation-deterministic", "--checks", CHECKS]);
        let ended = run(command, b"");
        assert_eq!(ended.code, 0, "{}", ended.said());
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(said.contains("Tested: 16"), "not every other route was tried: {said}");
        assert!(!said.contains("Authentication failed"), "the owner was not known: {said}");
        world.owner.ok(&["audit", "verify", "--all"]);
        world.server.another(&["check"]).ok(&["keyward-server", "check"]);
    }
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance";
