//! No moment in which an excluded key can be seen, and no answer that mixes two states.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keyward_tests::engines;
use keyward_tests::world::{ALPHA, DEPLOYMENT, EXCLUDED, GROUP, World};

use crate::Robot;

engines! {
    fn ex_11_assigned_with_its_exclusions_a_key_is_never_seen(engine) {
        let world = World::new(engine);
        let robot = Robot::of(&world);
        let names = ["one", "two", "three", "four", "five", "six"];
        for name in names {
            world.owner.ok(&["deployment", "create", name]);
            world.owner.ok(&["deployment", "map", name, EXCLUDED.0, ALPHA.0]);
        }
        // The exclusion of the first group would hide the second's fault.
        world.owner.ok(&["group", "unassign", GROUP, DEPLOYMENT]);
        let (done, polls) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    assert!(!robot.sees(&world).contains(&EXCLUDED.0.to_owned()));
                    polls.fetch_add(1, Ordering::SeqCst);
                }
            });
            for name in names {
                let before = polls.load(Ordering::SeqCst);
                world.owner.ok(&["group", "assign", GROUP, name, "--exclude", EXCLUDED.0]);
                keyward_tests::server::wait_until("a poll", || (polls.load(Ordering::SeqCst) > before).then_some(()));
                world.owner.ok(&["group", "unassign", GROUP, name]);
            }
            done.store(true, Ordering::SeqCst);
        });
        assert!(polls.load(Ordering::SeqCst) >= 20, "only {} polls", polls.load(Ordering::SeqCst));
    }

    fn ex_13_every_answer_is_of_one_state(engine) {
        let world = World::new(engine);
        let robot = Robot::of(&world);
        let alpha = world.insider().key(ALPHA.0);
        let (group, deployment) = (world.insider().org.groups[0].id, world.insider().org.deployments[0].id);
        let (done, with, without) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        let bundle = robot.bundle(&world);
                        let verified = robot.opened(&bundle);
                        let target = verified.deployment(DEPLOYMENT).unwrap();
                        // All of them open, and there are no others.
                        let values = verified.variables(target, &bundle.secrets, &[]).unwrap();
                        assert_eq!(values.len(), bundle.secrets.len());
                        let count = if values.len() == 2 { &with } else { &without };
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            for round in 0..40 {
                world.change(|draft, _| {
                    if round % 2 == 0 {
                        draft.org.exclude(group, deployment, &[alpha].into()).unwrap();
                    } else {
                        draft.org.include(group, deployment, &[alpha].into()).unwrap();
                    }
                });
                let count = if round % 2 == 0 { &without } else { &with };
                let before = count.load(Ordering::SeqCst);
                keyward_tests::server::wait_until("reads", || {
                    (count.load(Ordering::SeqCst) >= before + 5).then_some(())
                });
            }
            done.store(true, Ordering::SeqCst);
        });
    }
}
