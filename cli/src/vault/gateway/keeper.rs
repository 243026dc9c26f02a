//! Keeps a gateway's knowledge current: signs in, waits for changes, verifies, remembers.
//!
//! The server's list of what it does not forbid comes first and counts at once. Then, if the gateway's GRANT is another one, the
//! view that belongs to it is fetched and verified like any client's, with the memory that refuses older states. If an answer
//! does not verify, the keeper ends: nothing is allowed after that, and the server is not asked again.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use keyward_crypto::random_bytes;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::verify::verify_bundle;
use keyward_wire::KeyId;
use keyward_wire::api::agents::RequestCounts;
use keyward_wire::limits::{COUNTS_PER_REQUEST, WAIT_SECS};

use super::clock::Clock;
use super::held::Held;
use super::live::Live;
use crate::api::client::AgentsTag;
use crate::api::{Api, ApiError};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, printable};
use crate::session::credential::Credential;
use crate::vault::freshness::Freshness;
use crate::vault::pins::Pins;

/// A gateway's connection to its server.
pub struct Keeper {
    live: Live,
    api: Api,
    credential: Credential,
    cred: Cred,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
    pins: Pins,
    tag: Option<AgentsTag>,
    /// When the server was last told of requests.
    told: Instant,
    /// Keys whose unreadable rule was warned about.
    warned: BTreeSet<KeyId>,
}

/// Why a round had no result.
enum Trouble {
    /// The server cannot be reached, or is not well. What is known still counts for a while.
    Away(ApiError),
    /// The keeper must end.
    Over(anyhow::Error),
}

/// Counts that are on their way to the server, and are put back if that ends before they are there.
struct Untold<'a> {
    live: &'a Live,
    requests: RequestCounts,
}

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        self.live.request_counts().add_all(&self.requests.requests);
    }
}

/// How the server answered.
#[derive(PartialEq)]
enum Heard {
    /// As a request that waits for changes.
    Waiting,
    /// At once: the server has no place for another request that waits.
    InPassing,
}

impl Keeper {
    /// Signs in and learns everything for the first time.
    ///
    /// # Errors
    /// If the credential is not a gateway's, the server cannot be reached, or any part of an answer is not as it must be.
    pub async fn start(
        ctx: &Ctx,
        credential: Credential,
        freshness: Freshness,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let mut api = Api::new(&credential.server)?;
        let answer = api.log_in(credential.id, &credential.keys).await;
        let answer = answer.map_err(|error| credential.refused(error, Fault::from))?;
        let cred = Cred::open(&credential.keys.unlock, credential.id, &answer.cred).map_err(Fault::from)?;
        let pins = Pins::load(credential.home.as_ref(), &cred)?;
        let live = Live::new(Arc::clone(&clock), freshness.max_age);
        let (tag, told, warned) = (None, Instant::now(), BTreeSet::new());
        let mut keeper = Self { live, api, credential, cred, freshness, clock, pins, tag, told, warned };
        match keeper.round(ctx, 0).await {
            Ok(_) => Ok(keeper),
            Err(Trouble::Away(error)) => Err(Fault::from(error).into()),
            Err(Trouble::Over(error)) => Err(error),
        }
    }

    /// The gateway's knowledge, kept current by [`run`](Self::run).
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// Follows every change until the keeper must end. Then nothing is allowed any more, and the returned error says why.
    pub async fn run(&mut self, ctx: &Ctx) -> anyhow::Error {
        let live = self.live.clone();
        let mut ticking = pin!(async {
            loop {
                tokio::time::sleep(TICK).await;
                live.tick();
            }
        });
        let mut following = pin!(self.follow(ctx));
        poll_fn(|context| {
            // The ticking never ends; it is polled to be woken.
            let _never: Poll<Infallible> = ticking.as_mut().poll(context);
            following.as_mut().poll(context)
        })
        .await
    }

