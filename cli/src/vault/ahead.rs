//! What a client keeps is opened while the server says whether it still is the answer. Nearly always it is, and then
//! everything has been done by the time that the server has spoken.
//!
//! Nothing of it is said, used or remembered before: if the server says anything else, it is dropped and wiped.

use std::future::Future;
use std::pin::{Pin, pin};

use keyward_crypto::verify::{Variable, sorted};
use keyward_wire::name::EnvName;
use tokio::task::yield_now;

use super::cache::Kept;
use super::open::{Opened, Opener, read};

/// Variables that will be asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Of the deployment of this name or id.
    pub(super) deployment: &'a str,
    /// Those that may steer programs.
    pub(super) allowed: &'a [EnvName],
}

/// A kept answer and the variables that are wanted of it. None of them if the deployment is not there, one is not right or is
/// refused, or there is none: who asks for them anew is told.
pub(super) type Early = (Opened, Option<Vec<Variable>>);

/// Opens a kept answer, and what is wanted of it: in pieces, so that the network is looked after between them.
///
/// None: it is not the body of its tag, so nothing that is said of the tag is said of it.
///
/// # Errors
/// If the answer is not what it must be.
pub(super) async fn open(
    opener: &Opener<'_>,
    kept: &Kept,
    wanted: Option<Wanted<'_>>,
    now: i64,
) -> anyhow::Result<Option<Early>> {
    if !kept.is_whole() {
        return Ok(None);
    }
    yield_now().await;
    let bundle = read(kept.body())?;
    yield_now().await;
    let opened = opener.open(bundle, now)?;
    yield_now().await;
    let variables = match wanted {
        Some(wanted) => variables(&opened, wanted).await,
        None => None,
    };
    Ok(Some((opened, variables)))
}

async fn variables(opened: &Opened, wanted: Wanted<'_>) -> Option<Vec<Variable>> {
    let Opened { verified, secrets, .. } = opened;
    let deployment = verified.deployment(wanted.deployment).ok()?;
    let mut variables = Vec::with_capacity(deployment.mappings.len());
    for variable in verified.each_variable(deployment, secrets, wanted.allowed) {
        variables.push(variable.ok()?);
        if variables.len() % PIECE == 0 {
            yield_now().await;
        }
    }
    if variables.is_empty() { None } else { sorted(variables).ok() }
}

/// What `asked` says, and what `idle` had come to by then if it had ended. `asked` goes first whenever it can go on.
pub(super) async fn meanwhile<A, I>(
    asked: impl Future<Output = A>,
    mut idle: Pin<&mut impl Future<Output = I>>,
) -> (A, Option<I>) {
    let (mut asked, mut ended) = (pin!(asked), None);
    loop {
        tokio::select! {
            biased;
            answer = &mut asked => return (answer, ended),
            result = &mut idle, if ended.is_none() => ended = Some(result),
        }
    }
}

/// Values that are opened without a look at the network: some 50 microseconds.
const PIECE: usize = 16;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn whoever_waits_for_the_network_works_meanwhile_and_no_longer() {
        let (answer, told) = tokio::sync::oneshot::channel();
        let done = RefCell::new(Vec::new());
        let idle = async {
            done.borrow_mut().push("begun");
            yield_now().await;
            // The answer comes while there is something left to do.
            answer.send("unchanged").unwrap();
            yield_now().await;
            done.borrow_mut().push("ended");
        };
        let mut idle = pin!(idle);
        let (answer, ended) = meanwhile(told, idle.as_mut()).await;
        assert_eq!((answer, ended), (Ok("unchanged"), None));
        assert_eq!(*done.borrow(), ["begun"]);
        idle.await;
        assert_eq!(*done.borrow(), ["begun", "ended"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_ended_in_time_is_there_with_the_answer() {
        let (answer, told) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            for _ in 0..3 {
                yield_now().await;
            }
            answer.send(1)
        });
        let mut idle = pin!(async { "opened" });
        assert_eq!(meanwhile(told, idle.as_mut()).await, (Ok(1), Some("opened")));
    }
}
