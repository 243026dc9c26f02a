//! Sealed views of sets of groups and of gateways, and the grants that open them.

use keyward_wire::api::bundle::{GrantItem, ViewItem};

use super::StoreError;
use super::engine::{Tx, id, statements};
use crate::access::Permit;

impl Tx {
    /// GRANT of the identity that the permit is for, with the VIEW that it opens.
    pub async fn own_grant(&mut self, permit: &Permit) -> Result<Option<(GrantItem, ViewItem)>, StoreError> {
        let args = vec![id(permit.org()), id(permit.identity())];
        let Some(row) = self.optional(OWN, args).await? else { return Ok(None) };
        let grant = GrantItem {
            view: row.id("view_id")?,
            seq: row.count("grant_seq")?,
            env: row.envelope("grant_env")?,
        };
        Ok(Some((grant, ViewItem { seq: row.count("view_seq")?, env: row.envelope("view_env")? })))
    }

    /// Seq of the GRANT of the identity that the permit is for.
    pub async fn own_grant_seq(&mut self, permit: &Permit) -> Result<Option<u64>, StoreError> {
        let args = vec![id(permit.org()), id(permit.identity())];
        self.optional(OWN_SEQ, args).await?.map(|row| row.count("seq")).transpose()
    }
}

statements! {
    OWN_SEQ = "select seq from grants where org_id = $1 and identity_id = $2";
    OWN = "
        select g.view_id, g.seq as grant_seq, g.env as grant_env, v.seq as view_seq, v.env as view_env
        from grants g
        join views v on v.org_id = g.org_id and v.id = g.view_id
        where g.org_id = $1 and g.identity_id = $2";
}
