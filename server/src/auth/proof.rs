//! Turns a session token or a credential's own proof into an [`Actor`], or refuses it.

use std::collections::BTreeSet;

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::{AuthHalf, CredentialId, Envelope, IdentityId, OrgId, SessionToken, Sha256};
use subtle::ConstantTimeEq as _;

use crate::access::{Actor, Session};
use crate::store::{OrgRow, SignedIn, StoreError, StoredCredential, Tx};

/// The claim of an `Authorization` header.
pub(crate) enum Proof {
    /// `Bearer kws_…`: the hash of the session token.
    Session(Sha256),
    /// `Keyward <cred>.<auth>`: a credential with its auth half.
    Credential(CredentialId, AuthHalf),
}

impl Proof {
    /// Reads the header's value. `None` if it has any other form.
    pub(crate) fn from_authorization(value: &str) -> Option<Self> {
        if let Ok(token) = SessionToken::from_authorization(value) {
            return Some(Self::Session(token.hash()));
        }
        let (credential, auth) = AuthHalf::from_authorization(value).ok()?;
        Some(Self::Credential(credential, auth))
    }
}

/// A credential's proof as the server may keep it: whoever sent it had the auth half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    /// The credential.
    pub(crate) credential: CredentialId,
    /// SHA-256 of the credential's auth half.
    verifier: Sha256,
}

impl Claim {
    /// That `auth` is the auth half of `credential`.
    pub(crate) fn new(credential: CredentialId, auth: &AuthHalf) -> Self {
        Self { credential, verifier: auth.verifier() }
    }
}

impl Proof {
    /// The claim of a credential's own proof. `None` if this is a session.
    pub(crate) fn claim(&self) -> Option<Claim> {
        match self {
            Self::Session(_) => None,
            Self::Credential(credential, auth) => Some(Claim::new(*credential, auth)),
        }
    }
}

/// Somebody who was proved, in an organisation that is locked from here on.
pub(crate) struct Proved {
    /// The organisation, locked.
    pub(crate) org: OrgRow,
    /// The identity that was proved, and how.
    pub(crate) actor: Actor,
    /// When identity, credential and session end.
    pub(crate) holder: SignedIn,
    /// CRED. `None` if a session was proved and not the credential itself.
    pub(crate) cred: Option<Envelope>,
    /// When the credential last proved itself before, as far as that was noted.
    pub(crate) last_used_at: Option<i64>,
    /// The present time, by the database's clock.
    pub(crate) now: i64,
}

/// Somebody whose claim holds, in whichever organisation.
pub(crate) struct Held {
    /// The identity that holds the claim.
    pub(crate) actor: Actor,
    /// CRED of the credential.
    pub(crate) cred: Envelope,
    /// When the credential last proved itself before, as far as that was noted.
    last_used_at: Option<i64>,
}

/// The outcome of checking a proof.
pub(crate) enum Verdict {
    /// The proof holds.
    Proved(Box<Proved>),
    /// The credential exists, but the proof is wrong or the credential has ended. The organisation is locked.
    Refused {
        /// The credential's organisation.
        org: Box<OrgRow>,
        /// The credential's identity.
        identity: IdentityId,
        /// The credential.
        credential: CredentialId,
        /// The present time, by the database's clock.
        now: i64,
    },
    /// The proof names nothing that the server knows.
    Unknown,
}

/// Checks a request's proof. A credential's own proof counts only if the credential is of kind token or device (CRYPTO.md §2.13
/// F4).
pub(crate) async fn authenticate(tx: &mut Tx, proof: &Proof) -> Result<Verdict, StoreError> {
    match proof {
        Proof::Session(token) => by_session(tx, *token).await,
        Proof::Credential(credential, auth) => prove(tx, *credential, auth, IN_REQUEST).await,
    }
}

