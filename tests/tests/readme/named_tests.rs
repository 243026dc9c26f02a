//! Tests that documents name are there.

use std::path::{Path, PathBuf};

use crate::markdown::{documents, lines, read, root, spans};

/// A name as tests have them. Codes and actions of the log have fewer words; metrics begin with the program's name.
fn is_test(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    letters && name.matches('_').count() >= 4 && !name.starts_with("keyward_")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut paths = Vec::new();
    for folder in ["bench", "cli", "gateway", "server", "shared", "tests", "xtask"] {
        sources(&root().join(folder), &mut paths);
    }
    let texts: Vec<String> = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let is_there = |name: &str| texts.iter().any(|text| text.contains(&format!("fn {name}(")));
    let (mut missing, mut count) = (Vec::new(), 0);
    for document in documents() {
        let text = read(&document);
        for line in lines(&text) {
            for name in spans(line.text).filter(|name| is_test(name)) {
                count += 1;
                if !is_there(name) {
                    missing.push(format!("{document}:{}: {name}", line.number));
                }
            }
        }
    }
    assert!(count > 50, "only {count} tests are named");
    assert!(missing.is_empty(), "tests that are not there: {missing:#?}");
}
