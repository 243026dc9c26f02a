//! Programs of other people, in the place that `KEYWARD_TEST_TOOLS` names. `tests/tools` says which.

use std::path::PathBuf;

/// The Python that has the packages of `tests/tools/requirements.txt`.
pub fn python() -> PathBuf {
    place().join("python/bin/python")
}

/// A program of one of those packages.
pub fn python_program(name: &str) -> PathBuf {
    place().join("python/bin").join(name)
}

/// The directory that has `node_modules`, with the packages of `tests/tools/package.json`: for `NODE_PATH`, or as a
/// script's own.
pub fn npm() -> PathBuf {
    place().join("npm")
}

fn place() -> PathBuf {
    PathBuf::from(std::env::var_os("KEYWARD_TEST_TOOLS").expect(
        "KEYWARD_TEST_TOOLS names no directory: run `cargo xtask test`, or export the line that `cargo xtask tools` \
         prints",
    ))
}
