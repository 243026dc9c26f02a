use keyward_cli::export::Format;
use keyward_tests::machine::run;
use keyward_tests::tools;

use crate::batch::{Batch, from_json, machine};
use crate::dotenv::node_command;

/// What is a boolean, a null or a number to some reader of YAML, and a variable all the same. Not here: `E3`, a number to
/// `yaml` when it is told to be 1.1, and to nobody else.
const NAMES: &[&str] = &[
    "y", "Y", "n", "N", "yes", "NO", "No", "on", "OFF", "true", "True", "FALSE", "null", "Null", "NULL", "_",
    "__", "inf", "nan", "a1",
];

#[test]
fn yaml_is_read_alike_by_pyyaml_yaml_and_js_yaml() {
    let batch = Batch::with_the_ordinary(Format::Yaml).under(NAMES);
    let machine = machine(&batch.file());
    let script =
        "import json, yaml; print(json.dumps(yaml.safe_load(open('file', encoding='utf-8', newline=''))))";
    let mut python = machine.command(tools::python());
    python.args(["-c", script]);
    batch.check("PyYAML", &from_json(run(python, b"")));
    for (reader, read) in [
        ("yaml", "require('yaml').parse(text)"),
        ("yaml, as 1.1", "require('yaml').parse(text, { version: '1.1' })"),
        ("js-yaml", "require('js-yaml').load(text)"),
    ] {
        let script = format!(
            "const text = require('fs').readFileSync('file', 'utf8'); console.log(JSON.stringify({read}))"
        );
        batch.check(reader, &from_json(run(node_command(&machine, &script), b"")));
    }
}

#[test]
fn json_is_read_alike_by_python_and_node() {
    let batch = Batch::with_the_ordinary(Format::Json).under(NAMES);
    let machine = machine(&batch.file());
    let mut python = machine.command(tools::python());
    python.args(["-c", "import json; print(json.dumps(json.load(open('file', encoding='utf-8'))))"]);
    batch.check("Python", &from_json(run(python, b"")));
    let script = "console.log(JSON.stringify(JSON.parse(require('fs').readFileSync('file', 'utf8'))))";
    batch.check("Node", &from_json(run(node_command(&machine, script), b"")));
}
