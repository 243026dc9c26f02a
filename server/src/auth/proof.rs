//! A session or a credential's own proof becomes an [`Actor`], or nothing.

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::{AuthHalf, CredentialId, Envelope, IdentityId, SessionToken, Sha256};
use subtle::ConstantTimeEq as _;

use crate::access::{Actor, Session};
use crate::store::{OrgRow, SignedIn, StoreError, Tx};

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
    /// Now, by the database's clock.
    pub(crate) now: i64,
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
        Proof::Credential(credential, auth) => {
            prove(tx, *credential, auth, &[CredentialKind::Token, CredentialKind::Device]).await
        }
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

    let right: bool = auth.verifier().as_bytes().ct_eq(stored.auth_sha256.as_bytes()).into();
    if right && lives(&holder, now) && kinds.contains(&stored.kind) {
        let actor = actor(&org, &holder);
        return Ok(Verdict::Proved(Box::new(Proved { org, actor, holder, cred: Some(stored.env), now })));
    }
    Ok(Verdict::Refused { org: Box::new(org), identity: stored.identity, credential, now })
}

async fn by_session(tx: &mut Tx, token: Sha256) -> Result<Verdict, StoreError> {
    let Some(org) = tx.session_org(token).await? else { return Ok(Verdict::Unknown) };
    let Some(org) = tx.lock_org(org).await? else { return Ok(Verdict::Unknown) };
    let now = tx.now().await?;
    match tx.session_holder(org.id, token).await? {
        Some(holder) if lives(&holder, now) => {
            let actor = actor(&org, &holder);
            Ok(Verdict::Proved(Box::new(Proved { org, actor, holder, cred: None, now })))
        }
        _ => Ok(Verdict::Unknown),
    }
}

fn actor(org: &OrgRow, holder: &SignedIn) -> Actor {
    Actor {
        org: org.id,
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
