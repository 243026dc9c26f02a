//! The agents' skills: in the format that agents read, and true.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use keyward_tests::machine::run;
use keyward_tests::server::Engine;
use keyward_tests::world::{ALPHA, BETA, DEPLOYMENT, EXCLUDED, World};

const SKILLS: [&str; 2] = ["keyward-refresh", "keyward-secrets"];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/container/skills"))
}

/// The front matter, a line a field, and the text after it.
fn read(skill: &str) -> (BTreeMap<String, String>, String) {
    let text = fs::read_to_string(folder().join(skill).join("SKILL.md")).unwrap();
    let (front, body) = text.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    (front.lines().map(field).collect(), body.to_owned())
}

/// The lines of the blocks of shell.
fn commands(body: &str) -> Vec<String> {
    let blocks = body.split("```").skip(1).step_by(2);
    let lines = blocks.filter_map(|block| block.strip_prefix("sh\n")).flat_map(str::lines);
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn each_skill_has_the_front_matter_that_the_format_asks_for() {
    let mut found: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, SKILLS);
    for skill in SKILLS {
        let (front, body) = read(skill);
        assert_eq!(front["name"], skill, "the name is the folder's");
        assert!(skill.len() <= 64 && skill.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        assert!((1..=1024).contains(&front["description"].len()));
        assert!(front["description"].contains("Use it when"), "an agent must know when");
        assert!(front["compatibility"].len() <= 500);
        // Values stay plain in YAML: no quotes are needed.
        for (name, value) in &front {
            assert!(
                !value.contains(": ") && !value.contains(" #") && !value.starts_with(['"', '\'', '[', '{']),
                "{name}"
            );
            assert!(["name", "description", "compatibility", "allowed-tools"].contains(&name.as_str()));
        }
        assert!(body.lines().count() < 200);
    }
}

#[test]
fn the_refresh_skill_lets_an_agent_at_one_line_and_no_other() {
    let (front, body) = read("keyward-refresh");
    let lines = commands(&body);
    assert_eq!(lines, ["sudo -n -u app /usr/local/bin/refresh-secrets"]);
    assert_eq!(front["allowed-tools"], format!("Bash({})", lines[0]));
}

#[test]
fn what_the_other_skill_names_works_with_an_agent_s_token() {
    let world = World::new(Engine::Sqlite);
    let (front, body) = read("keyward-secrets");
    let robot = &world.robot;
    robot.write("deploy.sh", "#!/bin/sh\nprintf %s \"$CANARY_ALPHA\"\n");
    std::process::Command::new("chmod").arg("755").arg(robot.path("deploy.sh")).status().unwrap();
    let mut ran = 0;
    for line in commands(&body) {
        let line = line.replace("production", DEPLOYMENT).replace("REGISTRY_PASSWORD", BETA.0);
        let line = line.split(" | ").next().unwrap();
        let mut shell = robot.command("sh".into());
        shell.args(["-c", line]);
        let ended = run(shell, b"");
        assert_eq!(ended.code, 0, "{line}: {}", ended.said());
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let shown = if line.contains(" run ") {
            ALPHA.1
        } else if line.contains(" get ") {
            BETA.1
        } else if line.contains("key list") {
            assert!(
                said.contains(ALPHA.0) && !said.contains(ALPHA.1) && !said.contains(EXCLUDED.0),
                "{said}"
            );
            ALPHA.0
        } else {
            ""
        };
        assert!(said.contains(shown), "{line}: {said}");
        let tool = front["allowed-tools"].split("Bash(").any(|tool| {
            let tool = tool.trim_end().trim_end_matches(')');
            !tool.is_empty() && line.starts_with(tool.trim_end_matches('*').trim_end())
        });
        // What hands over values, or writes, asks the human.
        assert_eq!(tool, line.contains(" list"), "{line}");
        ran += 1;
    }
    assert!(ran >= 6, "{ran}");
    assert_eq!(
        front["allowed-tools"],
        "Bash(keyward key list) Bash(keyward key show *) Bash(keyward deployment list)"
    );
}
