//! Reads as any identity: one request, whose answer is verified as a whole, then used (CRYPTO.md §2.7).

use std::pin::pin;
use std::time::{Duration, Instant};

use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::local::Parts;
use keyward_crypto::state::view::ViewKeyEntry;
use keyward_crypto::verify::{Variable, Verified, VerifyError};
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::name::EnvName;
use keyward_wire::{DeploymentId, Sha256};

use super::cache::{Cached, Kept};
use super::choose;
use super::freshness::Freshness;
use super::mapping_file;
use super::notice;
use super::offline::{Offline, wrong_copy};
use super::open::{Opened, Opener, missing, read};
use super::pins::Pins;
use super::speculative::{self, Early, Wanted};
use crate::api::client::Answer;
use crate::api::{Api, ApiError};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, code_of};
use crate::session::credential::Credential;

/// A verified answer.
pub struct Fetched {
    /// What this identity may read.
    pub verified: Verified,
    /// The current versions of its keys, sealed.
    pub secrets: Vec<SecretItem>,
    /// The identity that reads.
    pub cred: Cred,
    /// The audit header, if there was one.
    pub audit: Option<String>,
    parts: Parts,
    new_body: Option<Vec<u8>>,
    /// Hash of a body that the server confirmed in this run, if any, and when it last did so before, if that is known.
    confirmed: Option<(Sha256, Option<i64>)>,
    /// Said when a kept answer is used that the server did not confirm in this run.
    offline: Option<String>,
    cached: Cached,
    pins: Pins,
}

/// The variables of one deployment, and the answer that they come from.
pub struct Variables {
    /// The variables, sorted by name.
    pub variables: Vec<Variable>,
    /// The answer they come from.
    pub fetched: Fetched,
}

/// Fetches and verifies a bundle with the secrets of `deployment`. Without a deployment: for non-admins, all of their secrets.
///
/// # Errors
/// Any failure of CRYPTO.md §2.7; nothing of the answer may be used then.
pub async fn fetch(
    ctx: &Ctx,
    credential: &Credential,
    freshness: &Freshness,
    deployment: Option<DeploymentId>,
) -> anyhow::Result<Fetched> {
    fetch_or_kept(ctx, credential, freshness, &Offline::default(), deployment).await
}

/// As [`fetch`], or from the cached copy if `offline` says so.
///
/// # Errors
/// As [`fetch`]; [`Code::Network`] if there is no copy that may be used.
pub async fn fetch_or_kept(
    ctx: &Ctx,
    credential: &Credential,
    freshness: &Freshness,
    offline: &Offline,
    deployment: Option<DeploymentId>,
) -> anyhow::Result<Fetched> {
    Ok(fetch_wanted(ctx, credential, freshness, offline, deployment, None).await?.0)
}

/// As [`fetch_or_kept`], together with the `wanted` variables, if the answer was the cached one and they could be opened while
/// the server was asked.
async fn fetch_wanted(
    ctx: &Ctx,
    credential: &Credential,
    freshness: &Freshness,
    offline: &Offline,
    deployment: Option<DeploymentId>,
    wanted: Option<Wanted<'_>>,
) -> anyhow::Result<(Fetched, Option<Vec<Variable>>)> {
    let opener = Opener::new(ctx, credential, freshness)?;
    let kept_one = |failure| offline.kept(ctx, credential, &opener, deployment, failure);
    if offline.offline {
        return Ok((Fetched::offline(ctx, kept_one(None)?), None));
    }
    let mut cached = Cached::load(credential.home.as_ref(), credential.id, deployment);
    let kept = cached.take();
    let (answer, unchanged) = ask(ctx, &opener, &cached, kept.as_ref(), deployment, wanted).await?;
    match answer {
        Ok(Answer::Body { body, audit }) => {
            let opened = opener.open(read(&body)?, ctx.now())?;
            let confirmed = Some((Sha256::of(&body), None));
            let told = Told { audit, confirmed, new_body: Some(body) };
            Ok((Fetched::of(ctx, opened, cached, told), None))
        }
        Ok(Answer::Unchanged { audit }) => {
            let (early, tag) = unchanged.ok_or_else(|| missing(KEPT))?;
            let told = Told { audit, confirmed: Some((tag, early.confirmed)), new_body: None };
            Ok((Fetched::of(ctx, early.opened, cached, told), early.variables))
        }
        Err(error) => {
            if error.is_unreachable() && offline.offline_fallback.is_some() {
                return Ok((Fetched::offline(ctx, kept_one(Some(&error))?), None));
            }
            Err(credential.refused(error, bundle_fault).into())
        }
    }
}

