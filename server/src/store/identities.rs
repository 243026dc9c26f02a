//! People, API users and gateways.

use keyward_wire::api::identities::IdentityInfo;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::Email;
use keyward_wire::{IdentityId, OrgId};

use super::StoreError;
use super::engine::{Row, Tx, id, statements};
use crate::access::Permit;
use crate::access::state::Identity;

impl Tx {
    /// Adds an identity.
    pub async fn insert_identity(
        &mut self,
        org: OrgId,
        identity: IdentityId,
        row: &Identity,
        now: i64,
    ) -> Result<(), StoreError> {
        let args = vec![
            id(org),
            id(identity),
            row.kind.as_str().into(),
            row.role.as_str().into(),
            row.email.as_ref().map(Email::as_str).into(),
            row.not_after.into(),
            now.into(),
        ];
        self.execute_one(INSERT, args).await
    }

    /// Changes the columns of an identity that may change.
    pub(super) async fn update_identity(
        &mut self,
        org: OrgId,
        identity: IdentityId,
        row: &Identity,
    ) -> Result<(), StoreError> {
        let args = vec![
            id(org),
            id(identity),
            row.role.as_str().into(),
            row.email.as_ref().map(Email::as_str).into(),
            row.not_after.into(),
        ];
        self.execute_one(UPDATE, args).await
    }

    /// Notes that one of an identity's credentials has just proved itself.
    pub(super) async fn touch_identity(
        &mut self,
        org: OrgId,
        identity: IdentityId,
        now: i64,
    ) -> Result<(), StoreError> {
        self.execute_one(TOUCH, vec![id(org), id(identity), now.into()]).await
    }

    /// All identities of the permit's organisation, oldest first.
    pub async fn identities(&mut self, permit: &Permit) -> Result<Vec<IdentityInfo>, StoreError> {
        let rows = self.all(LIST, vec![id(permit.org())]).await?;
        rows.iter().map(info).collect()
    }
}

fn info(row: &Row) -> Result<IdentityInfo, StoreError> {
    Ok(IdentityInfo {
        id: row.id("id")?,
        kind: kind(row)?,
        role: role(row)?,
        created_at: row.int("created_at")?,
        not_after: row.maybe_int("not_after")?,
        last_used_at: row.maybe_int("last_used_at")?,
    })
}

pub(super) fn kind(row: &Row) -> Result<IdentityKind, StoreError> {
    let all = [IdentityKind::Human, IdentityKind::Api, IdentityKind::Gateway];
    row.word("kind", &all, IdentityKind::as_str)
}

pub(super) fn role(row: &Row) -> Result<Role, StoreError> {
    row.word("role", &[Role::Owner, Role::Admin, Role::User, Role::Viewer], Role::as_str)
}

statements! {
    INSERT = "
        insert into identities (org_id, id, kind, role, email, not_after, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    UPDATE = "
        update identities
        set role = $3, email = $4, not_after = $5
        where org_id = $1 and id = $2";
    TOUCH = "update identities set last_used_at = $3 where org_id = $1 and id = $2";
    LIST = "
        select id, kind, role, created_at, not_after, last_used_at
        from identities
        where org_id = $1
        order by created_at, id";
}
