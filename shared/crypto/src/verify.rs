//! From an answer of the server to what may be believed (CRYPTO.md §2.7). Pure: bytes in, values out.
//!
//! ```text
//! Cred::open            who am I: from the credential alone
//! verify_bundle         GRANT → VIEW (or ORGKEY → ORG), floors and pins: what may I read, and is it new enough
//! Verified::variables   the complete set of values of one deployment, or an error and nothing
//! ```
//! The server's numbers and ids are selectors: a wrong one opens nothing.

mod error;

use std::collections::BTreeMap;

use keyward_wire::api::bundle::{Bundle, SecretItem};
use keyward_wire::api::org::OrgAnswer;
use keyward_wire::name::{EnvName, Name};
use keyward_wire::{DeploymentId, Envelope, IdentityId, KeyId, Nonce, OrgId};
use zeroize::Zeroizing;

pub use self::error::{Missing, Refused, Stale, VerifyError};
use crate::absent::assert_secret;
use crate::state::cred::Cred;
use crate::state::grant::{Grant, GrantPlace};
use crate::state::local::{Local, Pin};
use crate::state::org::{Org, OrgPlace, Recovered};
use crate::state::roots::OrgKeyDocument;
use crate::state::secret::{Secret, SecretPlace};
use crate::state::view::{View, ViewDeployment, ViewKeyEntry, ViewPlace};
use crate::view::whole;
use crate::{DeliveryKey, IdentityKey, Integrity, OrgKey, derive_delivery};

/// Lower bounds that this client insists on.
#[derive(Debug, Clone, Default)]
pub struct Floors {
    /// The newest states that this client has seen.
    pub local: Local,
    /// The lower bound `--min-seq`.
    pub min_seq: u64,
    /// The lower bound `--min-epoch`.
    pub min_epoch: u64,
    /// The limit `--max-age`, in milliseconds.
    pub max_age: Option<i64>,
}

/// A state that was verified.
pub struct Verified {
    /// Whether ORG itself was opened: the reader is an owner or admin, whatever the server says of its role.
    pub administers: bool,
    /// The readable part of the organisation. For owners and admins: all of it.
    pub view: View,
    /// The organisation.
    pub org: OrgId,
    /// Seq of the GRANT; for owners and admins, seq of ORG.
    pub seq: u64,
    /// The epoch.
    pub epoch: u64,
    /// When the GRANT was issued; for owners and admins, when ORG was written. Milliseconds UTC.
    pub issued_at: i64,
    /// For owners and admins: the name of the identity that wrote ORG. `None` if it has left.
    pub author: Option<Name>,
    /// When this access ends, in milliseconds UTC. `None` if it never ends.
    pub not_after: Option<i64>,
    /// The state to remember.
    pub seen: Local,
    /// False if the state that this client saw last is older than ORG's list of predecessors.
    pub continuous: bool,
    /// For owners and admins: recoveries that this client has not seen yet.
    pub recovered: Vec<Recovered>,
}

/// An administrator's verified state.
pub struct VerifiedOrg {
    /// ORG.
    pub org: Org,
    /// OK of its epoch.
    pub ok: OrgKey,
    /// The state to remember.
    pub seen: Local,
    /// False if the state that this client saw last is older than ORG's list of predecessors.
    pub continuous: bool,
    /// Recoveries that this client has not seen yet.
    pub recovered: Vec<Recovered>,
}

/// One variable with its value.
pub struct Variable {
    /// The variable's name.
    pub env: EnvName,
    /// The variable's value: any bytes but NUL.
    pub value: Zeroizing<Vec<u8>>,
}

/// Verifies a bundle for the holder of `cred`.
///
/// # Errors
/// [`VerifyError`]; nothing of the bundle may be used then.
pub fn verify_bundle(
    cred: &Cred,
    bundle: &Bundle,
    floors: &Floors,
    now: i64,
) -> Result<Verified, VerifyError> {
    check_end(cred.not_after, now)?;
    check_epoch(cred, bundle.epoch, floors)?;
    let dk = derive_delivery(&cred.ik, cred.org, cred.id, bundle.epoch, &bundle.nonce);
    let verified = match (&bundle.orgkey, &bundle.org) {
        (Some(orgkey), Some(item)) => {
            let opened = open_org(cred, &dk, bundle.epoch, bundle.nonce, orgkey, &item.env, item.seq)?;
            let (seen, continuous) = check_org_floor(cred, &opened.0, &item.env, floors)?;
            let org = opened.0;
            check_own_end(cred, &org, now)?;
            Verified {
                administers: true,
                view: whole(&org),
                org: cred.org,
                seq: org.seq,
                epoch: org.epoch,
                issued_at: org.written_at,
                author: org.identity(org.written_by).map(|author| author.name.clone()),
                not_after: cred.not_after,
                seen,
                continuous,
                recovered: unseen(&org, floors),
            }
        }
        _ => verify_grant(cred, &dk, bundle, floors, now)?,
    };
    let age = now.saturating_sub(verified.issued_at);
    if floors.max_age.is_some_and(|max_age| age > max_age) {
        return Err(VerifyError::Stale(Stale::TooOld { age_secs: age / 1000 }));
    }
    Ok(verified)
}

