//! `cargo xtask test`: exactly what CI runs.

use std::path::PathBuf;

use anyhow::Result;

use crate::cargo::{cargo, run};
use crate::postgres::Postgres;
use crate::steps::Steps;
use crate::{dist, install, scripts, tools};

/// Whether to ask the advisory database: its answer needs the network and changes with the day.
#[derive(PartialEq, Eq)]
pub(crate) enum Advisories {
    /// The plain run.
    Skip,
    /// Before a release.
    Check,
}

/// Every check and every test. Lints that fail do not hide the tests; a build that fails ends the run. Nothing is
/// skipped: what a test needs is installed or the run fails. nextest goes last, so that its summary ends the output.
pub(crate) fn run_all(advisories: &Advisories) -> Result<()> {
    let mut steps = Steps::default();
    steps.must("system packages", install::system_packages)?;
    steps.must("cargo tools", install::cargo_tools)?;
    let mut tools = PathBuf::new();
    steps.must("foreign tools", || {
        tools = tools::prepare()?;
        Ok(())
    })?;
    steps.run("format", || run(&mut cargo(&["fmt", "--all", "--check"])));
    steps.run("lints", || {
        run(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    // What the workspace as a whole never is: the client without its gateway, and the server without what only clients read.
    steps.run("without features", || {
        let clippy = |words: &[&str]| {
            run(&mut cargo(&[&["clippy", "--locked"], words, &["--", "-D", "warnings"]].concat()))
        };
        clippy(&["-p", "keyward", "--no-default-features"])?;
        clippy(&["-p", "keyward", "--no-default-features", "--features", "gateway"])?;
        clippy(&["-p", "keyward-server"])
    });
    steps.run("shell scripts", scripts::check);
    steps.run("dependencies", || {
        run(&mut cargo(&[
            "deny",
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "bans",
            "licenses",
            "sources",
        ]))
    });
    if *advisories == Advisories::Check {
        steps.run("advisories", || run(&mut cargo(&["deny", "--locked", "check", "advisories"])));
    }
    steps.run("docs", || {
        run(cargo(&["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
    // Before the build, which links the programs anew for the other tests.
    let mut release = PathBuf::new();
    steps.must("release", || {
        release = dist::rehearse()?;
        Ok(())
    })?;
    steps.must("build", || run(&mut cargo(&["build", "--locked", "--workspace", "--bins"])))?;

    let mut postgres = None;
    steps.must("PostgreSQL", || {
        postgres = Some(Postgres::start()?);
        Ok(())
    })?;
    let postgres = postgres.as_ref().map(Postgres::url).unwrap_or_default();
    steps.run("doc tests", || {
        run(cargo(&["test", "--locked", "--workspace", "--doc"]).env("KEYWARD_TEST_POSTGRES", postgres))
    });
    steps.run("tests", || {
        run(cargo(&["nextest", "run", "--locked", "--workspace", "--no-fail-fast"])
            .env("KEYWARD_TEST_POSTGRES", postgres)
            .env("KEYWARD_TEST_TOOLS", &tools)
            .env("KEYWARD_TEST_DIST", &release))
    });
    steps.verdict()
}
