//! docs/JSON.md names every field that commands write with `--json`.

use std::collections::BTreeSet;

use crate::markdown::read;

#[test]
fn every_field_that_is_written_is_named_in_the_document() {
    // What each command writes: another test holds the commands to it.
    let shapes = read("tests/tests/contract/shapes.txt");
    // Each command's line is followed by what it writes. `proxy env` writes variables, which are data.
    let written = shapes.lines().collect::<Vec<_>>();
    let written = written.chunks(2).filter(|pair| !pair[0].contains(" proxy env ")).map(|pair| pair[1]);
    let words = written.flat_map(|shape| shape.split(['{', ' ', ',', '[']));
    let is_field = |name: &&str| name.bytes().any(|byte| byte.is_ascii_lowercase());
    let fields: BTreeSet<&str> = words.filter_map(|word| word.strip_suffix(':')).filter(is_field).collect();
    assert!(fields.len() > 100, "only {} fields were found", fields.len());
    let document = read("docs/JSON.md");
    let missing: Vec<_> = fields.iter().filter(|field| !document.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "docs/JSON.md does not name {missing:?}");
}
