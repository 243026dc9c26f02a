//! Many admins at once: every change is made once, none is lost.

use std::collections::BTreeSet;

use keyward_tests::engines;
use keyward_tests::machine::Machine;
use keyward_tests::world::{DEPLOYMENT, World, secret};

use crate::admin::Admin;

engines! {
    fn fifty_admins_who_write_at_once_lose_nobodys_change(engine) {
        let world = World::new(engine);
        let before = world.insider().org.seq;
        let names: Vec<String> = (0..50).map(|n| format!("CROWD_{n}")).collect();
        std::thread::scope(|scope| {
            for name in &names {
                let world = &world;
                scope.spawn(move || {
                    let mut admin = Admin::of(&world.owner);
                    loop {
                        let answer = admin.write(world.server.address, |draft| {
                            draft.add_key(name.parse().unwrap(), &secret(name)).unwrap();
                        });
                        match answer.unwrap() {
                            answer if answer.status == 200 => return,
                            answer => assert_eq!(answer.status, 409, "{}", String::from_utf8_lossy(&answer.body)),
                        }
                    }
                });
            }
        });
        let insider = world.insider();
        let there: BTreeSet<&str> = insider.org.keys.iter().map(|key| key.name.as_str()).collect();
        let lost: Vec<&String> = names.iter().filter(|name| !there.contains(name.as_str())).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert_eq!(insider.org.seq, before + 50, "a change was made twice, or another was made");
        world.owner.ok(&["audit", "verify", "--all"]);
        world.server.another(&["check"]).ok(&["keyward-server", "check"]);
    }

    fn commands_that_run_at_once_all_succeed(engine) {
        let world = World::new(engine);
        let machines: Vec<Machine> = (0..8).map(|_| copy_of(&world)).collect();
        std::thread::scope(|scope| {
            for (n, machine) in machines.iter().enumerate() {
                scope.spawn(move || {
                    let name = format!("ONE_OF_MANY_{n}");
                    let words = ["key", "create", &name, "--value-stdin"];
                    machine.keyward_with(&words, name.as_bytes()).ok(&words);
                    machine.ok(&["deployment", "map", DEPLOYMENT, &name]);
                });
            }
        });
        let insider = world.insider();
        let deployment = insider.org.deployments.iter().find(|d| d.name.as_str() == DEPLOYMENT).unwrap();
        for n in 0..8 {
            let key = insider.key(&format!("ONE_OF_MANY_{n}"));
            assert!(deployment.mappings.iter().any(|mapping| mapping.key == key), "{n} is not mapped");
        }
    }
}

/// Another machine of the owner, with a memory of its own.
fn copy_of(world: &World) -> Machine {
    let machine = Machine::new(&world.server.url());
    let words = ["-r", ".keyward"];
    let mut copy = world.owner.command("/bin/cp".into());
    copy.args(words).arg(machine.home());
    assert!(copy.status().unwrap().success());
    machine
}