/// Verifies an administrator's state.
///
/// # Errors
/// [`VerifyError`]; nothing of the answer may be used then.
pub fn verify_org(
    cred: &Cred,
    answer: &OrgAnswer,
    floors: &Floors,
    now: i64,
) -> Result<VerifiedOrg, VerifyError> {
    check_end(cred.not_after, now)?;
    check_epoch(cred, answer.epoch, floors)?;
    let dk = derive_delivery(&cred.ik, cred.org, cred.id, answer.epoch, &answer.nonce);
    let (org, ok) = open_org(cred, &dk, answer.epoch, answer.nonce, &answer.orgkey, &answer.env, answer.seq)?;
    check_own_end(cred, &org, now)?;
    let (seen, continuous) = check_org_floor(cred, &org, &answer.env, floors)?;
    let recovered = unseen(&org, floors);
    Ok(VerifiedOrg { org, ok, seen, continuous, recovered })
}

assert_secret!(Verified, VerifiedOrg, Variable);

impl Verified {
    /// The deployment of this exact name, or of this id.
    ///
    /// # Errors
    /// [`VerifyError::NotThere`] if this identity may read no such deployment.
    pub fn deployment(&self, name_or_id: &str) -> Result<&ViewDeployment, VerifyError> {
        let by_name = || self.view.deployment_named(&name_or_id.parse::<Name>().ok()?);
        let by_id = || self.view.deployment(name_or_id.parse::<DeploymentId>().ok()?);
        by_name().or_else(by_id).ok_or_else(|| not_there("deployment", name_or_id))
    }

    /// The key of this exact name, or of this id.
    ///
    /// # Errors
    /// [`VerifyError::NotThere`] if this identity may read no such key.
    pub fn key(&self, name_or_id: &str) -> Result<&ViewKeyEntry, VerifyError> {
        let by_name = || self.view.key_named(&name_or_id.parse::<Name>().ok()?);
        let by_id = || self.view.key(name_or_id.parse::<KeyId>().ok()?);
        by_name().or_else(by_id).ok_or_else(|| not_there("key", name_or_id))
    }

    /// GRANT, or for owners and admins ORG: its seq and hash. Everything else that may be read is pinned by it.
    pub fn state(&self) -> Option<Pin> {
        if self.administers { self.seen.org } else { self.seen.grant }
    }

    /// The value of one key.
    ///
    /// # Errors
    /// [`VerifyError::Missing`] if `secrets` does not have it, [`VerifyError::Integrity`] if it is not the one that the view
    /// pins.
    pub fn secret(&self, key: &ViewKeyEntry, secrets: &[SecretItem]) -> Result<Secret, VerifyError> {
        self.open_one(key, &by_key(secrets))
    }

    /// Every variable of a deployment: all of them, verified, or an error.
    ///
    /// # Errors
    /// [`VerifyError`] if any of them is missing or wrong.
    pub fn variables(
        &self,
        deployment: &ViewDeployment,
        secrets: &[SecretItem],
        allowed: &[EnvName],
    ) -> Result<Vec<Variable>, VerifyError> {
        sorted(self.each_variable(deployment, secrets, allowed).collect::<Result<_, _>>()?)
    }

