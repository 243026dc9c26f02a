//! Works without the network: uses the last verified answer, still sealed, and verifies it in full once more (CRYPTO.md §2.7
//! “Offline”).
//!
//! A cached answer never stands in for a refusal, which ends it (`refusal`).

use std::time::Duration;

use clap::Args;
use keyward_crypto::verify::{Stale, VerifyError};
use keyward_wire::DeploymentId;

use super::cache::Cached;
use super::open::{Opened, Opener, read};
use crate::api::ApiError;
use crate::ctx::{Ctx, parse_span, rfc3339};
use crate::fault::{Code, Fault, code_of};
use crate::session::credential::Credential;

/// How far in the future a confirmation may lie, in milliseconds: clocks are corrected by a little.
const AHEAD: i64 = 60_000;

/// When the kept copy of the last answer is used.
#[derive(Args, Debug, Clone, Default)]
pub struct Offline {
    /// Do not ask the server: use the copy of its last answer that this client keeps
    #[arg(long, conflicts_with = "offline_fallback")]
    pub offline: bool,
    /// If the server cannot be reached, use the copy that it confirmed no longer ago than this, such as 4h
    #[arg(long, value_name = "MAX_AGE", value_parser = parse_span)]
    pub offline_fallback: Option<i64>,
}

impl Offline {
    /// The cached copy, in the place of an answer that failed with `failure`, or of asking at all; and what a person is told
    /// when it is used.
    pub(super) fn kept(
        &self,
        ctx: &Ctx,
        credential: &Credential,
        opener: &Opener<'_>,
        deployment: Option<DeploymentId>,
        failure: Option<&ApiError>,
    ) -> anyhow::Result<(Opened, Cached, String)> {
        let unusable = |why: &str, next: &str| match failure {
            None => Fault::new(Code::Network, why).next(next),
            Some(failure) => Fault::new(Code::Network, format!("{failure}; and {why}")).next(next),
        };
        if credential.home.is_none() {
            return Err(unusable(
                "no copy of an answer is kept without a folder",
                "with KEYWARD_TOKEN, name one that lasts: KEYWARD_HOME",
            )
            .into());
        }
        // A folder that others may enter is not used: that is said here, where there is nothing else to use.
        if let Some(home) = &credential.home
            && let Err(error) = home.file("cache", "")
            && code_of(&error) == Code::Policy
        {
            return Err(error);
        }
        let load = |deployment| Cached::load(credential.home.as_ref(), credential.id, deployment);
        let mut cached = load(deployment);
        if cached.is_empty() && deployment.is_some() {
            cached = load(None);
        }
        let never =
            || unusable("no answer was kept on this machine", "run it once while the server can be reached");
        if cached.is_broken() {
            return Err(damaged(failure).into());
        }
        let kept = cached.take().ok_or_else(never)?;
        let open = || -> anyhow::Result<_> {
            let opened = opener.open_or(read(kept.body())?, ctx.now(), |error| wrong_copy(failure, error))?;
            // The note's tag and parts fix all that will be opened, as when the server is asked.
            let confirmed = cached.confirmed(&opened.cred, kept.tag(), opened.parts);
            let confirmed = confirmed.map_err(Fault::from)?;
            Ok((opened, confirmed))
        };
        let (opened, confirmed) = open().map_err(|error| match code_of(&error) {
            Code::Integrity | Code::Missing => damaged(failure).into(),
            _ => error,
        })?;
        let at = confirmed.ok_or_else(never)?;
        let age = ctx.now().saturating_sub(at);
        if age < -AHEAD {
            let what = format!("the kept answer was confirmed at {}, which is in the future", rfc3339(at));
            return Err(Fault::new(Code::Stale, what).next("set this machine's clock").into());
        }
        if let Some(most) = self.offline_fallback.filter(|most| age > *most) {
            let why = format!(
                "the kept answer was confirmed {} ago, longer than --offline-fallback {} allows",
                spelt(age),
                spelt(most)
            );
            return Err(unusable(&why, "bring the server back, or allow more").into());
        }
        let because = failure.map_or_else(String::new, |failure| format!("{failure}; "));
        let notice = format!(
            "{because}offline: using the answer that the server confirmed {} ago, at {}",
            spelt(age),
            rfc3339(at)
        );
        Ok((opened, cached, notice))
    }
}

/// What is wrong with a copy. Nobody was asked, or nobody answered: it is not the server's word that is wrong.
pub(super) fn wrong_copy(failure: Option<&ApiError>, error: VerifyError) -> Fault {
    let why = match error {
        VerifyError::Integrity(_) | VerifyError::Missing(_) => return damaged(failure),
        VerifyError::Stale(Stale::Seq { seen, floor, source_of_floor }) => {
            format!("is of seq {seen}, and {source_of_floor} requires {floor}")
        }
        VerifyError::Stale(Stale::Epoch { seen, floor, source_of_floor }) => {
            format!("is of epoch {seen}, and {source_of_floor} requires {floor}")
        }
        VerifyError::Stale(Stale::Fork { seq }) => {
            format!("is not what this client saw last of seq {seq}")
        }
        VerifyError::Stale(Stale::Ended | Stale::TooOld { .. })
        | VerifyError::NotThere { .. }
        | VerifyError::Refused(_) => return Fault::from(error),
    };
    let because = failure.map_or_else(String::new, |failure| format!("{failure}; and "));
    let what = format!("{because}the copy of the server's answer that is kept on this machine {why}");
    Fault::new(Code::Stale, what).next("run it once while the server can be reached: that makes a new copy")
}

fn damaged(failure: Option<&ApiError>) -> Fault {
    let because = failure.map_or_else(String::new, |failure| format!("{failure}; and "));
    let what = format!(
        "{because}the copy of the server's answer that is kept on this machine is damaged or was changed; nothing of it was used"
    );
    Fault::new(Code::Integrity, what)
        .next("run it once while the server can be reached: that makes a new copy")
}

/// A span of time in whole seconds, `0s` at least.
fn spelt(millis: i64) -> String {
    let seconds = u64::try_from(millis.max(0) / 1000).unwrap_or(0);
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}
