//! Networks from which people have signed in.

use std::net::IpAddr;

use keyward_wire::{IdentityId, OrgId};

use super::StoreError;
use super::engine::{Tx, id, statements};

impl Tx {
    /// Notes that an identity has signed in from this network. If it has many networks, the one not used for longest is
    /// forgotten.
    pub async fn remember_network(
        &mut self,
        org: OrgId,
        identity: IdentityId,
        network: IpAddr,
        now: i64,
    ) -> Result<(), StoreError> {
        let args = vec![id(org), id(identity), network.to_string().as_str().into(), now.into()];
        self.execute_one(PUT, args).await?;
        self.execute(FORGET_OLDEST, vec![id(org), id(identity)]).await?;
        Ok(())
    }

    /// Whether an identity has signed in from this network before.
    pub async fn knows_network(
        &mut self,
        org: OrgId,
        identity: IdentityId,
        network: IpAddr,
    ) -> Result<bool, StoreError> {
        let args = vec![id(org), id(identity), network.to_string().as_str().into()];
        Ok(self.optional(FIND, args).await?.is_some())
    }
}

statements! {
    PUT = "
        insert into networks (org_id, identity_id, network, seen_at)
        values ($1, $2, $3, $4)
        on conflict (org_id, identity_id, network) do update set seen_at = excluded.seen_at";
    FORGET_OLDEST = "
        delete from networks
        where org_id = $1 and identity_id = $2 and network not in (
            select n.network
            from networks n
            where n.org_id = $1 and n.identity_id = $2
            order by n.seen_at desc, n.network
            limit 64
        )";
    FIND = "select network from networks where org_id = $1 and identity_id = $2 and network = $3";
}