/// What the server says; and, if it says that nothing has changed, the `kept` answer, opened while it was asked, with its tag.
async fn ask(
    ctx: &Ctx,
    opener: &Opener<'_>,
    cached: &Cached,
    kept: Option<&Kept>,
    deployment: Option<DeploymentId>,
    wanted: Option<Wanted<'_>>,
) -> anyhow::Result<(Result<Answer, ApiError>, Option<(Early, Sha256)>)> {
    let Credential { id, keys, server, .. } = opener.credential;
    let api = Api::new(server)?;
    let ask = |known| api.bundle(*id, keys, deployment, known);
    let Some(kept) = kept else { return Ok((ask(None).await, None)) };
    let open = || speculative::open(opener, cached, kept, wanted, ctx.now());
    let mut opened = pin!(open());
    let asking = Instant::now();
    let (answer, early) = speculative::meanwhile(ask(Some(kept.tag())), opened.as_mut()).await;
    if !matches!(answer, Ok(Answer::Unchanged { .. })) {
        return Ok((answer, None));
    }
    let early = match early {
        // After a long wait the answer is opened anew: what has ended meanwhile, and what another process of this client has
        // seen, counts as for any other answer.
        _ if asking.elapsed() > PROMPT => open().await,
        Some(early) => early,
        None => opened.await,
    };
    match early? {
        Some(early) => Ok((answer, Some((early, kept.tag())))),
        None => Ok((ask(None).await, None)),
    }
}

/// How long “unchanged” may take to arrive for what was verified before the question to count as verified now.
const PROMPT: Duration = Duration::from_secs(1);

impl Fetched {
    /// Accepts an opened answer, after the server has said that it is the current one: it may be used from here on.
    fn of(ctx: &Ctx, opened: Opened, cached: Cached, answer: Told) -> Self {
        let Opened { verified, secrets, cred, parts, pins } = opened;
        notice::continuity(ctx, &verified);
        let Told { audit, new_body, confirmed } = answer;
        let offline = None;
        Self { verified, secrets, cred, audit, parts, new_body, confirmed, offline, cached, pins }
    }

    /// Accepts a kept answer in the place of the server's; `notice` says so, once it is used.
    fn offline(ctx: &Ctx, (opened, cached, notice): (Opened, Cached, String)) -> Self {
        Self { offline: Some(notice), ..Self::of(ctx, opened, cached, Told::default()) }
    }
}

/// What the server said beside the opened answer. Empty if the server was not asked.
#[derive(Default)]
struct Told {
    audit: Option<String>,
    new_body: Option<Vec<u8>>,
    confirmed: Option<(Sha256, Option<i64>)>,
}

