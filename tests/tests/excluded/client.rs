//! The client, as an agent uses it.

use keyward_tests::engines;
use keyward_tests::leak::{Secret, absent};
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, World};

use crate::traces;

engines! {
    fn ex_27_no_command_of_the_client_shows_an_excluded_key(engine) {
        let world = World::new(engine);
        let traces = traces(&world);
        let deployment = world.deployment_id();
        let commands: [&[&str]; 17] = [
            &["key", "list"],
            &["key", "list", "--json"],
            &["key", "show", ALPHA.0],
            &["key", "show", ALPHA.0, "--json"],
            &["deployment", "list"],
            &["deployment", "list", "--json"],
            &["deployment", "show", DEPLOYMENT],
            &["deployment", "show", DEPLOYMENT, "--json"],
            &["deployment", "env-file", DEPLOYMENT, "--stdout"],
            &["deployment", "env-file", &deployment, "--stdout", "--format", "dotenv"],
            &["deployment", "env-file", DEPLOYMENT, "--stdout", "--format", "json"],
            &["run", DEPLOYMENT, "--", "env"],
            &["whoami"],
            &["whoami", "--json"],
            &["pin"],
            &["auth", "status"],
            &["key", "get", BETA.0],
        ];
        for words in commands {
            let ended = world.robot.keyward(words);
            assert_eq!(ended.code, 0, "{words:?}: {}", ended.said());
            absent(&traces, ended.said().as_bytes(), &format!("{words:?}"));
        }
        for words in [
            &["access", "canary-robot"] as &[&str], &["audit", "list"], &["audit", "verify"], &["org", "show"],
            &["group", "list"], &["group", "show", "canary-agents"], &["api-user", "list"],
            &["key", "history", BETA.0], &["key", "get", "CANARY_EXCLUDE"], &["key", "set", ALPHA.0, "--value", "x"],
            &["group", "include", "canary-agents", DEPLOYMENT, "CANARY_ALPHA"],
        ] {
            let ended = world.robot.keyward(words);
            assert_ne!(ended.code, 0, "{words:?}");
            absent(&traces, ended.said().as_bytes(), &format!("{words:?}"));
        }
        // Asked for by name or id, it is answered as a key that nobody has.
        let id = world.insider().key(EXCLUDED.0).to_string();
        let nobodys = keyward_crypto::new_id::<keyward_wire::KeyId>().to_string();
        for command in ["get", "show", "history"] {
            for (there, nowhere) in [(EXCLUDED.0, "CANARY_NOWHERE_"), (&id, nobodys.as_str())] {
                let [one, other] = [there, nowhere].map(|name| {
                    let ended = world.robot.keyward(&["key", command, name]);
                    (ended.code, ended.stdout, ended.stderr.replace(name, "…"))
                });
                assert_eq!(one, other, "key {command} {there}");
                assert_ne!(one.0, 0);
            }
        }
    }

    fn ex_27_after_eval_the_variable_is_not_even_set(engine) {
        let world = World::new(engine);
        let script = format!(
            "eval $(keyward deployment env-file {DEPLOYMENT} --stdout); echo \"<${{{}-unset}}> $?\"; env", EXCLUDED.0
        );
        for shell in [&["dash"] as &[&str], &["bash"], &["busybox", "sh"]] {
            let ended = world.robot.shell(shell, &script);
            let said = String::from_utf8(ended.stdout).unwrap();
            assert!(said.starts_with("<unset> 0\n"), "{shell:?}: {said}");
            assert!(said.contains(BETA.1));
            absent(&[Secret::new("its value", EXCLUDED.1)], said.as_bytes(), shell[0]);
        }
    }
}
