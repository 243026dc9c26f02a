//! Three servers on one PostgreSQL behind a balancer are one server, also while one of them dies and comes back.

use keyward_tests::machine::Machine;
use keyward_tests::relay::Relay;
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{ALPHA, BETA, World, expected, read, secret};

use crate::admin::Admin;

#[test]
fn three_servers_behind_a_balancer_are_one_while_one_dies_and_comes_back() {
    let mut world = World::new(Engine::Postgres);
    let mut others = [(); 2].map(|()| world.server.twin());
    let addresses = |world: &World, others: &[Server]| {
        let mut addresses = vec![world.server.address];
        addresses.extend(others.iter().map(|server| server.address));
        addresses
    };
    let balancer = Relay::before(&addresses(&world, &others));
    let url = format!("http://{}", balancer.address());
    world.owner.redirect(&url);
    world.robot.redirect(&url);

    // Signed in at one, known at all: a session is good for whichever server is asked next.
    for _ in 0..6 {
        assert_eq!(read(&world.robot), expected());
        world.owner.ok(&["whoami"]);
    }

    // Writers and a reader go on while each of the two others is killed and started again, mid-write.
    let keys = [ALPHA, BETA].map(|(name, _)| world.insider().key(name));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || stop.load(std::sync::atomic::Ordering::SeqCst);
    let acknowledged = std::thread::scope(|scope| {
        let writers = keys.map(|key| {
            let (owner, balancer, stopped) = (&world.owner, &balancer, &stopped);
            scope.spawn(move || {
                let (mut admin, mut tried, mut done) = (Admin::of(owner), 0_u64, 0_u64);
                while !stopped() {
                    tried += 1;
                    let value = tried;
                    let answer = admin.write(balancer.address(), |draft| {
                        draft.add_version(key, &secret(value.to_string())).unwrap();
                    });
                    match answer {
                        Ok(answer) if answer.status == 200 => done = value,
                        Ok(answer) => assert!(
                            matches!(answer.status, 409 | 503),
                            "{} {}",
                            answer.status,
                            String::from_utf8_lossy(&answer.body)
                        ),
                        // Its server was killed.
                        Err(_) => admin = Admin::of(owner),
                    }
                }
                (done, tried)
            })
        });
        for round in 0..6 {
            let victim = &mut others[round % 2];
            victim.stop();
            read_until_served(&world.robot);
            victim.restart();
            let now = addresses(&world, &others);
            balancer.turn_to(&now);
            read_until_served(&world.robot);
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        writers.map(|writer| writer.join().unwrap())
    });
    for ((name, (done, tried)), _) in [ALPHA.0, BETA.0].into_iter().zip(acknowledged).zip(keys) {
        assert!(done > 0, "nothing was written");
        let value: u64 = read(&world.robot)[name].parse().unwrap();
        assert!((done..=tried).contains(&value), "{name}: {value}, acknowledged {done}, tried {tried}");
    }

    // Revoked at one, refused at all.
    world.owner.ok(&["api-user", "revoke", keyward_tests::world::ROBOT]);
    for _ in 0..6 {
        assert_eq!(keyward_tests::world::env_file(&world.robot).code, 3);
    }
    world.owner.ok(&["audit", "verify", "--all"]);
    world.server.another(&["check"]).ok(&["keyward-server", "check"]);
}

/// A request whose server is killed under it may be told so; the next one is served.
fn read_until_served(robot: &Machine) {
    keyward_tests::server::wait_until("an answer through the balancer", || {
        let ended = keyward_tests::world::env_file(robot);
        assert!(matches!(ended.code, 0 | 5), "{}", ended.said());
        (ended.code == 0).then_some(())
    });
}
