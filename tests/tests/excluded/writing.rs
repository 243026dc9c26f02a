//! A write that would leave an excluded key readable is refused by the server, whoever makes it.

use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::world::{ALPHA, World, expected, read};
use serde_json::{Value, json};

use crate::{Robot, relations};

engines! {
    fn ex_23_an_exclusion_without_its_grants_views_and_reseals_changes_nothing(engine) {
        type Omission = fn(&mut Value);
        let world = World::new(engine);
        world.enrol("peer", &["canary-agents"]);
        let (robot, insider) = (Robot::of(&world), world.insider());
        let (group, deployment) = (insider.org.groups[0].id, insider.org.deployments[0].id);
        let alpha = insider.key(ALPHA.0);
        let honest = || {
            let mut draft = insider.draft();
            draft.org.exclude(group, deployment, &[alpha].into()).unwrap();
            draft.reseal(alpha, &insider.envelope(&world.server, alpha)).unwrap();
            serde_json::to_value(draft.finish(&insider.ok).unwrap().request).unwrap()
        };
        let before = relations(&world);
        let omissions: [(&str, Omission); 8] = [
            ("no grants", |write| write["grants"] = json!([])),
            ("one grant less", |write| drop(write["grants"].as_array_mut().unwrap().pop())),
            ("one grant twice", |write| write["grants"][0] = write["grants"][1].clone()),
            ("no view", |write| write["views"] = json!([])),
            ("neither grants nor view", |write| {
                write["grants"] = json!([]);
                write["views"] = json!([]);
            }),
            ("no reseal", |write| write["secrets"] = json!([])),
            ("only the relations", |write| {
                for part in ["grants", "views", "secrets"] {
                    write[part] = json!([]);
                }
            }),
            ("the view dropped", |write| {
                let id = write["views"][0]["id"].clone();
                write["drop_views"] = json!([id]);
            }),
        ];
        let send = |write: &Value| {
            world.server.send(&Request::post("/v1/org/write", write).by(&insider.authorization))
        };
        for (lie, omit) in omissions {
            let mut write = honest();
            omit(&mut write);
            let answer = send(&write);
            assert_eq!(answer.status, 422, "{lie}: {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(relations(&world), before, "{lie}");
        }
        assert_eq!(read(&world.robot), expected());
        assert_eq!(send(&honest()).status, 200, "the whole write is taken");
        assert!(!robot.sees(&world).contains(&ALPHA.0.to_owned()));
    }
}
