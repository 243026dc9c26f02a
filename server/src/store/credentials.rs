//! Credentials: ways to sign in.

use std::collections::{BTreeSet, HashMap};

use keyward_wire::api::credentials::{CredentialInfo, CredentialKind, NewCredential};
use keyward_wire::name::Email;
use keyward_wire::{CredentialId, Envelope, IdentityId, OrgId, Salt, Sha256};

use super::credential_kind::credential_kind;
use super::engine::{Row, Tx, id, statements};
use super::{SignedIn, StoreError, sessions};
use crate::access::Permit;

/// A stored credential, with which a proof is compared.
pub struct StoredCredential {
    /// The credential's organisation.
    pub org: OrgId,
    /// The identity that the credential belongs to.
    pub identity: IdentityId,
    /// The credential's kind.
    pub kind: CredentialKind,
    /// SHA-256 of the credential's auth half.
    pub auth_sha256: Sha256,
    /// CRED or RECOVERY: for a caller who has proved the auth half, and nobody else.
    pub env: Envelope,
    /// When the credential last proved itself, as far as that was noted.
    pub last_used_at: Option<i64>,
}

impl Tx {
    /// Adds a credential.
    pub async fn insert_credential(
        &mut self,
        org: OrgId,
        new: &NewCredential,
        now: i64,
    ) -> Result<(), StoreError> {
        let args = vec![
            id(new.id),
            id(org),
            id(new.identity),
            new.kind.as_str().into(),
            new.salt.into(),
            new.auth_sha256.into(),
            (&new.env).into(),
            new.not_after.into(),
            now.into(),
        ];
        self.execute_one(INSERT, args).await
    }

    /// The organisation that a credential belongs to. It only tells where to look further.
    pub async fn credential_org(&mut self, credential: CredentialId) -> Result<Option<OrgId>, StoreError> {
        self.optional(ORG_OF, vec![id(credential)]).await?.map(|row| row.id("org_id")).transpose()
    }

