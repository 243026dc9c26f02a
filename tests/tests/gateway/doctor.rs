//! `keyward doctor --proxy`: which programs of a machine work behind a gateway.

use keyward_tests::machine::Machine;
use keyward_tests::tools::python_program;
use serde_json::Value;

use crate::Scene;

/// State and advice of a check.
fn found<'f>(checks: &'f Value, name: &str) -> (&'f str, &'f str) {
    let all = checks["checks"].as_array().unwrap();
    let check =
        all.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name}: {checks}"));
    (check["state"].as_str().unwrap(), check["next"].as_str().unwrap())
}

#[test]
fn a_doctor_tries_each_program_and_says_what_it_needs_and_leaves_nothing_behind() {
    let machine = Machine::new("").without("KEYWARD_URL");
    let ended = machine.keyward(&["doctor", "--proxy", "--json"]);
    assert_eq!(ended.code, 0, "{}", ended.said());
    let checks: Value = serde_json::from_slice(&ended.stdout).unwrap();
    for name in ["gateway", "curl", "git", "python3", "npm"] {
        assert_eq!(found(&checks, name), ("ok", ""), "{checks}");
    }
    let (state, next) = found(&checks, "wget");
    assert!(state == "ok" || next.contains("--ca-certificate"), "{checks}");
    let (state, next) = found(&checks, "node");
    assert!(state == "ok" || next.contains("OPENAI_BASE_URL"), "{checks}");
    assert!(!machine.path(".keyward").exists(), "it keeps nothing");
}

#[test]
fn a_doctor_lets_no_file_of_another_say_what_its_programs_do() {
    let machine = Machine::new("").without("KEYWARD_URL");
    for folder in ["everybodys", ".config/pip"] {
        std::fs::create_dir_all(machine.path(folder)).unwrap();
    }
    // Where everybody may write, as in /tmp.
    machine.write("everybodys/package.json", "{}");
    machine.write("everybodys/.npmrc", "https-proxy=http://127.0.0.1:1/\n");
    // Settings that would have pip ask others as well.
    machine.write(".config/pip/pip.conf", "[global]\nproxy = http://127.0.0.1:1\nno-binary = :all:\n");
    let pip = python_program("pip");
    let path = format!("{}:/usr/bin:/bin", pip.parent().unwrap().display());
    let room = machine.path("everybodys");
    let machine = machine.with("TMPDIR", room).with("PATH", path);
    let ended = machine.keyward(&["doctor", "--proxy", "--json"]);
    let checks: Value = serde_json::from_slice(&ended.stdout).unwrap();
    for name in ["npm", "pip"] {
        assert_eq!(found(&checks, name).0, "ok", "{checks}");
    }
    assert!(checks.to_string().contains("configuration files were left aside"), "{checks}");
}

#[test]
fn a_doctor_asks_the_gateway_that_its_environment_leads_to() {
    let scene = Scene::new();
    let gateway = scene.start();
    let look = |machine: &Machine| {
        let ended = machine.keyward(&["doctor", "--proxy", "--json"]);
        (ended.code, serde_json::from_slice::<Value>(&ended.stdout).unwrap())
    };
    // Without PATH there is nothing to be tried, which is quick.
    let agent = scene.agent(&gateway.at).without("PATH");
    let (code, checks) = look(&agent);
    assert_eq!((code, found(&checks, "gateway")), (0, ("ok", "")), "{checks}");
    assert!(checks.to_string().contains("with 1 key"), "{checks}");
    assert!(!checks.to_string().contains(&scene.credential), "{checks}");
    scene.world.owner.ok(&["agent", "rotate", "bot"]);
    let refused = loop {
        let (code, checks) = look(&agent);
        if code != 0 {
            break (code, checks);
        }
    };
    assert_eq!((refused.0, found(&refused.1, "gateway").0), (3, "fail"), "{}", refused.1);
    drop(gateway);
    assert_eq!(look(&agent).0, 5);
}