/// Checks a credential's proof. `kinds` are the kinds of credential that count.
pub(crate) async fn prove(
    tx: &mut Tx,
    credential: CredentialId,
    auth: &AuthHalf,
    kinds: &[CredentialKind],
) -> Result<Verdict, StoreError> {
    let Some(org) = tx.credential_org(credential).await? else { return Ok(Verdict::Unknown) };
    let Some(org) = tx.lock_org(org).await? else { return Ok(Verdict::Unknown) };
    let now = tx.now().await?;
    let stored = tx.credential(org.id, credential).await?;
    let holder = tx.credential_holder(org.id, credential).await?;
    let (Some(stored), Some(holder)) = (stored, holder) else { return Ok(Verdict::Unknown) };

    if holds(&stored, auth.verifier(), kinds) && lives(&holder, now) {
        let actor = actor(org.id, &holder);
        let (cred, last_used_at) = (Some(stored.env), stored.last_used_at);
        return Ok(Verdict::Proved(Box::new(Proved { org, actor, holder, cred, last_used_at, now })));
    }
    Ok(Verdict::Refused { org: Box::new(org), identity: stored.identity, credential, now })
}

async fn by_session(tx: &mut Tx, token: Sha256) -> Result<Verdict, StoreError> {
    let Some(org) = tx.session_org(token).await? else { return Ok(Verdict::Unknown) };
    let Some(org) = tx.lock_org(org).await? else { return Ok(Verdict::Unknown) };
    let now = tx.now().await?;
    match tx.session_holder(org.id, token).await? {
        Some(holder) if lives(&holder, now) => {
            let actor = actor(org.id, &holder);
            let (cred, last_used_at) = (None, None);
            Ok(Verdict::Proved(Box::new(Proved { org, actor, holder, cred, last_used_at, now })))
        }
        _ => Ok(Verdict::Unknown),
    }
}

/// Checks many claims at once, for requests that carry them: returns who holds each, or `None` if it does not hold.
///
/// Unlike [`prove`], this locks nothing and does not say why a claim does not hold.
pub(crate) async fn hold(tx: &mut Tx, claims: &[Claim], now: i64) -> Result<Vec<Option<Held>>, StoreError> {
    let ids: BTreeSet<_> = claims.iter().map(|claim| claim.credential).collect();
    let stored = tx.credentials(&ids).await?;
    let held = |claim: &Claim| {
        let (stored, holder) = stored.get(&claim.credential)?;
        let holds = holds(stored, claim.verifier, IN_REQUEST) && lives(holder, now);
        let (cred, last_used_at) = (stored.env.clone(), stored.last_used_at);
        holds.then(|| Held { actor: actor(stored.org, holder), cred, last_used_at })
    };
    Ok(claims.iter().map(held).collect())
}

fn holds(stored: &StoredCredential, verifier: Sha256, kinds: &[CredentialKind]) -> bool {
    let right: bool = verifier.as_bytes().ct_eq(stored.auth_sha256.as_bytes()).into();
    right && kinds.contains(&stored.kind)
}

/// Notes that a credential was used, if the last such note is old: noting each use would make every read write two more rows.
pub(crate) async fn touch(
    tx: &mut Tx,
    actor: &Actor,
    last_used_at: Option<i64>,
    now: i64,
) -> Result<(), StoreError> {
    if last_used_at.is_none_or(|last| !(last..last.saturating_add(USE_NOTED_MS)).contains(&now)) {
        tx.touch_credential(actor.org, actor.credential, actor.identity, now).await?;
    }
    Ok(())
}

/// Notes the use of many credentials, each once.
pub(crate) async fn touch_all(
    tx: &mut Tx,
    used: impl Iterator<Item = Held>,
    now: i64,
) -> Result<(), StoreError> {
    let mut seen = BTreeSet::new();
    for held in used {
        if seen.insert(held.actor.credential) {
            touch(tx, &held.actor, held.last_used_at, now).await?;
        }
    }
    Ok(())
}

fn actor(org: OrgId, holder: &SignedIn) -> Actor {
    Actor {
        org,
        identity: holder.identity,
        kind: holder.kind,
        role: holder.role,
        credential: holder.credential,
        credential_kind: holder.credential_kind,
        session: holder.session.map(|(signed_in_at, _)| Session { signed_in_at }),
    }
}

fn lives(holder: &SignedIn, now: i64) -> bool {
    let ends = [holder.not_after, holder.credential_not_after, holder.session.map(|(_, end)| end)];
    ends.into_iter().flatten().all(|end| now < end)
}

/// The kinds of credential whose proof a request may carry (CRYPTO.md §2.13 F4).
const IN_REQUEST: &[CredentialKind] = &[CredentialKind::Token, CredentialKind::Device];

/// How long the note of a use counts for later uses: a minute.
const USE_NOTED_MS: i64 = 60 * 1000;
