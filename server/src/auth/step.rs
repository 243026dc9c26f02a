//! The time that an answer takes must not tell what exists (CRYPTO.md §2.12 S11). Known and unknown credentials and e-mail
//! addresses take different work in the database, so their answers leave at whole steps after that work began.

use std::time::{Duration, Instant};

/// Runs `look`. If it fails, the failure is returned at the next step; what `look` held is released by then.
pub(crate) async fn refused_in_step<T, E>(look: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let start = Instant::now();
    let result = look.await;
    if result.is_err() {
        tokio::time::sleep(rest(start.elapsed(), REFUSAL)).await;
    }
    result
}

/// Waits until a whole number of a prelogin's steps after `start`.
pub(crate) async fn prelogin_step(start: Instant) {
    tokio::time::sleep(rest(start.elapsed(), PRELOGIN)).await;
}

fn rest(elapsed: Duration, step: Duration) -> Duration {
    let steps = elapsed.as_nanos() / step.as_nanos() + 1;
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)).saturating_sub(elapsed)
}

/// The step of refused proofs: longer than a look-up in a database that is not busy and a durable write. If the database is busy,
/// the answer leaves at the next step, not at a time of its own.
const REFUSAL: Duration = Duration::from_millis(25);

/// The step of prelogins: one look-up in one index, for known and unknown addresses alike, and nothing written. Everybody who
/// signs in waits for it. It must be longer than four round trips to a PostgreSQL in the same zone: with 2 ms, known addresses were
/// told from unknown ones.
const PRELOGIN: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_look_takes_its_answer_leaves_at_a_whole_step() {
        let millis = Duration::from_millis;
        for (took, leaves) in [(0, 25), (1, 25), (24, 25), (25, 50), (26, 50), (1_001, 1_025)] {
            assert_eq!(millis(took) + rest(millis(took), REFUSAL), millis(leaves));
        }
        for (took, leaves) in [(0, 5), (4, 5), (5, 10), (12, 15)] {
            assert_eq!(millis(took) + rest(millis(took), PRELOGIN), millis(leaves));
        }
    }
}
