//! Access that is taken away is gone at once, and what the agent kept opens nothing that is stored.

use keyward_crypto::open;
use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::world::{
    ALPHA, BETA, DEPLOYMENT, EXCLUDED, GROUP, ROBOT, World, env_file, expected, new_robot, read,
};

use crate::{Robot, secrets_request};

engines! {
    fn ex_08_an_excluded_key_is_gone_at_the_next_request_and_resealed(engine) {
        let world = World::new(engine);
        let (robot, before) = (Robot::of(&world), world.insider());
        let alpha = before.key(ALPHA.0);
        let (cached, place) = before.secret(alpha);
        assert!(open(&cached, &place, &before.envelope(&world.server, alpha)).is_ok());
        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
        assert_eq!(robot.sees(&world), [BETA.0]);
        assert!(robot.bundle(&world).secrets.iter().all(|secret| secret.key != alpha));
        let after = world.insider();
        let (_, now) = after.secret(alpha);
        let stored = after.envelope(&world.server, alpha);
        assert!(open(&cached, &place, &stored).is_err() && open(&cached, &now, &stored).is_err());
    }

    fn ex_09_a_key_that_is_included_again_comes_under_another_key(engine) {
        let world = World::new(engine);
        let before = world.insider();
        let alpha = before.key(ALPHA.0);
        let (cached, _) = before.secret(alpha);
        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
        world.owner.ok(&["group", "include", GROUP, DEPLOYMENT, ALPHA.0]);
        assert_eq!(read(&world.robot), expected());
        let again = world.insider();
        let (fresh, now) = again.secret(alpha);
        let stored = again.envelope(&world.server, alpha);
        assert!(open(&fresh, &now, &stored).is_ok() && open(&cached, &now, &stored).is_err());
    }

    fn ex_10_a_new_version_of_an_excluded_key_reaches_nobody_it_is_excluded_for(engine) {
        let world = World::new(engine);
        let (robot, before) = (Robot::of(&world), Robot::of(&world).bundle(&world));
        let set = ["key", "set", EXCLUDED.0, "--value-stdin"];
        world.owner.keyward_with(&set, b"another-excluded-value").ok(&set);
        let after = robot.bundle(&world);
        assert_eq!(robot.sees(&world), [ALPHA.0, BETA.0]);
        assert!(before.view.unwrap().env == after.view.unwrap().env, "its view was not even rebuilt");
        let insider = world.insider();
        let key = insider.key(EXCLUDED.0);
        let stored = insider.envelope(&world.server, key);
        let (_, place) = insider.secret(key);
        for name in [ALPHA.0, BETA.0] {
            let (dek, _) = insider.secret(insider.key(name));
            assert!(open(&dek, &place, &stored).is_err());
        }
    }

    fn ex_20_who_leaves_ends_or_is_revoked_is_out_at_the_next_request(engine) {
        let world = World::new(engine);
        let robot = Robot::of(&world);
        world.owner.ok(&["group", "remove", GROUP, ROBOT]);
        let bundle = robot.bundle(&world);
        assert!(bundle.secrets.is_empty() && robot.sees(&world).is_empty());
        env_file(&world.robot).refused(4, "a deployment of a group that it left");
        world.owner.ok(&["group", "add", GROUP, ROBOT]);
        assert_eq!(read(&world.robot), expected());

        let known = |robot: &Robot, what: &str| {
            for authorization in [&robot.session, &robot.proof] {
                let answer = world.server.send(&Request::get("/v1/me/bundle").by(authorization));
                assert_eq!(answer.status, 200, "{what}");
            }
        };
        let unknown = |robot: &Robot, what: &str| {
            let stranger = world.server.send(&Request::get("/v1/me/bundle").by("Bearer kws_x"));
            for authorization in [&robot.session, &robot.proof] {
                let answer = world.server.send(&Request::get("/v1/me/bundle").by(authorization));
                crate::alike(&answer, &stranger, what);
            }
            assert_eq!(stranger.status, 401);
        };
        known(&robot, "at first");
        world.server.sql("update identities set not_after = 1 where kind = 'api'");
        unknown(&robot, "ended");
        env_file(&world.robot).refused(3, "ended");
        world.server.sql("update identities set not_after = null where kind = 'api'");
        known(&robot, "no longer ended");
        let token = world.owner.ok(&["api-user", "rotate", ROBOT]);
        unknown(&robot, "rotated");
        env_file(&world.robot).refused(3, "rotated");
        let robot = Robot::with(&world, token.trim_end());
        known(&robot, "the new token");
        world.owner.ok(&["api-user", "revoke", ROBOT]);
        unknown(&robot, "revoked");
    }

    fn ex_20_a_leaked_token_opens_nothing_that_is_stored_after_its_revocation(engine) {
        let world = World::new(engine);
        let before = world.insider();
        let cached = [ALPHA, BETA].map(|(name, _)| before.secret(before.key(name)));
        world.owner.ok(&["api-user", "revoke", ROBOT, "--compromised"]);
        let after = world.insider();
        for ((dek, place), (name, _)) in cached.iter().zip([ALPHA, BETA]) {
            let key = after.key(name);
            let stored = after.envelope(&world.server, key);
            let (_, now) = after.secret(key);
            assert!(open(dek, place, &stored).is_err() && open(dek, &now, &stored).is_err(), "{name}");
        }
    }

    fn ex_21_deleted_in_any_order_nothing_is_left_over(engine) {
        let world = World::new(engine);
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
        for (at, order) in orders.into_iter().enumerate() {
            let [key, group, deployment] = ["KEY", "group", "deployment"].map(|kind| format!("{kind}_{at}"));
            let other = format!("OTHER_{at}");
            world.owner.write("new.env", format!("{key}=value-of-{key}\n{other}=value-of-{other}\n"));
            for words in [
                &["deployment", "create", &deployment] as &[&str],
                &["key", "import", "new.env", "--map", &deployment],
                &["group", "create", &group],
                &["group", "assign", &group, &deployment, "--exclude", &key],
            ] {
                world.owner.ok(words);
            }
            let robot = Robot::with(&world, &new_robot(&world.owner, &format!("robot-{at}"), &[&group]));
            assert_eq!(robot.sees(&world), std::slice::from_ref(&other));
            let old = world.insider().key(&key);
            for step in order {
                let words: [&[&str]; 4] = [
                    &["key", "delete", &key, "--yes"],
                    &["group", "unassign", &group, &deployment],
                    &["deployment", "delete", &deployment, "--yes"],
                    &["group", "delete", &group, "--yes"],
                ];
                let ended = world.owner.keyward(words[step]);
                // What went with something else is not there any more.
                assert!(matches!(ended.code, 0 | 4), "{:?}: {}", words[step], ended.said());
                assert!(!robot.sees(&world).contains(&key), "{order:?} after {:?}", words[step]);
            }
            assert!(robot.sees(&world).is_empty());
            let answer = world.server.send(&secrets_request(&old).by(&world.insider().authorization));
            assert_eq!(answer.json()["secrets"], serde_json::json!([]), "the deleted key's value is gone");
            // One of the same name is another key, and follows what is said about new ones.
            let create = ["key", "create", &key, "--value-stdin"];
            world.owner.keyward_with(&create, b"another").ok(&create);
            assert_ne!(world.insider().key(&key), old);
        }
        assert_eq!(world.server.sql("select count(*) from exclusions"), "1");
        assert_eq!(world.server.sql("select count(*) from mappings"), "3");
        assert_eq!(world.server.sql("select count(*) from assignments"), "1");
        world.owner.ok(&["group", "assign", GROUP, DEPLOYMENT, "--new-keys", "deny"]);
        world.owner.ok(&["key", "delete", EXCLUDED.0, "--yes"]);
        let create = ["key", "create", EXCLUDED.0, "--value-stdin"];
        world.owner.keyward_with(&create, b"another").ok(&create);
        world.owner.ok(&["deployment", "map", DEPLOYMENT, EXCLUDED.0]);
        assert_eq!(read(&world.robot), expected());
    }
}