    /// The same variables as [`variables`](Self::variables), one by one, for callers that have other things to do in between.
    /// They may be used only after [`sorted`] has accepted them all.
    pub fn each_variable<'a>(
        &'a self,
        deployment: &'a ViewDeployment,
        secrets: &'a [SecretItem],
        allowed: &'a [EnvName],
    ) -> impl Iterator<Item = Result<Variable, VerifyError>> {
        let secrets = by_key(secrets);
        // Collected backwards, so that of two keys with one id the first counts, as everywhere.
        let keys: BTreeMap<KeyId, _> = self.view.keys.iter().rev().map(|key| (key.id, key)).collect();
        deployment.mappings.iter().map(move |mapping| {
            if mapping.env.steers_programs() && !allowed.contains(&mapping.env) {
                return Err(VerifyError::Refused(Refused::Steers(mapping.env.clone())));
            }
            let key = keys.get(&mapping.key).ok_or(Integrity)?;
            let value = self.open_one(key, &secrets)?.value;
            if value.contains(&0) {
                return Err(VerifyError::Refused(Refused::Nul(key.name.clone())));
            }
            Ok(Variable { env: mapping.env.clone(), value })
        })
    }

    /// Every key of the view with its sealed value: checked to be the pinned one, and to open. Each opened value is shown to
    /// `look` and wiped again; a gateway opens a value when it needs it, with [`open`](Self::open).
    ///
    /// # Errors
    /// [`VerifyError::Missing`] if a value is not in the answer, [`VerifyError::Integrity`] if one is not the pinned one or does
    /// not open.
    pub fn sealed(
        &self,
        secrets: &[SecretItem],
        mut look: impl FnMut(&ViewKeyEntry, &Secret),
    ) -> Result<BTreeMap<KeyId, Envelope>, VerifyError> {
        let secrets = by_key(secrets);
        let mut sealed = BTreeMap::new();
        for key in &self.view.keys {
            let envelope = find_one(key, &secrets)?;
            look(key, &self.open(key, envelope)?);
            sealed.insert(key.id, envelope.clone());
        }
        Ok(sealed)
    }

    /// Opens the value of a key of the view, from the envelope that [`sealed`](Self::sealed) gave for it.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope does not open.
    pub fn open(&self, key: &ViewKeyEntry, envelope: &Envelope) -> Result<Secret, Integrity> {
        let place = SecretPlace { org: self.org, key: key.id, version: key.version, reseal: key.reseal };
        Secret::open(&key.dek, place, envelope)
    }

    fn open_one(&self, key: &ViewKeyEntry, secrets: &ByKey<'_>) -> Result<Secret, VerifyError> {
        Ok(self.open(key, find_one(key, secrets)?)?)
    }
}

/// The variables, sorted by name.
///
/// # Errors
/// [`VerifyError`] if two variables have one name.
pub fn sorted(mut variables: Vec<Variable>) -> Result<Vec<Variable>, VerifyError> {
    variables.sort_by(|a, b| a.env.cmp(&b.env));
    match variables.windows(2).find_map(|pair| match pair {
        [a, b] if a.env == b.env => Some(a.env.clone()),
        _ => None,
    }) {
        Some(env) => Err(VerifyError::Refused(Refused::Twice(env))),
        None => Ok(variables),
    }
}

/// The one envelope of a key, whose hash the view pins.
fn find_one<'s>(key: &ViewKeyEntry, secrets: &ByKey<'s>) -> Result<&'s Envelope, VerifyError> {
    let envelopes = secrets.get(&key.id).map(Vec::as_slice).unwrap_or_default();
    if envelopes.is_empty() {
        return Err(VerifyError::Missing(Missing::Secret(key.name.clone())));
    }
    // A second, different envelope of the same key is a lie, whichever of the two is right.
    if envelopes.iter().any(|envelope| envelope.sha256() != key.sha256) {
        return Err(Integrity.into());
    }
    Ok(envelopes.first().ok_or(Integrity)?)
}

type ByKey<'a> = BTreeMap<KeyId, Vec<&'a Envelope>>;

fn by_key(secrets: &[SecretItem]) -> ByKey<'_> {
    let mut map = ByKey::new();
    for secret in secrets {
        map.entry(secret.key).or_default().push(&secret.env);
    }
    map
}

fn verify_grant(
    cred: &Cred,
    dk: &DeliveryKey,
    bundle: &Bundle,
    floors: &Floors,
    now: i64,
) -> Result<Verified, VerifyError> {
    let item = bundle.grant.as_ref().ok_or(VerifyError::Missing(Missing::Part("this identity's grant")))?;
    let view_item =
        bundle.view.as_ref().ok_or(VerifyError::Missing(Missing::Part("this identity's view")))?;
    let place =
        GrantPlace { org: cred.org, identity: cred.id, view: item.view, epoch: bundle.epoch, seq: item.seq };
    let grant = Grant::open(dk, place, &item.env)?;
    if view_item.env.sha256() != grant.view_sha256 {
        return Err(Integrity.into());
    }
    let view_place = ViewPlace { org: cred.org, view: item.view, seq: grant.view_seq };
    let view = View::open(&grant.vk, view_place, &view_item.env)?;
    if view.seq != grant.view_seq {
        return Err(Integrity.into());
    }
    check_end(grant.not_after, now)?;
    let pin = Pin { seq: item.seq, sha256: item.env.sha256() };
    check_floor(pin, floors.local.grant, cred, floors)?;
    let mut seen = floors.local.clone();
    seen.grant = Some(pin);
    seen.epoch = bundle.epoch;
    Ok(Verified {
        administers: false,
        view,
        org: cred.org,
        seq: item.seq,
        epoch: bundle.epoch,
        issued_at: grant.issued_at,
        author: None,
        not_after: earlier(grant.not_after, cred.not_after),
        seen,
        continuous: true,
        recovered: Vec::new(),
    })
}

