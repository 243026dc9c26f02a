//! A B C, A B C, …: what is compared runs in turns, so that whatever slows the machine slows all alike.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::process::{Cost, measure, millis};
use super::stats::{median, minimum, ratios};

/// One of the programs that are compared.
pub struct Contender<'a> {
    name: String,
    command: Box<dyn Fn() -> Result<Command> + 'a>,
}

/// What each round took of one contender, in milliseconds.
#[derive(Debug, Clone)]
pub struct Series {
    /// The contender's name.
    pub name: String,
    /// Time by the clock, of each round.
    pub wall: Vec<f64>,
    /// Time of the processor, of each round.
    pub cpu: Vec<f64>,
}

impl<'a> Contender<'a> {
    /// A command, made anew for each round; making it may prepare what it needs, which is not timed.
    pub fn new(name: &str, command: impl Fn() -> Result<Command> + 'a) -> Self {
        Self { name: name.to_owned(), command: Box::new(command) }
    }

    fn run(&self) -> Result<Cost> {
        measure(&mut (self.command)()?).with_context(|| format!("while measuring {}", self.name))
    }
}

/// Runs all of them in turns, after one round that does not count. Each round begins with the next one, so that nobody
/// always follows the same neighbour's cache.
///
/// # Errors
/// If one of them fails.
pub fn interleaved(rounds: usize, contenders: &[Contender<'_>]) -> Result<Vec<Series>> {
    for contender in contenders {
        contender.run()?;
    }
    let mut costs: Vec<Vec<Cost>> = contenders.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds {
        for place in order(round, contenders.len()) {
            if let (Some(contender), Some(costs)) = (contenders.get(place), costs.get_mut(place)) {
                costs.push(contender.run()?);
            }
        }
    }
    let series = |(contender, costs): (&Contender<'_>, Vec<Cost>)| Series {
        name: contender.name.clone(),
        wall: costs.iter().map(|cost| millis(cost.wall)).collect(),
        cpu: costs.iter().map(|cost| millis(cost.cpu)).collect(),
    };
    Ok(contenders.iter().zip(costs).map(series).collect())
}

fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (place + round) % count)
}

impl Series {
    /// Name; wall minimum / median; CPU minimum / median; both as paired ratios to `base`.
    pub fn row(&self, base: &Self) -> Vec<String> {
        let both = |values: &[f64]| format!("{:.2} / {:.2}", minimum(values), median(values));
        vec![
            self.name.clone(),
            both(&self.wall),
            both(&self.cpu),
            format!("{:.2}", median(&ratios(&self.wall, &base.wall))),
            format!("{:.2}", median(&ratios(&self.cpu, &base.cpu))),
        ]
    }
}

/// The head over [`Series::row`].
pub const HEAD: [&str; 5] = ["process", "wall ms, min / median", "CPU ms, min / median", "× wall", "× CPU"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_everybody_once_and_another_first() {
        for round in 0..7 {
            let mut places: Vec<usize> = order(round, 3).collect();
            assert_eq!(places[0], round % 3);
            places.sort_unstable();
            assert_eq!(places, [0, 1, 2]);
        }
    }

    #[test]
    fn each_round_is_one_figure_and_the_first_turn_does_not_count() {
        let count = std::cell::Cell::new(0);
        let contender = Contender::new("true", || {
            count.set(count.get() + 1);
            Ok(Command::new("true"))
        });
        let series = interleaved(3, &[contender]).unwrap();
        assert_eq!((series[0].wall.len(), series[0].cpu.len(), count.get()), (3, 3, 4));
    }
}
