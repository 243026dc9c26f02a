//! Sessions: 256 random bits for the client, their SHA-256 in the database, 15 minutes (CRYPTO.md §2.9).

use keyward_wire::SessionToken;

use super::Proved;
use crate::random;
use crate::store::{NewSession, StoreError, Tx};

/// A new session of an identity that was just proved.
pub(crate) struct NewSessionToken {
    /// The session token, for the client, sent once.
    pub(crate) token: SessionToken,
    /// When the session ends.
    pub(crate) expires_at: i64,
}

/// Starts a session, and notes that the credential was used.
pub(crate) async fn start(tx: &mut Tx, proved: &Proved) -> Result<NewSessionToken, StoreError> {
    let token = SessionToken::from_random(&random::bytes::<32>());
    let (actor, now) = (&proved.actor, proved.now);
    let expires_at = now + SESSION_MS;
    tx.insert_session(&NewSession {
        token_sha256: token.hash(),
        org: actor.org,
        identity: actor.identity,
        credential: actor.credential,
        created_at: now,
        expires_at,
    })
    .await?;
    tx.touch_credential(actor.org, actor.credential, actor.identity, now).await?;
    Ok(NewSessionToken { token, expires_at })
}

const SESSION_MS: i64 = 15 * 60 * 1000;
