//! Reading as any identity: one request, verified whole, then used (CRYPTO.md §2.7).

use std::ffi::OsString;
use std::pin::pin;
use std::time::{Duration, Instant};

use clap::Args;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::local::Local;
use keyward_crypto::state::view::ViewKeyEntry;
use keyward_crypto::verify::{Floors, Variable, Verified, VerifyError, verify_bundle};
use keyward_wire::api::bundle::{Bundle, SecretItem};
use keyward_wire::name::EnvName;
use keyward_wire::{DeploymentId, Sha256};

use super::ahead::{self, Wanted};
use super::cache::Cached;
use super::choose;
use super::mapping_file;
use super::notice;
use super::offline::Offline;
use super::pins::Pins;
use crate::api::client::Answer;
use crate::api::{Api, ApiError};
use crate::ctx::{Ctx, parse_span};
use crate::fault::{Code, Fault};
use crate::session::credential::Credential;

/// How new the server's state must be.
#[derive(Args, Debug, Clone, Default)]
pub struct Freshness {
    /// Refuse a state older than this seq, which `keyward pin` prints [env: KEYWARD_MIN_SEQ]
    #[arg(long, value_name = "SEQ")]
    pub min_seq: Option<u64>,
    /// Refuse an epoch older than this [env: KEYWARD_MIN_EPOCH]
    #[arg(long, value_name = "EPOCH")]
    pub min_epoch: Option<u64>,
    /// Refuse a state that was issued longer ago, such as 24h
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub max_age: Option<i64>,
}

impl Freshness {
    /// The lower bounds of these options, of the environment, and of what this client has `seen`: of each the highest.
    ///
    /// # Errors
    /// If the environment's are no numbers: a bound that cannot be read must not be dropped.
    pub fn floors(&self, ctx: &Ctx, seen: Local) -> anyhow::Result<Floors> {
        let number = |name: &str, value: &Option<OsString>| match value {
            None => Ok(0),
            Some(value) => value.to_str().and_then(|text| text.trim().parse::<u64>().ok()).ok_or_else(|| {
                Fault::usage(format!("{name} is not a number")).next("take it from `keyward pin`")
            }),
        };
        let min_seq = number("KEYWARD_MIN_SEQ", &ctx.env.min_seq)?.max(self.min_seq.unwrap_or(0));
        let min_epoch = number("KEYWARD_MIN_EPOCH", &ctx.env.min_epoch)?.max(self.min_epoch.unwrap_or(0));
        Ok(Floors { local: seen, min_seq, min_epoch, max_age: self.max_age })
    }
}

/// A verified answer.
pub struct Fetched {
    /// What may be read.
    pub verified: Verified,
    /// Current versions, sealed.
    pub secrets: Vec<SecretItem>,
    /// Who reads.
    pub cred: Cred,
    /// The audit header, if there was one.
    pub audit: Option<String>,
    new_body: Option<Vec<u8>>,
    /// Hash of a body that the server confirmed in this run.
    confirmed: Option<Sha256>,
    cached: Cached,
    pins: Pins,
}

/// The variables of one deployment, and what is known about their state.
pub struct Variables {
    /// Sorted by name.
    pub variables: Vec<Variable>,
    /// The answer they come from.
    pub fetched: Fetched,
}

/// Fetches and verifies, with the secrets of `deployment` (non-admins: all of theirs if it is not known).
///
/// # Errors
/// Any failure of CRYPTO.md §2.7; nothing may be used then.
pub async fn fetch(
    ctx: &Ctx,
    credential: &Credential,
    freshness: &Freshness,
    deployment: Option<DeploymentId>,
) -> anyhow::Result<Fetched> {
    fetch_or_kept(ctx, credential, freshness, &Offline::default(), deployment).await
}

/// As [`fetch`], or from the kept copy where `offline` says so.
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

/// As [`fetch_or_kept`]; with the `wanted` variables, if the answer was the kept one and they could be opened while the
/// server was asked.
async fn fetch_wanted(
    ctx: &Ctx,
    credential: &Credential,
    freshness: &Freshness,
    offline: &Offline,
    deployment: Option<DeploymentId>,
    wanted: Option<Wanted<'_>>,
) -> anyhow::Result<(Fetched, Option<Vec<Variable>>)> {
    if offline.offline {
        return Ok((offline.kept(ctx, credential, freshness, deployment, None)?, None));
    }
    let api = Api::new(&credential.server)?;
    let mut cached = Cached::load(credential.home.as_ref(), credential.id, deployment);
    let kept = cached.take_body();
    let known = kept.as_ref().map(|(_, sha256)| *sha256);
    let asked = api.bundle(credential.id, &credential.keys, deployment, known);
    let opened = async {
        match &kept {
            Some((body, _)) => ahead::open(ctx, credential, freshness, body, wanted).await,
            None => std::future::pending().await,
        }
    };
    let mut opened = pin!(opened);
    let asking = Instant::now();
    let (answer, early) = ahead::meanwhile(asked, opened.as_mut()).await;
    match answer {
        Ok(Answer::Body { body, audit }) => {
            let confirmed = Sha256::of(&body);
            let opened = OpenedBundle::new(ctx, credential, freshness, read(&body)?)?;
            Ok((opened.fetched(ctx, cached, audit, Some(body), Some(confirmed)), None))
        }
        Ok(Answer::Unchanged { audit }) => {
            let (opened, variables) = match early {
                // What has ended meanwhile, and what somebody else here has seen, counts as it does for any other answer.
                _ if asking.elapsed() > PROMPT => anew(ctx, credential, freshness, kept.as_ref())?,
                Some(early) => early?,
                None => opened.await?,
            };
            Ok((opened.fetched(ctx, cached, audit, None, known), variables))
        }
        Err(error) => {
            if error.ends_access() {
                credential.forget_kept(ctx);
            }
            if error.is_unreachable() && offline.offline_fallback.is_some() {
                return Ok((offline.kept(ctx, credential, freshness, deployment, Some(&error))?, None));
            }
            Err(bundle_fault(error).into())
        }
    }
}

