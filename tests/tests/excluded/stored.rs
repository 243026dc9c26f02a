//! What is in the database, and what an old copy of it is good for.

use keyward_tests::engines;
use keyward_tests::leak::absent;
use keyward_tests::world::{
    ALPHA, BETA, DEPLOYMENT, ENV_FILE, EXCLUDED, GROUP, ROBOT, World, env_file, new_robot, secrets,
};

use crate::Robot;

engines! {
    fn ex_25_superseded_rows_are_gone_and_no_row_names_anything(engine) {
        let world = World::new(engine);
        let (robot, insider) = (Robot::of(&world), world.insider());
        let old = robot.bundle(&world);
        let old_secret = insider.envelope(&world.server, insider.key(ALPHA.0));
        new_robot(&world.owner, "loner", &[]);
        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
        for round in 0..8 {
            let set = ["key", "set", BETA.0, "--value-stdin"];
            world.owner.keyward_with(&set, format!("beta-{round}").as_bytes()).ok(&set);
        }
        let sql = |statement: &str| world.server.sql(statement);
        let hash = |env: &keyward_wire::Envelope| data_encoding::HEXLOWER.encode(env.as_bytes());
        for (table, env) in [
            ("secrets", &old_secret), ("views", &old.view.unwrap().env), ("grants", &old.grant.unwrap().env),
        ] {
            let column = world.server.hex("env");
            let found = sql(&format!("select count(*) from {table} where {column} = '{}'", hash(env)));
            assert_eq!(found, "0", "a superseded row of {table}");
        }
        let org = world.insider().org;
        let versions: usize = org.keys.iter().map(|key| 1 + key.history.len()).sum();
        assert_eq!(versions, 1 + 6 + 1, "five old versions of BETA are kept");
        assert_eq!(sql("select count(*) from secrets"), versions.to_string());
        // One view for the group, one for nobody's; a grant for each reader.
        assert_eq!(sql("select count(*) from views"), "2");
        assert_eq!(sql("select count(*) from grants"), "2");
        // No build of a view that the robot can be given lists a key it may not read.
        let excluded = [ALPHA, EXCLUDED].map(|(name, _)| {
            let key = org.keys.iter().find(|key| key.name.as_str() == name).unwrap();
            data_encoding::HEXLOWER.encode(key.id.as_bytes())
        });
        for key in excluded {
            let column = world.server.hex("vk.key_id");
            let listed = sql(&format!(
                "select count(*) from view_keys vk join views v on v.id = vk.view_id and v.seq = vk.seq where {column} = '{key}'"
            ));
            assert_eq!(listed, "0");
        }
        let secrets: Vec<_> = secrets().map(|text| keyward_tests::leak::Secret::new(text, text)).into();
        absent(&secrets, &world.server.everything(), "the server");
    }

    fn ex_26_a_backup_of_before_an_exclusion_is_refused_by_clients_with_memory(engine) {
        let mut world = World::new(engine);
        let mut robot = world.remembering_robot();
        env_file(&robot).ok(ENV_FILE);
        let backup = world.server.back_up();
        world.follow_server();
        robot.redirect(&world.server.url());
        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
        assert!(!env_file(&robot).ok(ENV_FILE).contains(ALPHA.0));
        world.server.restore(backup);
        world.follow_server();
        robot.redirect(&world.server.url());
        env_file(&robot).refused(7, "the robot, after the restoration");
        let owner = world.owner.keyward(&["group", "include", GROUP, DEPLOYMENT, BETA.0]);
        assert_eq!(owner.code, 7, "the owner, after the restoration: {}", owner.said());
        // Who has no memory reads the old state: the documented limit.
        assert!(env_file(&world.robot).ok(ENV_FILE).contains(ALPHA.0));
        // The runbook's word.
        world.owner.ok(&["pin", "--forget", "--yes"]);
        world.owner.ok(&["group", "exclude", GROUP, DEPLOYMENT, ALPHA.0]);
        assert!(!env_file(&world.robot).ok(ENV_FILE).contains(ALPHA.0));
        world.owner.ok(&["access", ROBOT]);
    }
}
