//! A session or a credential's own proof becomes an [`Actor`], or nothing.

use std::collections::BTreeSet;

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::{AuthHalf, CredentialId, Envelope, IdentityId, OrgId, SessionToken, Sha256};
use subtle::ConstantTimeEq as _;

use crate::access::{Actor, Session};
use crate::store::{OrgRow, SignedIn, StoreError, StoredCredential, Tx};

/// What an `Authorization` header claims.
pub(crate) enum Proof {
    /// `Bearer kws_…`: hash of the session token.
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

/// A credential's proof as the server keeps it: whoever has sent this once had the auth half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    /// Which credential.
    pub(crate) credential: CredentialId,
    /// SHA-256 of its auth half.
    verifier: Sha256,
}

impl Claim {
    /// That `auth` is the auth half of `credential`.
    pub(crate) fn new(credential: CredentialId, auth: &AuthHalf) -> Self {
        Self { credential, verifier: auth.verifier() }
    }
}

impl Proof {
    /// What the request's own proof claims; none if it has a session.
    pub(crate) fn claim(&self) -> Option<Claim> {
        match self {
            Self::Session(_) => None,
            Self::Credential(credential, auth) => Some(Claim::new(*credential, auth)),
        }
    }
}

/// Somebody, in an organisation that is locked from here on.
pub(crate) struct Proved {
    /// The organisation.
    pub(crate) org: OrgRow,
    /// Who.
    pub(crate) actor: Actor,
    /// When identity, credential and session end.
    pub(crate) holder: SignedIn,
    /// CRED, where the credential itself was proved.
    pub(crate) cred: Option<Envelope>,
    /// When the credential last proved itself before, as far as that was noted.
    pub(crate) last_used_at: Option<i64>,
    /// Now, by the database's clock.
    pub(crate) now: i64,
}

/// Somebody whose claim holds, in whichever organisation.
pub(crate) struct Held {
    /// Who.
    pub(crate) actor: Actor,
    /// CRED.
    pub(crate) cred: Envelope,
    /// When the credential last proved itself before, as far as that was noted.
    last_used_at: Option<i64>,
}

/// What a look at a proof said.
pub(crate) enum Verdict {
    /// It holds.
    Proved(Box<Proved>),
    /// It is of a credential that is known, and does not hold, or that has ended. The organisation is locked.
    Refused {
        /// Of which organisation.
        org: Box<OrgRow>,
        /// Of whom.
        identity: IdentityId,
        /// Of which credential.
        credential: CredentialId,
        /// Now, by the database's clock.
        now: i64,
    },
    /// It is of nothing that the server knows.
    Unknown,
}

/// Looks at a request's proof. Credentials count here only if they are of kind token or device (CRYPTO.md §2.13 F4).
pub(crate) async fn authenticate(tx: &mut Tx, proof: &Proof) -> Result<Verdict, StoreError> {
    match proof {
        Proof::Session(token) => by_session(tx, *token).await,
        Proof::Credential(credential, auth) => prove(tx, *credential, auth, IN_REQUEST).await,
    }
}

/// Looks at a credential's proof; `kinds` are those that count.
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

/// Looks at many claims at once, for requests that carry them: who holds each, if it holds.
///
/// Unlike [`prove`], locks nothing and says nothing about why not.
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

/// Notes that a credential was used, if the last note is old: to note each use would cost every read two more rows.
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

/// The same for many, each credential once.
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

/// Kinds that a request may carry the proof of (CRYPTO.md §2.13 F4).
const IN_REQUEST: &[CredentialKind] = &[CredentialKind::Token, CredentialKind::Device];

/// For how long the note of a use counts for later ones: a minute.
const USE_NOTED_MS: i64 = 60 * 1000;
