//! The client cut off: killed at any moment, nowhere to write, a server that takes its time.

use std::time::Instant;

use keyward_tests::engines;
use keyward_tests::liar::Reply;
use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, program};
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, ENV_FILE, World, env_file, expected, read};

use crate::random_fraction;

engines! {
    fn a_client_killed_at_any_moment_leaves_the_old_value_or_the_new_one(engine) {
        let world = World::new(engine);
        let reader = world.remembering_robot();
        let mut current = ALPHA.1.to_owned();
        let start = Instant::now();
        world.owner.keyward_with(&["key", "set", BETA.0, "--value-stdin"], b"another").ok(&["key", "set"]);
        let longest = start.elapsed() * 2;
        let mut written = 0;
        for round in 0..40 {
            let next = format!("value-of-round-{round}");
            let file = world.owner.write("next", &next);
            let mut command = world.owner.command(program("keyward"));
            command.args(["key", "set", ALPHA.0, "--from-file"]).arg(&file);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(longest.mul_f64(random_fraction()));
            let _ = child.kill();
            child.wait().unwrap();

            // Neither its memory nor the reader's is damaged, and the value is one of the two.
            let seen = world.owner.ok(&["key", "get", ALPHA.0]);
            assert!(seen == current || seen == next, "round {round}: {seen}");
            assert_eq!(read(&reader)[ALPHA.0], seen);
            written += u32::from(seen == next);
            current = seen;
        }
        assert!(written > 0, "no round was long enough");
        world.owner.ok(&["audit", "verify", "--all"]);
    }
}

#[test]
fn a_client_whose_disk_is_full_prints_the_variables_and_warns() {
    let world = World::new(Engine::Sqlite);
    let robot = world.remembering_robot();
    let ended = on_a_full_disk(&robot, &format!("keyward {}", ENV_FILE.join(" ")));
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.stderr.contains("could not remember"), "{}", ended.stderr);
    assert!(String::from_utf8_lossy(&ended.stdout).contains(BETA.1));
    // With room again, it remembers.
    assert_eq!(env_file(&robot).stderr, "");
    assert_eq!(read(&robot), expected());
}

#[test]
fn a_file_that_does_not_fit_leaves_the_old_one() {
    let world = World::new(Engine::Sqlite);
    let words = ["deployment", "env-file", DEPLOYMENT, "production.env"];
    world.robot.ok(&words);
    let before = std::fs::read(world.robot.path("production.env")).unwrap();
    let listing = |machine: &Machine| std::fs::read_dir(machine.home()).unwrap().count();
    let files = listing(&world.robot);
    world.owner.keyward_with(&["key", "set", ALPHA.0, "--value-stdin"], b"another").ok(&["key", "set"]);
    // As a limit on the size of files alone, too, whose signal would end the program.
    for signal in ["trap '' XFSZ; ", ""] {
        let script = format!("{signal}ulimit -f 0; keyward {}", words.join(" "));
        let ended = world.robot.shell(&["dash"], &script);
        assert_eq!(ended.code, 1, "{signal}: {}", ended.said());
        for said in ["cannot write production.env: File too large", "ulimit -f"] {
            assert!(ended.stderr.contains(said), "{signal}: {}", ended.stderr);
        }
        assert_eq!(std::fs::read(world.robot.path("production.env")).unwrap(), before);
        assert_eq!(listing(&world.robot), files, "something was left behind");
    }
    let script = "ulimit -f 0; keyward audit export audit.jsonl";
    let ended = world.owner.shell(&["dash"], script);
    assert_eq!(ended.code, 1, "{}", ended.said());
    assert!(ended.stderr.contains("cannot write audit.jsonl: File too large"), "{}", ended.stderr);
}

#[test]
fn a_sign_up_without_room_for_its_kit_does_not_happen() {
    let server = keyward_tests::server::Server::start(Engine::Sqlite);
    let owner = Machine::new(&server.url());
    owner.write("password", "canary-tulip-gravel-mosaic-lantern-orbit");
    let ended = on_a_full_disk(
        &owner,
        "keyward init --org Acme --email a@acme.example --password-stdin --recovery-kit kit.txt < password",
    );
    assert_ne!(ended.code, 0, "{}", ended.said());
    assert_eq!(server.sql("select count(*) from orgs"), "0");
}

#[test]
fn a_slow_server_is_waited_for() {
    let world = World::new(Engine::Sqlite);
    let liar = world.liar();
    // The answer in drops, a few milliseconds apart.
    liar.lie("GET /v1/me/bundle", |request, honest| Reply::Drops(honest(request).bytes()));
    let mut robot = world.remembering_robot();
    robot.redirect(&liar.url());
    assert_eq!(read(&robot), expected());
}

/// Runs a script in which no file can grow. Pipes can.
fn on_a_full_disk(machine: &Machine, script: &str) -> keyward_tests::machine::Ended {
    machine.shell(&["dash"], &format!("trap '' XFSZ; ulimit -f 0; {script}"))
}