/// The kept answer, opened once more, now that the server has said that it is the answer.
fn anew(
    ctx: &Ctx,
    credential: &Credential,
    freshness: &Freshness,
    kept: Option<&(Vec<u8>, Sha256)>,
) -> anyhow::Result<(OpenedBundle, Option<Vec<Variable>>)> {
    let (body, _) = kept.ok_or_else(|| missing(KEPT))?;
    Ok((OpenedBundle::new(ctx, credential, freshness, read(body)?)?, None))
}

/// A server that says no more than “unchanged” needs no longer. What was verified before counts as verified now within it.
const PROMPT: Duration = Duration::from_secs(1);

/// A body that was verified.
pub(super) struct OpenedBundle {
    pub(super) verified: Verified,
    pub(super) secrets: Vec<SecretItem>,
    pub(super) cred: Cred,
    pins: Pins,
}

/// A body as it is sent, from the server or from the folder alike.
///
/// # Errors
/// If it is none.
pub(super) fn read(body: &[u8]) -> Result<Bundle, Fault> {
    keyward_wire::json::from_slice(body).map_err(|_| Fault::from(ApiError::Malformed))
}

impl OpenedBundle {
    /// Verifies it. Nothing is said to anybody: it may not be the answer yet.
    ///
    /// # Errors
    /// If it is not what it must be.
    pub(super) fn new(
        ctx: &Ctx,
        credential: &Credential,
        freshness: &Freshness,
        bundle: Bundle,
    ) -> anyhow::Result<Self> {
        let sealed = bundle.cred.as_ref().ok_or_else(|| missing("this credential's own part"))?;
        let cred = Cred::open(&credential.keys.unlock, credential.id, sealed).map_err(Fault::from)?;
        let pins = Pins::load(credential.home.as_ref(), &cred)?;
        let floors = freshness.floors(ctx, pins.local.clone())?;
        let verified = verify_bundle(&cred, &bundle, &floors, ctx.now()).map_err(Fault::from)?;
        Ok(Self { verified, secrets: bundle.secrets, cred, pins })
    }

    /// It is the answer.
    pub(super) fn fetched(
        self,
        ctx: &Ctx,
        cached: Cached,
        audit: Option<String>,
        new_body: Option<Vec<u8>>,
        confirmed: Option<Sha256>,
    ) -> Fetched {
        let Self { verified, secrets, cred, pins } = self;
        notice::continuity(ctx, &verified);
        Fetched { verified, secrets, cred, audit, new_body, confirmed, cached, pins }
    }
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
    if let Some(variables) = opened {
        fetched.remember(ctx);
        return Ok(Variables { variables, fetched });
    }
    let id = match fetched.deployment(&wanted) {
        Ok(id) => id,
        Err(unknown) => choose::deployment(ctx, &fetched.verified.view, &wanted, unknown).await?,
    };
    if fetched.verified.administers && fetched.secrets.is_empty() {
        // Owners and admins get the values of a deployment that they name by id. What its name means is kept as well.
        fetched.remember(ctx);
        fetched = fetch_or_kept(ctx, &credential, freshness, offline, Some(id)).await?;
    }
    let id = fetched.deployment(&id.to_string())?;
    let deployment = fetched.verified.view.deployment(id).ok_or_else(|| missing("the deployment"))?;
    let variables = fetched.verified.variables(deployment, &fetched.secrets, allowed).map_err(Fault::from)?;
    if variables.is_empty() {
        ctx.out.warn(&format!("{} holds no variable that may be read", deployment.name));
    }
    fetched.remember(ctx);
    Ok(Variables { variables, fetched })
}

impl Fetched {
    /// Remembers this state and keeps its sealed answer. Call it once everything that is wanted was opened.
    pub fn remember(&self, ctx: &Ctx) {
        notice::recovered(ctx, self.cred.id, &self.verified.recovered);
        self.pins.remember(ctx, &self.cred, &self.verified.seen);
        if let Some(body) = &self.new_body {
            self.cached.store(body);
        }
        if let Some(body) = self.confirmed {
            self.cached.confirm(&self.cred, body, ctx.now());
        }
    }

    /// The key of this name or id.
    ///
    /// # Errors
    /// [`Code::NotFound`], with what there is.
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
    /// [`Code::NotFound`], with what there is.
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

/// A bundle is never “not found”: an address that says so holds something back.
fn bundle_fault(error: ApiError) -> Fault {
    match error {
        ApiError::Refused { status: 200..=299 | 404, .. } => missing("the whole answer"),
        ApiError::Refused { status: 304, .. } => missing(KEPT),
        other => other.into(),
    }
}

/// What a server means that says “unchanged” to a client that asked for everything.
const KEPT: &str = "an answer that this client does not have";

pub(super) fn missing(what: &str) -> Fault {
    Fault::new(Code::Missing, format!("the server left out {what}"))
        .next("nothing was used; check the address, or ask the server's operator")
}
