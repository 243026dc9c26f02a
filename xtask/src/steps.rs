//! Named steps with their durations, and a verdict at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::say;

/// The steps done so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Steps {
    /// Runs a step; a failure is told now and counted by [`Steps::verdict`], so that later steps still speak.
    pub(crate) fn run(&mut self, name: &'static str, act: impl FnOnce() -> Result<()>) {
        say::talk(&format!("==> {name}"));
        let start = Instant::now();
        let result = act();
        let took = start.elapsed();
        match &result {
            Ok(()) => say::talk(&format!("==> {name}: ok in {:.1} s", took.as_secs_f64())),
            Err(error) => say::talk(&format!("==> {name}: FAILED in {:.1} s: {error:#}", took.as_secs_f64())),
        }
        self.done.push(Step { name, took, passed: result.is_ok() });
    }

    /// Runs a step that the later ones need; `Err` is the verdict.
    pub(crate) fn must(&mut self, name: &'static str, act: impl FnOnce() -> Result<()>) -> Result<()> {
        self.run(name, act);
        if self.done.last().is_some_and(|step| step.passed) { Ok(()) } else { self.verdict() }
    }

    /// Prints one line with every step and its duration; `Err` names those that failed.
    pub(crate) fn verdict(&self) -> Result<()> {
        let each: Vec<String> =
            self.done.iter().map(|step| format!("{} {:.1} s", step.name, step.took.as_secs_f64())).collect();
        say::talk(&format!("==> {}", each.join(", ")));
        let failed: Vec<&str> = self.done.iter().filter(|step| !step.passed).map(|step| step.name).collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_later_ones_still_run() {
        let mut steps = Steps::default();
        let mut later = false;
        steps.run("first", || bail!("no"));
        steps.run("second", || {
            later = true;
            Ok(())
        });
        assert!(later);
        assert_eq!(steps.verdict().unwrap_err().to_string(), "failed: first");
    }

    #[test]
    fn a_needed_step_that_fails_ends_the_run() {
        let mut steps = Steps::default();
        assert!(steps.must("fine", || Ok(())).is_ok());
        assert_eq!(steps.must("needed", || bail!("no")).unwrap_err().to_string(), "failed: needed");
    }
}