    /// A credential of this organisation, ended or not.
    pub async fn credential(
        &mut self,
        org: OrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredCredential>, StoreError> {
        let row = self.optional(FIND, vec![id(org), id(credential)]).await?;
        row.as_ref().map(stored).transpose()
    }

    /// Those of these credentials that exist, ended or not, in whichever organisation, and who holds each.
    pub async fn credentials(
        &mut self,
        wanted: &BTreeSet<CredentialId>,
    ) -> Result<HashMap<CredentialId, (StoredCredential, SignedIn)>, StoreError> {
        let wanted: Vec<CredentialId> = wanted.iter().copied().collect();
        let mut found = HashMap::with_capacity(wanted.len());
        for some in wanted.chunks(BATCH) {
            // The statement has a fixed number of places; the last id is repeated in those that are left.
            let last = *some.last().expect("chunks are not empty");
            let mut args: Vec<_> = some.iter().map(|credential| id(*credential)).collect();
            args.resize_with(BATCH, || id(last));
            for row in self.all(FIND_MANY, args).await? {
                let holder = sessions::signed_in(&row)?;
                found.insert(holder.credential, (stored(&row)?, holder));
            }
        }
        Ok(found)
    }

    /// Newest password credential of an e-mail, on the whole server: its id and salt.
    pub async fn password_of(&mut self, email: &Email) -> Result<Option<(CredentialId, Salt)>, StoreError> {
        let Some(row) = self.optional(PASSWORD_OF, vec![email.as_str().into()]).await? else {
            return Ok(None);
        };
        Ok(Some((row.id("id")?, Salt::from_bytes(row.array("salt")?))))
    }

    /// Notes that a credential has just proved itself.
    pub async fn touch_credential(
        &mut self,
        org: OrgId,
        credential: CredentialId,
        identity: IdentityId,
        now: i64,
    ) -> Result<(), StoreError> {
        self.execute_one(TOUCH, vec![id(org), id(credential), now.into()]).await?;
        self.touch_identity(org, identity, now).await
    }

    /// The credentials of the identity that the permit is for, oldest first.
    pub async fn own_credentials(&mut self, permit: &Permit) -> Result<Vec<CredentialInfo>, StoreError> {
        let rows = self.all(LIST, vec![id(permit.org()), id(permit.identity())]).await?;
        rows.iter().map(info).collect()
    }

    /// The permit holder's own devices but for so many: of those that have not ended at `now` (milliseconds UTC) the newest, then of
    /// those that have.
    pub async fn devices_beyond(
        &mut self,
        permit: &Permit,
        kept: i64,
        now: i64,
    ) -> Result<Vec<CredentialId>, StoreError> {
        let args = vec![id(permit.org()), id(permit.identity()), kept.into(), now.into()];
        self.all(DEVICES_BEYOND, args).await?.iter().map(|row| row.id("id")).collect()
    }

    /// The organisation's recovery kits, and whose they are.
    pub async fn recovery_kits(&mut self, org: OrgId) -> Result<Vec<(IdentityId, CredentialId)>, StoreError> {
        let rows = self.all(KITS, vec![id(org)]).await?;
        rows.iter().map(|row| Ok((row.id("identity_id")?, row.id("id")?))).collect()
    }

    /// Deletes a credential of this organisation, and the sessions made with it. False if there was none.
    pub async fn delete_credential(
        &mut self,
        org: OrgId,
        credential: CredentialId,
    ) -> Result<bool, StoreError> {
        self.supersedes = true;
        Ok(self.execute(DELETE, vec![id(org), id(credential)]).await? == 1)
    }
}

fn stored(row: &Row) -> Result<StoredCredential, StoreError> {
    Ok(StoredCredential {
        org: row.id("org_id")?,
        identity: row.id("identity_id")?,
        kind: credential_kind(row, "credential_kind")?,
        auth_sha256: row.sha256("auth_sha256")?,
        env: row.envelope("env")?,
        last_used_at: row.maybe_int("last_used_at")?,
    })
}

fn info(row: &Row) -> Result<CredentialInfo, StoreError> {
    Ok(CredentialInfo {
        id: row.id("id")?,
        kind: credential_kind(row, "kind")?,
        created_at: row.int("created_at")?,
        not_after: row.maybe_int("not_after")?,
        last_used_at: row.maybe_int("last_used_at")?,
    })
}

/// The number of credentials that one [`FIND_MANY`] asks for.
const BATCH: usize = 32;

statements! {
    INSERT = "
        insert into credentials (id, org_id, identity_id, kind, salt, auth_sha256, env, not_after, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    ORG_OF = "select org_id from credentials where id = $1";
    FIND = "
        select org_id, identity_id, kind as credential_kind, auth_sha256, env, last_used_at
        from credentials
        where org_id = $1 and id = $2";
    FIND_MANY = "
        select c.org_id, c.identity_id, i.kind, i.role, i.not_after,
            c.id as credential_id, c.kind as credential_kind, c.not_after as credential_not_after,
            c.auth_sha256, c.env, c.last_used_at
        from credentials c
        join identities i on i.org_id = c.org_id and i.id = c.identity_id
        where c.id in (
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32
        )";
    PASSWORD_OF = "
        select c.id, c.salt
        from identities i
        join credentials c on c.org_id = i.org_id and c.identity_id = i.id
        where i.email = $1 and c.kind = 'password'
        order by c.created_at desc, c.id
        limit 1";
    TOUCH = "update credentials set last_used_at = $3 where org_id = $1 and id = $2";
    LIST = "
        select id, kind, created_at, not_after, last_used_at
        from credentials
        where org_id = $1 and identity_id = $2
        order by created_at, id";
    DEVICES_BEYOND = "
        select id
        from credentials
        where org_id = $1 and identity_id = $2 and kind = 'device' and id not in (
            select id
            from credentials
            where org_id = $1 and identity_id = $2 and kind = 'device'
            order by case when not_after > $4 then 0 else 1 end, created_at desc, id
            limit $3)";
    KITS = "select id, identity_id from credentials where org_id = $1 and kind = 'recovery' order by id";
    DELETE = "delete from credentials where org_id = $1 and id = $2";
}
