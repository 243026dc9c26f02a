use std::process::Command;

use keyward_cli::export::Format;
use keyward_cli::import::dotenv::parse;
use keyward_tests::machine::{Machine, run};
use keyward_tests::tools;

use crate::batch::{Batch, Found, from_json, machine};
use crate::compose;

#[test]
fn every_value_is_read_alike_by_python_node_compose_and_our_importer_or_refused() {
    let batch = Batch::with_the_ordinary(Format::Dotenv);
    assert!(batch.len() > 600, "{} values were not refused", batch.len());
    let file = batch.file();
    let machine = machine(&file);

    batch.check("python-dotenv", &python(&machine));
    for package in ["dotenv", "dotenv-16"] {
        for fast in ["false", "true"] {
            batch.check(&format!("{package}, fast: {fast}"), &node(&machine, package, fast));
        }
    }
    let text = str::from_utf8(&file).unwrap();
    batch.check("compose", &compose::read(text).unwrap());
    let ours = parse(&file).map_err(|errors| format!("{errors:?}")).unwrap();
    let ours: Found =
        ours.entries.into_iter().map(|entry| (entry.name, entry.value.as_bytes().to_vec())).collect();
    batch.check("keyward key import", &ours);
}

/// Lets the test above fail: what is refused is indeed read in different ways.
#[test]
fn a_naive_file_is_read_in_different_ways() {
    let machine = machine(b"A='${HOME}'\nB=\"it's \\\"x\\\"\"\nC='\\\\'\nD=\"it's $HOME\"\n");
    let (python, node) = (python(&machine), node(&machine, "dotenv", "false"));
    let compose = compose::read("A='${HOME}'\nB=\"it's \\\"x\\\"\"\nC='\\\\'\nD=\"it's $x\"\n").unwrap();
    assert_ne!(python["A"], node["A"]);
    assert_ne!(python["B"], node["B"]);
    assert_ne!(python["C"], node["C"]);
    assert_ne!(compose["D"], b"it's $x");
    assert_eq!(compose["A"], b"${HOME}");
}

fn python(machine: &Machine) -> Found {
    let script = "import dotenv, json; print(json.dumps(dotenv.dotenv_values('file')))";
    let mut command = machine.command(tools::python());
    command.args(["-c", script]);
    from_json(run(command, b""))
}

fn node(machine: &Machine, package: &str, fast: &str) -> Found {
    let script = format!(
        "const text = require('fs').readFileSync('file', 'utf8');
         console.log(JSON.stringify(require('{package}').parse(text, {{ fast: {fast} }})))"
    );
    from_json(run(node_command(machine, &script), b""))
}

/// `node` with the packages of `tests/tools`.
pub(crate) fn node_command(machine: &Machine, script: &str) -> Command {
    let mut command = machine.command("node".into());
    command.env("NODE_PATH", tools::npm().join("node_modules")).args(["-e", script]);
    command
}
