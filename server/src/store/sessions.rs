//! Sessions, and who is behind a proof: identity, credential and their ends, read anew for every request.

use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{CredentialId, IdentityId, OrgId, Sha256};

use super::credential_kind::credential_kind;
use super::engine::{Row, Tx, id, statements};
use super::{StoreError, identities};

/// A session to add.
pub struct NewSession {
    /// SHA-256 of the session's token.
    pub token_sha256: Sha256,
    /// The session's organisation.
    pub org: OrgId,
    /// The session's identity.
    pub identity: IdentityId,
    /// The credential that the session was made with.
    pub credential: CredentialId,
    /// When the credential proved itself.
    pub created_at: i64,
    /// When the session ends.
    pub expires_at: i64,
}

/// Who is behind a session or a credential. The ends are not checked yet.
#[derive(Debug, Clone, Copy)]
pub struct SignedIn {
    /// The identity.
    pub identity: IdentityId,
    /// The identity's kind.
    pub kind: IdentityKind,
    /// The identity's role.
    pub role: Role,
    /// When the identity ends.
    pub not_after: Option<i64>,
    /// The credential that proved it.
    pub credential: CredentialId,
    /// The credential's kind.
    pub credential_kind: CredentialKind,
    /// When the credential ends.
    pub credential_not_after: Option<i64>,
    /// When the session was made, and when it ends. `None` if a credential's own proof was given.
    pub session: Option<(i64, i64)>,
}

impl Tx {
    /// Adds a session, and deletes the organisation's sessions that have ended.
    pub async fn insert_session(&mut self, new: &NewSession) -> Result<(), StoreError> {
        self.execute(DELETE_ENDED, vec![id(new.org), new.created_at.into()]).await?;
        let args = vec![
            new.token_sha256.into(),
            id(new.org),
            id(new.identity),
            id(new.credential),
            new.created_at.into(),
            new.expires_at.into(),
        ];
        self.execute_one(INSERT, args).await
    }

    /// The organisation of a session. It only tells where to look further.
    pub async fn session_org(&mut self, token_sha256: Sha256) -> Result<Option<OrgId>, StoreError> {
        self.optional(ORG_OF, vec![token_sha256.into()]).await?.map(|row| row.id("org_id")).transpose()
    }

    /// Who holds the session.
    pub async fn session_holder(
        &mut self,
        org: OrgId,
        token_sha256: Sha256,
    ) -> Result<Option<SignedIn>, StoreError> {
        let Some(row) = self.optional(HOLDER, vec![id(org), token_sha256.into()]).await? else {
            return Ok(None);
        };
        let session = Some((row.int("session_created_at")?, row.int("session_expires_at")?));
        Ok(Some(SignedIn { session, ..signed_in(&row)? }))
    }

    /// Who holds the credential.
    pub async fn credential_holder(
        &mut self,
        org: OrgId,
        credential: CredentialId,
    ) -> Result<Option<SignedIn>, StoreError> {
        self.optional(CREDENTIAL_HOLDER, vec![id(org), id(credential)])
            .await?
            .as_ref()
            .map(signed_in)
            .transpose()
    }

    /// Ends a session.
    pub async fn delete_session(&mut self, org: OrgId, token_sha256: Sha256) -> Result<(), StoreError> {
        self.execute_one(DELETE, vec![id(org), token_sha256.into()]).await
    }
}

pub(super) fn signed_in(row: &Row) -> Result<SignedIn, StoreError> {
    Ok(SignedIn {
        identity: row.id("identity_id")?,
        kind: identities::kind(row)?,
        role: identities::role(row)?,
        not_after: row.maybe_int("not_after")?,
        credential: row.id("credential_id")?,
        credential_kind: credential_kind(row, "credential_kind")?,
        credential_not_after: row.maybe_int("credential_not_after")?,
        session: None,
    })
}

statements! {
    INSERT = "
        insert into sessions (token_sha256, org_id, identity_id, credential_id, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6)";
    ORG_OF = "select org_id from sessions where token_sha256 = $1";
    HOLDER = "
        select i.id as identity_id, i.kind, i.role, i.not_after,
            c.id as credential_id, c.kind as credential_kind, c.not_after as credential_not_after,
            s.created_at as session_created_at, s.expires_at as session_expires_at
        from sessions s
        join credentials c on c.id = s.credential_id
        join identities i on i.org_id = s.org_id and i.id = s.identity_id
        where s.org_id = $1 and s.token_sha256 = $2 and c.org_id = $1 and c.identity_id = s.identity_id";
    CREDENTIAL_HOLDER = "
        select i.id as identity_id, i.kind, i.role, i.not_after,
            c.id as credential_id, c.kind as credential_kind, c.not_after as credential_not_after
        from credentials c
        join identities i on i.org_id = c.org_id and i.id = c.identity_id
        where c.org_id = $1 and c.id = $2";
    DELETE = "delete from sessions where org_id = $1 and token_sha256 = $2";
    DELETE_ENDED = "delete from sessions where org_id = $1 and expires_at <= $2";
}
