//! README.md is run, and the commands and links of the documentation hold.

use std::{fs, path::Path};

#[test]
fn the_readme_fits_in_150_lines() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(readme).expect("README.md");
    assert!(text.lines().count() <= 150);
}
