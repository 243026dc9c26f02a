//! What a finished client leaves in its memory: nothing that opens or is a secret (THREATS.md, “Memory and traces on the
//! client”). A debugger looks at the process at the moment of its exit: at all that it can write to but its stack, where compilers
//! leave copies of what they move.

use std::collections::BTreeSet;

use keyward_crypto::open;
use keyward_tests::insider::{stored_halves, token_halves};
use keyward_tests::leak::contains;
use keyward_tests::machine::{Machine, run};
use keyward_tests::server::{Engine, program};
use keyward_tests::world::{ALPHA, BETA, ENV_FILE, ROBOT, World};

#[test]
fn no_key_and_no_value_is_left_in_memory_when_the_client_ends() {
    let world = World::new(Engine::Sqlite);
    let robot = Machine::new(&world.server.url());
    robot
        .keyward_with(&["auth", "api-user", "--token-stdin"], world.token.as_bytes())
        .ok(&["auth", "api-user"]);
    let secrets = secrets(&world, &robot);

    let (during, after) = images(&robot);
    // The debugger sees what is there: the values, at the moment at which they are printed.
    for (name, value) in [ALPHA, BETA] {
        assert!(contains(&during, value.as_bytes()), "{name} is not seen even while it is printed");
    }
    let host = format!("host: {}", world.server.address);
    assert!(contains(&after, host.as_bytes()), "the memory at the exit is not seen");
    let left: Vec<&str> =
        secrets.iter().filter(|(_, bytes)| contains(&after, bytes)).map(|(name, _)| name.as_str()).collect();
    assert!(left.is_empty(), "left in memory at the exit: {left:?}");
}

/// What must be gone, with its name: values; the token's halves, as stored and as bytes; keys of the view and of its keys.
fn secrets(world: &World, robot: &Machine) -> BTreeSet<(String, Vec<u8>)> {
    let mut secrets: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
    let mut add = |name: &str, bytes: &[u8]| secrets.insert((name.to_owned(), bytes.to_vec()));
    for (name, value) in [ALPHA, BETA] {
        add(name, value.as_bytes());
    }
    let stored = stored_halves(robot).encode();
    let parts: Vec<&str> = stored.split('_').collect();
    let [_, _, auth, unlock, _] = parts.as_slice() else { panic!("five parts") };
    for (name, text) in [("auth half", auth), ("unlock half", unlock)] {
        add(name, text.as_bytes());
        let bytes = data_encoding::BASE32_NOPAD.decode(text.to_uppercase().as_bytes()).unwrap();
        add(&format!("{name}, as bytes"), &bytes);
    }
    assert_eq!(token_halves(&world.token).id, stored_halves(robot).id);

    let insider = world.insider();
    let (vk, context) = insider.view(ROBOT);
    let bundle = world.bundle(&world.token);
    let view = open(&vk, &context, &bundle.view.unwrap().env).unwrap();
    let view: serde_json::Value = serde_json::from_slice(&view).unwrap();
    for key in view["keys"].as_array().unwrap() {
        let text = key["dek"].as_str().unwrap();
        add("DEK, as text", text.as_bytes());
        add("DEK", &data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap());
    }
    secrets
}

/// Everything that `keyward deployment env-file` can write to, except its stack: as it prints, and as it exits.
fn images(robot: &Machine) -> (Vec<u8>, Vec<u8>) {
    let mut command = robot.command("/usr/bin/gdb".into());
    robot.write("image.py", IMAGE);
    let script = [
        "set startup-with-shell off",
        "source image.py",
        "catch syscall write",
        "condition 1 $rdi == 1",
        "run",
        "python image('during')",
        "delete 1",
        "catch syscall exit_group",
        "continue",
        "python image('after')",
        "kill",
    ];
    command.args(["-nx", "-batch", "-iex", "set auto-load no"]);
    for line in script {
        command.args(["-ex", line]);
    }
    command.arg("--args").arg(program("keyward")).args(ENV_FILE);
    let ended = run(command, b"");
    let image = |name: &str| {
        std::fs::read(robot.path(name)).unwrap_or_else(|_| panic!("no memory was seen: {}", ended.said()))
    };
    (image("during"), image("after"))
}

const IMAGE: &str = "
def image(name):
    inferior = gdb.selected_inferior()
    with open(name, 'wb') as file:
        for line in open('/proc/%d/maps' % inferior.pid):
            place, mode, _, _, _, *path = line.split()
            if mode.startswith('rw') and path != ['[stack]']:
                start, end = (int(word, 16) for word in place.split('-'))
                file.write(inferior.read_memory(start, end - start))
";