    async fn follow(&mut self, ctx: &Ctx) -> anyhow::Error {
        let mut pause = FIRST_PAUSE;
        let mut silent = false;
        let mut looks: u32 = 0;
        loop {
            // After a silence the server is not asked to wait: somebody may be waiting for this answer.
            let wait_secs = if silent || looks > 0 { 0 } else { WAIT_SECS };
            let round = Instant::now();
            match self.round(ctx, wait_secs).await {
                Ok(heard) => {
                    if silent {
                        ctx.out.say("the server is heard again");
                    }
                    (pause, silent) = (FIRST_PAUSE, false);
                    if self.told.elapsed() >= TELL_EVERY {
                        self.told = Instant::now();
                        self.tell().await;
                    }
                    looks = if heard == Heard::InPassing { LOOKS } else { looks.saturating_sub(1) };
                    // A server that answers at once, again and again, is not asked any faster.
                    let shortest = if looks > 0 { LOOK_EVERY } else { SHORTEST_ROUND };
                    tokio::time::sleep(shortest.saturating_sub(round.elapsed())).await;
                }
                Err(Trouble::Over(error)) => {
                    self.live.end();
                    return error;
                }
                Err(Trouble::Away(error)) => {
                    if !silent {
                        let time = if self.live.is_outdated() { "seconds" } else { "minutes" };
                        ctx.out.warn(&format!("{error}; what was granted counts for five more {time}"));
                    }
                    silent = true;
                    tokio::time::sleep(jittered(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Tells the server how many requests of its agents were decided how, as far as that succeeds within a few seconds: the rest is
    /// told the next time. Every request is in the gateway's own log in any case.
    pub async fn tell(&self) {
        let telling = async {
            loop {
                let requests = self.live.request_counts().take(COUNTS_PER_REQUEST);
                if requests.is_empty() {
                    return;
                }
                let mut untold = Untold { live: &self.live, requests: RequestCounts { requests } };
                if self.api.count_requests(&untold.requests).await.is_err() {
                    return;
                }
                untold.requests.requests.clear();
            }
        };
        let _ = tokio::time::timeout(TELL_TIME, telling).await;
    }

    /// Waits for the server's list, applies it, and fetches the view that belongs to it.
    async fn round(&mut self, ctx: &Ctx, wait_secs: u64) -> Result<Heard, Trouble> {
        // Noted before the request is sent: when the server answered, this client does not know.
        let mut asked = self.clock.elapsed();
        let mut heard = Heard::Waiting;
        let answer = match self.api.agents(self.tag.as_ref(), wait_secs).await {
            Err(error) if error.is_status(401) => {
                // A session lasts a quarter of an hour.
                self.api
                    .log_in(self.credential.id, &self.credential.keys)
                    .await
                    .map_err(|error| refused(&self.credential, error))?;
                asked = self.clock.elapsed();
                self.api
                    .agents(self.tag.as_ref(), 0)
                    .await
                    .map_err(|error| refused(&self.credential, error))?
            }
            // Other requests of this gateway wait there already. The server still answers one that does not wait.
            Err(error) if error.is_status(429) && wait_secs > 0 => {
                heard = Heard::InPassing;
                asked = self.clock.elapsed();
                self.api
                    .agents(self.tag.as_ref(), 0)
                    .await
                    .map_err(|error| refused(&self.credential, error))?
            }
            other => other.map_err(|error| refused(&self.credential, error))?,
        };
        if let Some((answer, tag)) = answer {
            self.live.narrow(&answer);
            // Also if a newer view was named earlier and could not be had: a server behind a balancer may lag.
            if self.live.seq() != Some(answer.grant_seq) || self.live.is_outdated() {
                self.live.outdated();
                self.fetch(ctx, answer.grant_seq).await?;
            }
            self.tag = Some(tag);
        }
        self.live.heard(asked);
        Ok(heard)
    }

    /// Fetches the whole view, verified in full.
    async fn fetch(&mut self, ctx: &Ctx, named_seq: u64) -> Result<(), Trouble> {
        let bundle = self.api.own_bundle().await.map_err(|error| refused(&self.credential, error))?;
        let floors = self.freshness.floors(ctx, self.pins.local.clone()).map_err(Trouble::Over)?;
        let verified = verify_bundle(&self.cred, &bundle, &floors, self.clock.wall()).map_err(over)?;
        if verified.administers {
            return Err(Trouble::Over(not_a_gateway().into()));
        }
        if verified.seq < named_seq {
            return Err(Trouble::Over(held_back(verified.seq, named_seq).into()));
        }
        let seen = verified.seen.clone();
        let held = Held::new(verified, &bundle.secrets).map_err(over)?;
        for (key, what) in held.unreadable() {
            if self.warned.insert(*key) {
                let what = printable(what, 300);
                ctx.out.warn(&format!("a rule cannot be used, and its value goes nowhere: {what}"));
            }
        }
        self.pins.remember(ctx, &self.cred, &seen);
        // The seen state counts also if nothing is remembered beyond this run.
        self.pins.local = self.pins.local.merge(&seen);
        self.live.hold(held);
        Ok(())
    }
}

/// What a failed request means for the keeper.
fn refused(credential: &Credential, error: ApiError) -> Trouble {
    if !is_final(&error) {
        return Trouble::Away(error);
    }
    match error {
        // The credential is good, for something else.
        ApiError::Refused { status: 403 | 404, .. } => over(not_a_gateway()),
        other => over(credential.refused(other, Fault::from)),
    }
}

/// The keeper ends only by what the server itself says, in its own form. Everything else is somebody else's word, or nobody's: no
/// connection, another party's certificate, a page of a proxy before the server. What is known then still counts for a while.
fn is_final(error: &ApiError) -> bool {
    match error {
        ApiError::Refused { status: 400..=428, detail } => detail.is_some(),
        other => matches!(other, ApiError::RequestTooLarge),
    }
}

fn over(error: impl Into<Fault>) -> Trouble {
    Trouble::Over(error.into().into())
}

fn not_a_gateway() -> Fault {
    Fault::new(Code::Policy, "this credential is not a gateway's, or the server does not serve gateways")
        .next("make a gateway, and use its token: keyward api-user create NAME --gateway --group GROUP")
}

fn held_back(seen: u64, named: u64) -> Fault {
    let what = format!("the server names grant {named} and hands out an older one, {seen}");
    Fault::new(Code::Stale, what).next("nothing is allowed any more; ask the server's operator")
}

/// The pause, up to a quarter longer, so that gateways that lost their server together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let [byte] = random_bytes::<1>();
    pause + pause.mul_f64(f64::from(byte) / 1024.0)
}

/// The shortest time between two requests.
const SHORTEST_ROUND: Duration = Duration::from_millis(200);

/// How often the server is asked if it has no place for a request that waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many times it is asked so before a place is asked for again.
const LOOKS: u32 = 15;

/// The pause between a failure and the first new attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often the server is told of requests.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// How long that may take.
const TELL_TIME: Duration = Duration::from_secs(2);

/// How often changes are looked for that happen by time alone.
const TICK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use keyward_wire::error::{ErrorCode, ErrorDetail};

    use super::*;

    #[test]
    fn only_the_servers_own_no_is_the_end() {
        let detail = |code| Some(ErrorDetail { code, message: "no".to_owned(), field: None });
        let answer = |status, detail| ApiError::Refused { status, detail };
        let ends = |error| is_final(&error);
        for (status, code) in
            [(401, ErrorCode::Unauthenticated), (403, ErrorCode::Forbidden), (404, ErrorCode::NotFound)]
        {
            assert!(ends(answer(status, detail(code))), "{status}");
            assert!(!ends(answer(status, None)), "{status} of whatever stands before it");
        }
        let network = |untrusted| ApiError::Network {
            host: "h".to_owned(),
            why: "w".to_owned(),
            untrusted,
            sent: false,
            next: None,
        };
        for error in [
            network(false),
            network(true),
            ApiError::Redirect,
            ApiError::Malformed,
            ApiError::Compressed,
            ApiError::TooLarge,
            answer(429, detail(ErrorCode::TooMany)),
            answer(503, None),
        ] {
            let text = error.to_string();
            assert!(!ends(error), "{text}");
        }
    }
}
