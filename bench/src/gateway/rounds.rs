//! Rounds in which everybody has a turn.

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use super::scene::{Running, Scene, Who};
use super::way::Way;
use crate::common::report::talk;

/// The programs that are compared, and the result of each in each round.
pub(super) struct Rounds<T> {
    pub(super) running: Vec<(Who, Running)>,
    outcomes: Vec<Vec<T>>,
}

impl<T> Rounds<T> {
    /// Starts them, and gives each its turn in so many rounds, after one that does not count. Each round begins with the next.
    ///
    /// # Errors
    /// If one of them does not come up, or a turn fails.
    pub(super) fn run(
        scene: &Scene,
        everybody: &[Who],
        rounds: usize,
        turn: impl Fn(&Runtime, Who, &Way) -> Result<T>,
    ) -> Result<Self> {
        let client = client()?;
        let running = everybody.iter().map(|who| Ok((*who, scene.start(*who)?)));
        let running = running.collect::<Result<Vec<_>>>()?;
        let take = |at: usize| {
            let (who, one): &(Who, Running) = &running[at];
            turn(&client, *who, &one.way).with_context(|| format!("while measuring {}", one.way.name))
        };
        for at in 0..running.len() {
            take(at)?;
        }
        let mut outcomes: Vec<Vec<T>> = running.iter().map(|_| Vec::with_capacity(rounds)).collect();
        for round in 0..rounds {
            for place in 0..running.len() {
                let at = (place + round) % running.len();
                outcomes[at].push(take(at)?);
            }
        }
        Ok(Self { running, outcomes })
    }

    /// One figure of each round.
    pub(super) fn of(&self, who: Who, figure: impl Fn(&T) -> f64) -> Vec<f64> {
        let at = self.running.iter().position(|(one, _)| *one == who);
        at.map(|at| self.outcomes[at].iter().map(figure).collect()).unwrap_or_default()
    }

    /// What each of them is called, with a figure of each round.
    pub(super) fn each(&self) -> impl Iterator<Item = (Who, &'static str)> {
        self.running.iter().map(|(who, running)| (*who, running.way.name))
    }
}

/// The client has one thread: the others are the gateway's and the upstream's.
pub(super) fn client() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Says what comes.
pub(super) fn begin(what: &str) {
    talk(&format!("the gateway: {what} …"));
}