/// Every variable of the deployment that `name` means here: all of them, verified, or an error.
///
/// # Errors
/// As [`fetch`]; [`Code::NotFound`] if there is no such deployment.
pub async fn variables(
    ctx: &Ctx,
    name: &str,
    freshness: &Freshness,
    offline: &Offline,
    allowed: &[EnvName],
) -> anyhow::Result<Variables> {
    let credential = Credential::find(ctx)?;
    let mapped = mapping_file::find(name)?;
    let wanted = mapped.map_or_else(|| name.to_owned(), |id| id.to_string());
    let ahead = Some(Wanted { deployment: &wanted, allowed });
    let (mut fetched, opened) =
        fetch_wanted(ctx, &credential, freshness, offline, wanted.parse().ok(), ahead).await?;
    if let Some(id) = mapped {
        mapping_file::warn_if_hidden(ctx, &fetched.verified.view, name, id);
    }
    if let Some(variables) = opened {
        fetched.remember(ctx);
        return Ok(Variables { variables, fetched });
    }
    let id = match fetched.deployment(&wanted) {
        Ok(id) => id,
        Err(unknown) => {
            let chosen = choose::deployment(ctx, &fetched.verified.view, &wanted, unknown).await;
            fetched.settle(ctx, chosen)?
        }
    };
    if fetched.verified.administers && fetched.secrets.is_empty() {
        // Owners and admins get the values of a deployment only if they name its id. What its name means is remembered as well.
        fetched.remember(ctx);
        fetched = fetch_or_kept(ctx, &credential, freshness, offline, Some(id)).await?;
    }
    let id = fetched.settle(ctx, fetched.deployment(&id.to_string()))?;
    let deployment = fetched.verified.view.deployment(id).ok_or_else(|| missing("the deployment"))?;
    let variables = fetched.verified.variables(deployment, &fetched.secrets, allowed);
    let fault = |error| if fetched.offline.is_some() { wrong_copy(None, error) } else { Fault::from(error) };
    let variables = variables.map_err(|error| fault(error).into());
    let variables = fetched.settle(ctx, variables)?;
    fetched.say_offline(ctx);
    if variables.is_empty() {
        ctx.out.warn(&format!("{} holds no variable that may be read", deployment.name));
    }
    fetched.remember(ctx);
    Ok(Variables { variables, fetched })
}

impl Fetched {
    /// Remembers this state and caches its sealed answer. Call this once everything that is wanted was opened.
    pub fn remember(&self, ctx: &Ctx) {
        notice::recovered(ctx, self.cred.id, &self.verified.recovered);
        self.pins.remember(ctx, &self.cred, &self.verified.seen);
        if let Some((sha256, before)) = self.confirmed {
            if let Some(body) = &self.new_body {
                self.cached.store(body, sha256);
            }
            self.cached.confirm(&self.cred, sha256, self.parts, before, ctx.now());
        }
    }

    /// [Remembers](Self::remember) this state if the outcome follows from it: that something is not there, or is refused. What
    /// was taken away must not be had from an older, cached answer.
    ///
    /// # Errors
    /// The error of `outcome`.
    pub fn settle<T>(&self, ctx: &Ctx, outcome: anyhow::Result<T>) -> anyhow::Result<T> {
        outcome.inspect_err(|error| {
            if matches!(code_of(error), Code::NotFound | Code::Policy) {
                self.say_offline(ctx);
                self.remember(ctx);
            }
        })
    }

    fn say_offline(&self, ctx: &Ctx) {
        if let Some(notice) = &self.offline {
            ctx.out.warn(notice);
        }
    }

    /// The key of this name or id.
    ///
    /// # Errors
    /// [`Code::NotFound`], with a list of the keys that there are.
    pub fn key(&self, name_or_id: &str) -> anyhow::Result<&ViewKeyEntry> {
        self.verified.key(name_or_id).map_err(|error| match error {
            VerifyError::NotThere { kind, name } => {
                let names = self.verified.view.keys.iter().map(|key| key.name.as_str());
                Fault::unknown(kind, &name, names).into()
            }
            other => Fault::from(other).into(),
        })
    }

    /// The id of the deployment of this name or id.
    ///
    /// # Errors
    /// [`Code::NotFound`], with a list of the deployments that there are.
    pub fn deployment(&self, name_or_id: &str) -> anyhow::Result<DeploymentId> {
        match self.verified.deployment(name_or_id) {
            Ok(deployment) => Ok(deployment.id),
            Err(VerifyError::NotThere { kind, name }) => {
                let names = self.verified.view.deployments.iter().map(|deployment| deployment.name.as_str());
                Err(Fault::unknown(kind, &name, names).into())
            }
            Err(other) => Err(Fault::from(other).into()),
        }
    }
}

/// A bundle is never “not found”: a server that says so holds something back.
fn bundle_fault(error: ApiError) -> Fault {
    match error {
        ApiError::Refused { status: 200..=299 | 404, .. } => missing("the whole answer"),
        ApiError::Refused { status: 304, .. } => missing(KEPT),
        other => other.into(),
    }
}

/// The meaning of “unchanged” to a client that has no copy and asked for everything.
const KEPT: &str = "an answer that this client does not have";
