//! The answers that an agent reads.

use keyward_crypto::{Context, open};
use keyward_tests::engines;
use keyward_tests::insider::{sign_in, token_halves};
use keyward_tests::world::{
    ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP, ROBOT, World, expected, new_robot, read, read_of,
};
use keyward_wire::Purpose;
use serde_json::Value;

use crate::{Robot, clean, traces};

engines! {
    fn ex_01_a_bundle_holds_exactly_what_is_included(engine) {
        let world = World::new(engine);
        assert_eq!(read(&world.robot), expected());
        let robot = Robot::of(&world);
        let insider = world.insider();
        let mut keys: Vec<_> = robot.bundle(&world).secrets.iter().map(|secret| secret.key).collect();
        keys.sort_unstable();
        let mut included = [ALPHA, BETA].map(|(name, _)| insider.key(name));
        included.sort_unstable();
        assert_eq!(keys, included);
        let request = keyward_tests::http::Request::get("/v1/me/bundle").by(&robot.proof);
        clean(&traces(&world), &world.server.send(&request), "the bundle");
    }

    fn ex_05_a_view_holds_nothing_that_opens_an_excluded_key(engine) {
        let world = World::new(engine);
        let insider = world.insider();
        let bundle = Robot::of(&world).bundle(&world);
        let (vk, context) = insider.view(ROBOT);
        let view = open(&vk, &context, &bundle.view.unwrap().env).unwrap();
        keyward_tests::leak::absent(&traces(&world), &view, "the opened view");
        let view: Value = serde_json::from_slice(&view).unwrap();
        let excluded = insider.key(EXCLUDED.0);
        let blob = insider.envelope(&world.server, excluded);
        let place = Context::new(Purpose::Secret).org(insider.org.org).b(excluded.as_bytes()).n2(1);
        for name in [ALPHA.0, BETA.0] {
            let (dek, own) = insider.secret(insider.key(name));
            assert!(view["keys"].to_string().contains(name));
            assert!(open(&dek, &place, &blob).is_err() && open(&dek, &own, &blob).is_err());
        }
        let (dek, _) = insider.secret(excluded);
        assert!(open(&dek, &place, &blob).is_ok(), "the excluded key's own DEK does open it");
    }

    fn ex_06_an_exclusion_in_one_group_wins_over_an_inclusion_in_another(engine) {
        let world = World::new(engine);
        for words in [
            &["group", "create", "others"] as &[&str],
            &["group", "assign", "others", DEPLOYMENT],
            &["deployment", "create", "staging"],
            &["deployment", "map", "staging", &format!("{}=OTHER_NAME", EXCLUDED.0), BETA.0],
            &["group", "assign", "others", "staging"],
        ] {
            world.owner.ok(words);
        }
        let other = new_robot(&world.owner, "other", &["others"]);
        world.owner.ok(&["group", "add", "others", ROBOT]);
        let robot = Robot::of(&world);
        assert_eq!(robot.sees(&world), [ALPHA.0, BETA.0]);
        assert_eq!(read(&world.robot), expected());
        assert_eq!(read_of(&world.robot, "staging").into_keys().collect::<Vec<_>>(), [BETA.0]);
        let request = keyward_tests::http::Request::get("/v1/me/bundle");
        clean(&traces(&world), &robot.ask(&world, request), "the bundle of a member of both");
        // Who is in the other group only reads it.
        assert_eq!(Robot::with(&world, &other).sees(&world), [ALPHA.0, BETA.0, EXCLUDED.0]);
    }

    fn ex_07_a_key_that_is_mapped_twice_and_excluded_once_is_absent_everywhere(engine) {
        let world = World::new(engine);
        for words in [
            &["deployment", "map", DEPLOYMENT, &format!("{}=SECOND_NAME", EXCLUDED.0)] as &[&str],
            &["deployment", "create", "staging"],
            &["deployment", "map", "staging", EXCLUDED.0, &format!("{}=THIRD_NAME", EXCLUDED.0), ALPHA.0],
            &["group", "assign", GROUP, "staging"],
        ] {
            world.owner.ok(words);
        }
        assert_eq!(Robot::of(&world).sees(&world), [ALPHA.0, BETA.0]);
        assert_eq!(read(&world.robot), expected());
        assert_eq!(read_of(&world.robot, "staging").into_keys().collect::<Vec<_>>(), [ALPHA.0]);
    }

    fn ex_12_a_new_key_is_absent_where_new_keys_are_denied_until_it_is_included(engine) {
        let world = World::new(engine);
        world.owner.ok(&["group", "assign", GROUP, DEPLOYMENT, "--new-keys", "deny"]);
        let words = ["key", "create", "NEW_KEY", "--value-stdin"];
        world.owner.keyward_with(&words, b"value-of-a-new-key").ok(&words);
        world.owner.ok(&["deployment", "map", DEPLOYMENT, "NEW_KEY"]);
        assert_eq!(read(&world.robot), expected());
        world.owner.write("more.env", "NEWER_KEY=value-of-a-newer-key\n");
        world.owner.ok(&["key", "import", "more.env", "--map", DEPLOYMENT]);
        assert_eq!(read(&world.robot), expected());
        world.owner.ok(&["group", "include", GROUP, DEPLOYMENT, "NEW_KEY"]);
        let mut more = expected();
        more.insert("NEW_KEY".into(), "value-of-a-new-key".into());
        assert_eq!(read(&world.robot), more);
        world.owner.ok(&["group", "assign", GROUP, DEPLOYMENT, "--new-keys", "allow"]);
        assert_eq!(read(&world.robot), more, "what was excluded stays excluded");
    }

    fn ex_18_a_user_reads_what_a_viewer_reads(engine) {
        let world = World::new(engine);
        let words = ["api-user", "create", "user", "--role", "user", "--group", GROUP];
        let token = world.owner.ok(&words);
        let (user, viewer) = (Robot::with(&world, token.trim_end()), Robot::of(&world));
        assert_eq!(user.sees(&world), viewer.sees(&world));
        let secrets = |robot: &Robot| serde_json::to_value(robot.bundle(&world).secrets).unwrap();
        assert_eq!(secrets(&user), secrets(&viewer));
        for path in ["/v1/org", "/v1/identities", "/v1/audit", "/v1/escrows/482bd7d9-38e0-4568-99be-6ae3a44d48a2"] {
            let request = || keyward_tests::http::Request::get(path);
            let (user, viewer) = (user.ask(&world, request()), viewer.ask(&world, request()));
            assert_eq!((user.status, &user.body), (403, &viewer.body), "{path}");
        }
        // An owner bypasses the rule.
        assert_eq!(read(&world.owner).len(), 3);
        let (own, _) = sign_in(&world.server, &token_halves(&world.token));
        assert_eq!(own.id, viewer.cred.id);
    }
}