fn open_org(
    cred: &Cred,
    dk: &DeliveryKey,
    epoch: u64,
    nonce: Nonce,
    orgkey: &Envelope,
    envelope: &Envelope,
    seq: u64,
) -> Result<(Org, OrgKey), Integrity> {
    let document = OrgKeyDocument::open_for_admin(dk, cred.org, cred.id, epoch, orgkey)?;
    let org = Org::open(&document.ok, OrgPlace { org: cred.org, epoch, seq }, envelope)?;
    let administers = org.identity(cred.id).is_some_and(|me| me.role.administers());
    if document.nonce != nonce || org.nonce != nonce || !administers {
        return Err(Integrity);
    }
    Ok((org, document.ok))
}

/// Recoveries later than the state that this client remembers. If it remembers none: all that are listed.
fn unseen(org: &Org, floors: &Floors) -> Vec<Recovered> {
    let known = floors.local.org.map_or(0, |known| known.seq);
    org.recoveries.iter().filter(|recovered| recovered.seq > known).cloned().collect()
}

/// Checks that an owner or admin has not ended, according to ORG.
fn check_own_end(cred: &Cred, org: &Org, now: i64) -> Result<(), VerifyError> {
    check_end(org.identity(cred.id).and_then(|me| me.not_after), now)
}

/// Checks that the remembered state is this ORG, or among its predecessors, or too old to be listed there.
fn check_org_floor(
    cred: &Cred,
    org: &Org,
    envelope: &Envelope,
    floors: &Floors,
) -> Result<(Local, bool), VerifyError> {
    let pin = Pin { seq: org.seq, sha256: envelope.sha256() };
    check_floor(pin, floors.local.org, cred, floors)?;
    let mut continuous = true;
    if let Some(known) = floors.local.org.filter(|known| known.seq < org.seq) {
        match org.prev.iter().find(|prev| prev.seq == known.seq) {
            Some(prev) if prev.sha256 == known.sha256 => {}
            None if org.prev.last().is_some_and(|oldest| oldest.seq > known.seq) => continuous = false,
            _ => return Err(VerifyError::Stale(Stale::Fork { seq: known.seq })),
        }
    }
    let mut seen = floors.local.clone();
    seen.org = Some(pin);
    seen.epoch = org.epoch;
    Ok((seen, continuous))
}

fn check_floor(pin: Pin, known: Option<Pin>, cred: &Cred, floors: &Floors) -> Result<(), VerifyError> {
    let known_seq = known.map_or(0, |known| known.seq);
    for (floor, source_of_floor) in [
        (known_seq, "this client's memory"),
        (cred.min_seq, "this credential"),
        (floors.min_seq, "--min-seq (KEYWARD_MIN_SEQ)"),
    ] {
        if pin.seq < floor {
            return Err(VerifyError::Stale(Stale::Seq { seen: pin.seq, floor, source_of_floor }));
        }
    }
    match known {
        Some(known) if known.seq == pin.seq && known.sha256 != pin.sha256 => {
            Err(VerifyError::Stale(Stale::Fork { seq: pin.seq }))
        }
        _ => Ok(()),
    }
}

fn check_epoch(cred: &Cred, seen: u64, floors: &Floors) -> Result<(), VerifyError> {
    for (floor, source_of_floor) in [
        (floors.local.epoch, "this client's memory"),
        (cred.epoch, "this credential"),
        (floors.min_epoch, "--min-epoch (KEYWARD_MIN_EPOCH)"),
    ] {
        if seen < floor {
            return Err(VerifyError::Stale(Stale::Epoch { seen, floor, source_of_floor }));
        }
    }
    Ok(())
}

fn check_end(not_after: Option<i64>, now: i64) -> Result<(), VerifyError> {
    match not_after {
        Some(end) if end <= now => Err(VerifyError::Stale(Stale::Ended)),
        _ => Ok(()),
    }
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn not_there(kind: &'static str, name: &str) -> VerifyError {
    VerifyError::NotThere { kind, name: name.to_owned() }
}

/// DK of the holder of `ik`, for the holder's own entry in ORG.
pub fn delivery_key(ik: &IdentityKey, org: &Org, identity: IdentityId) -> DeliveryKey {
    derive_delivery(ik, org.org, identity, org.epoch, &org.nonce)
}

#[cfg(test)]
mod tests;
