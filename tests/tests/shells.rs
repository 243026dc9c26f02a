//! `eval $(keyward deployment env-file … --stdout)` with the real client in real shells: MS-36, MS-37.
//!
//! The quoting itself is tried over many more values and shell options in `cli/tests/eval_contract/`.

#![expect(clippy::unwrap_used, reason = "a test's helpers: a failure is the test's failure")]

use std::collections::BTreeMap;

use keyward_tests::http::Answer;
use keyward_tests::machine::{Machine, variables};
use keyward_tests::server::Engine;
use keyward_tests::world::{DEPLOYMENT, World, secret};

const SHELLS: [&[&str]; 8] = [
    &["dash"],
    &["busybox", "sh"],
    &["bash"],
    &["bash", "--posix"],
    &["zsh", "-f"],
    &["ksh93"],
    &["mksh"],
    &["yash"],
];

/// Values that shells like to spoil, one of them with every byte that a variable can hold.
fn hostile() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "\n",
        "a\n",
        "a\n\n\n",
        "\n\na",
        "'",
        "\"",
        "''\"\"'",
        "\\",
        "\\\\n\\0\\c",
        "$HOME $(touch pwned) `touch pwned` ${x:-y} $((1+1))",
        "; touch pwned; #",
        "&& touch pwned || x | y > pwned",
        "*",
        "* ? [a-z] {a,b} ~ ~root !! !$",
        "a  b\tc   ",
        "-n -e --",
        "export X=1",
        "=",
        "A=B=C",
        "é ü 日本語 🗝 \u{202e}",
        "%s %d %% %n",
        "(a) <b> [c] ^d",
        "false",
    ];
    let mut values: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).into();
    values.push((1..=255).collect());
    values.push((1..=255).rev().collect());
    values
}

/// A robot with these values, V_0 and on, in a directory whose file names are traps.
fn robot_with(values: &[Vec<u8>]) -> World {
    let world = World::new(Engine::Sqlite);
    world.change(|draft, insider| {
        let deployment = insider.org.deployments[0].id;
        for (at, value) in values.iter().enumerate() {
            let name = format!("V_{at}");
            let key = draft.add_key(name.parse().unwrap(), &secret(value)).unwrap();
            draft.org.map(deployment, key, name.parse().unwrap()).unwrap();
        }
    });
    for name in [
        "*",
        "?",
        "a b",
        "$(touch pwned)",
        "`touch pwned`",
        "export",
        "V_0=trap",
        "-n",
        "'",
        "\"",
        "[a-z]",
        "~",
    ] {
        world.robot.write(name, "");
    }
    world
}

#[test]
fn ms_36_every_value_survives_an_unquoted_eval_in_every_shell() {
    let values = hostile();
    let world = robot_with(&values);
    let expected: BTreeMap<String, Vec<u8>> =
        values.iter().enumerate().map(|(at, value)| (format!("V_{at}"), value.clone())).collect();
    // yash holds text of its locale only, and refuses other bytes.
    for shell in SHELLS.into_iter().filter(|shell| shell[0] != "yash") {
        for (setting, eval) in [
            ("", "eval $(keyward deployment env-file canary-production --stdout)"),
            ("set -euf;", "eval $(keyward deployment env-file canary-production --stdout)"),
            ("set -eu;", "eval \"$(keyward deployment env-file canary-production --stdout)\""),
        ] {
            let ended = world.robot.shell(shell, &format!("{setting} {eval}\nexec env -0"));
            assert_eq!(ended.code, 0, "{shell:?} {setting}: {}", ended.stderr);
            let mut found = variables(&ended.stdout);
            found.retain(|name, _| name.starts_with("V_"));
            assert_eq!(found, expected, "{shell:?} {setting} {eval}");
            assert!(!world.robot.path("pwned").exists(), "{shell:?} {setting} {eval}");
        }
    }
}

#[test]
fn ms_37_a_script_stops_where_its_variables_cannot_be_had() {
    let mut world = World::new(Engine::Sqlite);
    let liar = world.liar();
    let server = world.server.url();
    world.robot.redirect(&liar.url());
    let env_file = format!("keyward deployment env-file {DEPLOYMENT} --stdout");
    let stops = |machine: &Machine, command: &str, why: &str| {
        for shell in SHELLS {
            for eval in [format!("eval $({command})"), format!("eval \"$({command})\"")] {
                let ended = machine.shell(shell, &format!("set -e\n{eval}\necho the next command"));
                assert_eq!(ended.code, 1, "{why}, {shell:?}: {}", ended.said());
                assert!(ended.stdout.is_empty(), "{why}, {shell:?}: {}", ended.said());
                let ended = machine.shell(shell, &format!("{eval} && echo the next command || echo stopped"));
                assert_eq!(ended.stdout, b"stopped\n", "{why}, {shell:?}");
            }
        }
    };
    let goes_on = world.robot.shell(&["dash"], &format!("set -e\neval $({env_file})\necho the next command"));
    assert_eq!(goes_on.stdout, b"the next command\n");
    liar.change("GET /v1/me/bundle", |answer: &mut Answer| {
        answer.edit(|bundle| {
            let text = bundle["secrets"][0]["env"].as_str().unwrap().to_owned();
            let (start, end) = text.split_at(400);
            let other = if end.starts_with('A') { "B" } else { "A" };
            bundle["secrets"][0]["env"] = format!("{start}{other}{}", end.get(1..).unwrap()).into();
        });
    });
    stops(&world.robot, &env_file, "a flipped bit");
    liar.reform();
    stops(&world.robot, &format!("{env_file} --no-such-flag"), "a wrong flag");
    stops(&world.robot, "keyward deployment env-file nowhere --stdout", "an unknown deployment");
    stops(&world.robot, &format!("{env_file} --format nonsense"), "an unknown format");
    let stranger = Machine::new(&server);
    stops(&stranger, &env_file, "nobody signed in");
    world.server.stop();
    let cut_off = Machine::new(&server).with("KEYWARD_TOKEN", &world.token);
    stops(&cut_off, &env_file, "no server");
}
