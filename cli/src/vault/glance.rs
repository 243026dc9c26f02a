//! Reads which names exist, for a person who waits at a prompt: names only, and no value is opened.

use std::time::Duration;

use keyward_crypto::verify::Verified;

use super::cache::Cached;
use super::fetch::fetch;
use super::freshness::Freshness;
use super::open::{self, Opener};
use crate::ctx::Ctx;
use crate::fault::{Code, code_of};
use crate::session::credential::Credential;

/// How old the cached answer may be to be used without asking the server. Each question is an entry of the audit log, and
/// somebody who presses TAB ten times has not read ten times.
const YOUNG: Duration = Duration::from_mins(1);

/// Longest wait for the server, after which the cached answer is used.
const PATIENCE: Duration = Duration::from_secs(2);

/// What this credential may see: the cached answer if it is young; else what the server says now; else, if the server cannot be
/// reached, the cached answer. It is verified each time.
///
/// # Errors
/// If there is no answer; or if the server refuses this credential, in which case no cached answer is used.
pub async fn glance(ctx: &Ctx, credential: &Credential) -> anyhow::Result<Verified> {
    let kept = || Cached::load(credential.home.as_ref(), credential.id, None);
    if kept().is_younger_than(YOUNG, ctx.now())
        && let Some(verified) = read(ctx, credential, kept())
    {
        return Ok(verified);
    }
    let asked = tokio::time::timeout(PATIENCE, fetch(ctx, credential, &Freshness::default(), None)).await;
    match asked {
        Ok(Ok(fetched)) => {
            fetched.remember(ctx);
            kept().touch(ctx.now());
            Ok(fetched.verified)
        }
        Ok(Err(error)) if code_of(&error) != Code::Network => Err(error),
        Ok(Err(error)) => read(ctx, credential, kept()).ok_or(error),
        Err(late) => read(ctx, credential, kept()).ok_or_else(|| late.into()),
    }
}

fn read(ctx: &Ctx, credential: &Credential, mut kept: Cached) -> Option<Verified> {
    let opener = Opener::new(ctx, credential, &Freshness::default()).ok()?;
    Some(opener.open(open::read(kept.take()?.body()).ok()?, ctx.now()).ok()?.verified)
}
