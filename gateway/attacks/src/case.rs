//! One attack, and how it is run.

use std::any::Any;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::lab::record;

/// An attack on a gateway, with the laboratory around it: what panics is a claim that does not hold.
pub struct Case {
    part: &'static str,
    name: &'static str,
    start: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

/// The rows that a name begins with.
pub(crate) fn rows(name: &'static str) -> impl Iterator<Item = String> {
    name.split('_').map_while(row)
}

impl Case {
    pub(crate) const fn new(
        part: &'static str,
        name: &'static str,
        start: fn() -> Pin<Box<dyn Future<Output = ()>>>,
    ) -> Self {
        Self { part, name, start }
    }

    /// The file that the case stands in, and its name there.
    pub fn path(&self) -> (&'static str, &'static str) {
        (self.part, self.name)
    }

    /// The rows of ATTACKS.md that the case is about, as `R1`. Empty if the case is about something that has to work.
    pub fn rows(&self) -> impl Iterator<Item = String> {
        rows(self.name)
    }

    /// The claim of the case.
    pub fn claim(&self) -> String {
        self.words().skip_while(|word| row(word).is_some()).collect::<Vec<_>>().join(" ")
    }

    fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.name.split('_')
    }

    /// Runs the case in a thread of its own, ends what it started, and searches everything that was told for secrets.
    ///
    /// # Errors
    /// The claim that did not hold.
    pub fn run(&self) -> Result<(), String> {
        self.run_and_search(Vec::new)
    }

    /// As [`Self::run`]. `also` gives what programs meanwhile wrote down about what they do.
    ///
    /// # Errors
    /// The claim that did not hold.
    pub fn run_and_search(&self, also: fn() -> Vec<u8>) -> Result<(), String> {
        let (told, outcome) = mpsc::channel();
        let start = self.start;
        let runs = thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            let held = std::panic::catch_unwind(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(start());
                record::search(&also());
            });
            let _ = told.send(held.map_err(|panic| said(&*panic)));
        });
        runs.map_err(|error| format!("no thread could be started: {error}"))?;
        outcome
            .recv_timeout(LONGEST)
            .map_err(|_| format!("it did not end within {} seconds", LONGEST.as_secs()))?
    }
}

/// The text of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// The row that a word of a name stands for: a letter and a number.
fn row(word: &str) -> Option<String> {
    let (letter, number) = word.split_at_checked(1)?;
    let is_row = letter.as_bytes()[0].is_ascii_lowercase()
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit());
    is_row.then(|| word.to_uppercase())
}

/// Time limit of a case: far longer than any case takes.
const LONGEST: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_rows_and_a_claim() {
        let case = Case::new("x", "r1_r25_a_key_of_http2_is_covered", || Box::pin(async {}));
        assert_eq!(case.rows().collect::<Vec<_>>(), ["R1", "R25"]);
        assert_eq!(case.claim(), "a key of http2 is covered");
    }

    #[test]
    fn a_claim_that_does_not_hold_is_told() {
        let case = Case::new("x", "x", || Box::pin(async { panic!("{} is not", 1) }));
        assert_eq!(case.run(), Err("1 is not".to_owned()));
    }
}
