//! Opens the cached answer while the server is asked whether it is still the current one. Nearly always it is, and then all work
//! is done by the time that the server answers.
//!
//! Nothing of it is printed, used or remembered before that: if the server says anything else, it is dropped and wiped.

use std::future::Future;
use std::pin::{Pin, pin};

use keyward_crypto::verify::{Variable, sorted};
use keyward_wire::DeploymentId;
use keyward_wire::name::EnvName;
use tokio::task::yield_now;

use super::cache::{Cached, Kept};
use super::open::{Opened, Opener, read};

/// The variables that will be asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The name or id of their deployment.
    pub(super) deployment: &'a str,
    /// Names that are allowed although they may steer programs.
    pub(super) allowed: &'a [EnvName],
}

/// An answer that was opened while the server was asked.
pub(super) struct Early {
    pub(super) opened: Opened,
    /// The variables that are wanted of it. `None` if no variables are wanted, or the deployment is not there, or a variable is
    /// wrong or refused: a caller that then asks in the usual way is told why.
    pub(super) variables: Option<Vec<Variable>>,
    /// When the server last confirmed an answer with this tag and these parts, if that is recorded.
    pub(super) confirmed: Option<i64>,
}

/// Opens a cached answer, and the wanted variables of it, in pieces, so that the network is attended to between them.
///
/// `None` if the body is not certainly the one that its tag states: then what the server says of the tag is not said of this body.
///
/// # Errors
/// If the answer is not as it must be.
pub(super) async fn open(
    opener: &Opener<'_>,
    cached: &Cached,
    kept: &Kept,
    wanted: Option<Wanted<'_>>,
    now: i64,
) -> anyhow::Result<Option<Early>> {
    let early = read_ahead(opener, cached, kept, wanted, now).await;
    // All that was opened is pinned by the answer's state. If this state stands beside the tag under this identity's seal, the body's
    // hash, which is of much more than was opened, would add nothing.
    if matches!(early, Ok(Early { variables: Some(_), confirmed: Some(_), .. })) {
        return early.map(Some);
    }
    yield_now().await;
    if kept.is_whole() { early.map(Some) } else { Ok(None) }
}

async fn read_ahead(
    opener: &Opener<'_>,
    cached: &Cached,
    kept: &Kept,
    wanted: Option<Wanted<'_>>,
    now: i64,
) -> anyhow::Result<Early> {
    let bundle = read(kept.body())?;
    yield_now().await;
    let opened = opener.open(bundle, now)?;
    yield_now().await;
    let variables = match wanted {
        Some(wanted) => variables(&opened, wanted).await,
        None => None,
    };
    let confirmed = cached.confirmed(&opened.cred, kept.tag(), opened.parts).ok().flatten();
    Ok(Early { opened, variables, confirmed })
}

async fn variables(opened: &Opened, wanted: Wanted<'_>) -> Option<Vec<Variable>> {
    let Opened { verified, secrets, .. } = opened;
    // An owner's or admin's answer has values only of a deployment that was asked for by its id, which the audit then names. One
    // that has others was put together by somebody else.
    if verified.administers && wanted.deployment.parse::<DeploymentId>().is_err() {
        return None;
    }
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

/// The result of `asked`, and that of `idle` if it has ended by then. `asked` goes first whenever it can go on.
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

/// How many values are opened without attending to the network: some 50 microseconds.
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
