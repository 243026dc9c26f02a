//! Programs of other people that the tests and the bench run: Python and npm packages, in `target/tools`.
//!
//! What is wanted stands in `tests/tools` and `bench/mitmproxy`, every version and checksum pinned. Tests find the place by
//! `KEYWARD_TEST_TOOLS`, which [`prepare`]'s answer goes into.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cargo::{bin_dir, root, run};
use crate::say;

/// Makes what is not there yet, or not of the versions wanted; its path.
///
/// `python/bin/…` and `npm/node_modules/…` are in it.
pub(crate) fn prepare() -> Result<PathBuf> {
    let tools = place()?;
    fresh(&tools.join("python"), "python3", &[PYTHON], |place| python(place, PYTHON))?;
    fresh(&tools.join("npm"), "node", &NPM, npm)?;
    Ok(tools)
}

/// mitmproxy without its window, for the bench; where it is.
pub(crate) fn mitmdump() -> Result<PathBuf> {
    let place = place()?.join("mitmproxy");
    fresh(&place, "python3", &[MITMPROXY], |place| python(place, MITMPROXY))?;
    Ok(place.join("bin/mitmdump"))
}

fn place() -> Result<PathBuf> {
    Ok(bin_dir()?.parent().context("cargo's directory has no parent")?.join("tools"))
}

/// `cargo xtask tools`: for tests by hand.
pub(crate) fn by_hand() -> Result<()> {
    say::out(&format!("export KEYWARD_TEST_TOOLS={}", prepare()?.display()));
    Ok(())
}

fn python(place: &Path, requirements: &str) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(place))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
    run(Command::new(place.join("bin/python")).args(pip).arg(root().join(requirements)))
}

/// No package's own script is run.
fn npm(place: &Path) -> Result<()> {
    for file in NPM {
        let file = root().join(file);
        let name = file.file_name().context("a file has a name")?;
        fs::copy(&file, place.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run(Command::new("npm").args(ci).current_dir(place))
}

/// Makes `place` anew, unless it was made for this version of `program` and of the very content that `files` have now.
#[expect(clippy::disallowed_methods, reason = "a stamp holds nothing that is private")]
fn fresh(place: &Path, program: &str, files: &[&str], make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let version = Command::new(program).arg("--version").output();
    let mut recipe = version.with_context(|| format!("{program} did not start"))?.stdout;
    // A Python environment holds its own path.
    recipe.extend(place.as_os_str().as_encoded_bytes());
    for file in files {
        recipe.extend(fs::read(root().join(file)).with_context(|| format!("cannot read {file}"))?);
    }
    let stamp = place.join("made-of");
    if fs::read(&stamp).is_ok_and(|made_of| made_of == recipe) {
        return Ok(());
    }
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    fs::create_dir_all(place).with_context(|| format!("cannot create {}", place.display()))?;
    make(place)?;
    // Last: what was broken off has no stamp, and is made again.
    fs::write(stamp, recipe).with_context(|| format!("cannot write to {}", place.display()))
}

const PYTHON: &str = "tests/tools/requirements.txt";
const NPM: [&str; 3] = ["tests/tools/package.json", "tests/tools/package-lock.json", "tests/tools/.npmrc"];
const MITMPROXY: &str = "bench/mitmproxy/requirements.txt";
