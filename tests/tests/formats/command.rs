//! The command itself: where it writes, what it says, and how it fails.

use std::os::unix::fs::PermissionsExt as _;

use keyward_tests::machine::Machine;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, World, secret};

const FORMATS: [&str; 9] =
    ["shell", "fish", "powershell", "dotenv", "json", "yaml", "docker", "github-actions", "systemd"];

/// A robot that reads this key as well.
fn world_with(name: &str, value: &[u8]) -> World {
    let world = World::new(Engine::Sqlite);
    world.change(|draft, insider| {
        let deployment = insider.org.deployments[0].id;
        let key = draft.add_key(name.parse().unwrap(), &secret(value)).unwrap();
        draft.org.map(deployment, key, name.parse().unwrap()).unwrap();
    });
    world
}

fn words(format: &str) -> [&str; 6] {
    ["deployment", "env-file", DEPLOYMENT, "--stdout", "--format", format]
}

#[test]
fn every_format_is_printed_and_written() {
    let world = World::new(Engine::Sqlite);
    for format in FORMATS {
        let printed = world.robot.ok(&words(format));
        let ended = world.robot.keyward(&["deployment", "env-file", DEPLOYMENT, "out", "--format", format]);
        assert_eq!(ended.code, 0, "{format}: {}", ended.said());
        let written = std::fs::read_to_string(world.robot.path("out")).unwrap();
        assert!(written.contains(ALPHA.0) && printed.contains(BETA.1), "{format}: {printed}");
        if format != "github-actions" {
            assert_eq!(printed, written, "{format}");
        }
    }
}

#[test]
fn a_value_that_a_format_cannot_hold_is_refused_by_its_name_with_what_can_hold_it() {
    const VALUE: &[u8] = b"hunter2\r'\"\\\n${hunter2}\r";
    let world = world_with("AWKWARD", VALUE);
    for (format, instead) in
        [("dotenv", "json"), ("docker", "yaml"), ("systemd", "fish"), ("github-actions", "shell")]
    {
        let ended = world.robot.keyward(&words(format));
        assert_eq!(ended.code, 9, "{format}: {}", ended.said());
        assert!(ended.stdout.is_empty(), "{format}: {}", ended.said());
        let said = &ended.stderr;
        assert!(said.contains(&format!("{format} cannot hold AWKWARD: ")), "{said}");
        assert!(said.contains("→ --format ") && said.contains(instead), "{said}");
        assert!(!said.contains("hunter2") && !said.contains(ALPHA.0), "{said}");
        assert_eq!(said.trim_end().lines().count(), 2, "{said}");
    }
    world.robot.write("out.env", "FORMER=1\n");
    assert_eq!(world.robot.keyward(&["deployment", "env-file", DEPLOYMENT, "out.env"]).code, 9);
    assert_eq!(std::fs::read(world.robot.path("out.env")).unwrap(), b"FORMER=1\n");
    for format in ["json", "yaml", "fish", "shell", "powershell"] {
        assert_eq!(world.robot.keyward(&words(format)).code, 0, "{format}");
    }
}

#[test]
fn a_fish_script_stops_where_its_variables_cannot_be_had() {
    let world = World::new(Engine::Sqlite);
    let fish = |machine: &Machine, script: &str| machine.shell(&["fish", "--no-config"], script);
    let env_file = format!("keyward deployment env-file {DEPLOYMENT} --stdout --format fish");
    for way in [format!("{env_file} | source"), format!("eval ({env_file})")] {
        // Whatever ran before.
        let script = format!("false\n{way}\nor exit 7\nprintf %s $CANARY_ALPHA");
        let homely = Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &world.token);
        let ended = fish(&homely, &script);
        assert_eq!((ended.code, ended.stdout.as_slice()), (0, ALPHA.1.as_bytes()), "{}", ended.said());
        let stranger = Machine::new(&world.server.url());
        let ended = fish(&stranger, &script);
        assert_eq!((ended.code, ended.stdout.as_slice()), (7, &b""[..]), "{}", ended.said());
        let mistyped = script.replace("--format", "--bogus --format");
        assert_eq!(fish(&homely, &mistyped).code, 7);
    }
    let stranger = Machine::new(&world.server.url());
    stranger.keyward(&words("fish")).refused(3, "fish");
    for format in FORMATS.iter().filter(|format| !["shell", "fish"].contains(format)) {
        let ended = stranger.keyward(&words(format));
        assert_eq!((ended.code, ended.stdout.as_slice()), (3, &b""[..]), "{format}");
    }
}

#[test]
fn values_are_masked_where_github_would_log_them_and_shown_nowhere_else() {
    let world = World::new(Engine::Sqlite);
    let ended = world.robot.keyward(&words("github-actions"));
    assert_eq!(ended.code, 0, "{}", ended.said());
    assert!(ended.stderr.contains("warning") && ended.stderr.contains("not masked"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(ALPHA.1) && !ended.stderr.contains(BETA.1), "outside a workflow");
    let runner =
        Machine::new(&world.server.url()).with("KEYWARD_TOKEN", &world.token).with("GITHUB_ACTIONS", "true");
    let ended = runner.keyward(&words("github-actions"));
    assert_eq!(ended.stderr, format!("::add-mask::{}\n::add-mask::{}\n", ALPHA.1, BETA.1));
    assert_eq!(ended.code, 0);
    for format in FORMATS.iter().filter(|format| **format != "github-actions") {
        assert_eq!(runner.keyward(&words(format)).stderr, "", "{format}");
    }
    // What cannot be masked is not printed.
    let ended = runner.shell(&["sh"], &format!("keyward {} 2>/dev/full", words("github-actions").join(" ")));
    assert_eq!((ended.code, ended.stdout.as_slice()), (1, &b""[..]));
}

#[test]
fn the_file_of_github_is_added_to_and_never_replaced() {
    let world = World::new(Engine::Sqlite);
    let words = ["deployment", "env-file", DEPLOYMENT, "env", "--format", "github-actions"];
    let read = || std::fs::read_to_string(world.robot.path("env")).unwrap();
    let mode = || std::fs::metadata(world.robot.path("env")).unwrap().permissions().mode() & 0o777;
    for earlier in ["EARLIER=1\n", "EARLIER=1"] {
        world.robot.write("env", earlier);
        world.robot.ok(&words);
        let (first, rest) = read().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!((first.as_str(), mode()), ("EARLIER=1", 0o600));
        assert!(rest.starts_with(&format!("{}<<kw_", ALPHA.0)), "{rest}");
        let once = read();
        world.robot.ok(&words);
        assert!(read().starts_with(&once) && read().len() == 2 * once.len() - "EARLIER=1\n".len());
    }
    // Half a block would swallow what the next step writes.
    let earlier = format!("EARLIER={}\n", "x".repeat(400));
    world.robot.write("env", &earlier);
    let ended =
        world.robot.shell(&["dash"], &format!("trap '' XFSZ; ulimit -f 1; keyward {}", words.join(" ")));
    assert_eq!((ended.code, read()), (1, earlier), "{}", ended.stderr);
}

#[test]
fn whoever_names_no_place_is_told_of_both() {
    let world = World::new(Engine::Sqlite);
    let ended = world.robot.keyward(&["deployment", "env-file", DEPLOYMENT]);
    ended.refused(2, "neither FILE nor --stdout");
    assert!(ended.stderr.contains("<FILE|--stdout>"), "{}", ended.stderr);
    assert_eq!(world.robot.keyward(&["deployment", "env-file", DEPLOYMENT, "out", "--stdout"]).code, 2);
}
