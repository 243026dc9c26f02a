//! Stores a checked write as rows: rows that the difference removes are deleted, children first; rows that it adds or changes are
//! put, parents first; then the request's envelopes are stored, each in the place of the former one (CRYPTO.md §2.12 S1, S5).

use std::sync::LazyLock;

use keyward_wire::OrgId;
use keyward_wire::access::Audience;
use keyward_wire::api::write::{NewGrant, NewView, WriteRequest};

use super::StoreError;
use super::engine::{Arg, Tx, id, int, maybe_id, statements};
use super::many::Insert;
use crate::access::{Change, State};

impl Tx {
    /// Applies `change`, which was checked for `request` in this transaction.
    pub async fn apply(
        &mut self,
        change: &Change,
        request: &WriteRequest,
        now: i64,
    ) -> Result<(), StoreError> {
        self.supersedes = true;
        self.delete_rows(change).await?;
        self.put_people(change, now).await?;
        self.put_things(change).await?;
        self.put_agents(change).await?;
        self.put_envelopes(change, request, now).await?;
        let after = change.after();
        self.replace_org(change.org(), after.seq, &request.org, request.epoch.as_ref()).await
    }

    async fn delete_rows(&mut self, change: &Change) -> Result<(), StoreError> {
        let (org, diff) = (change.org(), change.diff());
        for identity in &diff.grants.removed {
            self.execute_one(DELETE_GRANT, vec![id(org), id(*identity)]).await?;
        }
        for view in &diff.views.removed {
            self.execute_one(DELETE_VIEW, vec![id(org), id(*view)]).await?;
        }
        for (agent, key) in &diff.agent_keys.removed {
            self.execute_one(DELETE_AGENT_KEY, vec![id(org), id(*agent), id(*key)]).await?;
        }
        for (group, agent) in &diff.agent_members.removed {
            self.execute_one(DELETE_AGENT_MEMBER, vec![id(org), id(*group), id(*agent)]).await?;
        }
        for agent in &diff.agents.removed {
            self.execute_one(DELETE_AGENT, vec![id(org), id(*agent)]).await?;
        }
        for (group, deployment, key) in &diff.exclusions.removed {
            self.execute_one(DELETE_EXCLUSION, vec![id(org), id(*group), id(*deployment), id(*key)]).await?;
        }
        for (group, deployment) in &diff.assignments.removed {
            self.execute_one(DELETE_ASSIGNMENT, vec![id(org), id(*group), id(*deployment)]).await?;
        }
        for mapping in &diff.mappings.removed {
            self.execute_one(DELETE_MAPPING, vec![id(org), id(*mapping)]).await?;
        }
        for deployment in &diff.deployments.removed {
            self.execute_one(DELETE_DEPLOYMENT, vec![id(org), id(*deployment)]).await?;
        }
        for (key, version) in &diff.secrets.removed {
            self.execute_one(DELETE_SECRET, vec![id(org), id(*key), int(*version)?]).await?;
        }
        for key in &diff.keys.removed {
            self.execute_one(DELETE_KEY, vec![id(org), id(*key)]).await?;
        }
        for (group, identity) in &diff.members.removed {
            self.execute_one(DELETE_MEMBER, vec![id(org), id(*group), id(*identity)]).await?;
        }
        for group in &diff.groups.removed {
            self.execute_one(DELETE_GROUP, vec![id(org), id(*group)]).await?;
        }
        for identity in &diff.escrows.removed {
            self.execute_one(DELETE_ESCROW, vec![id(org), id(*identity)]).await?;
        }
        for credential in &diff.credentials.removed {
            self.delete_credential(org, *credential).await?;
        }
        for identity in &diff.identities.removed {
            self.execute_one(DELETE_IDENTITY, vec![id(org), id(*identity)]).await?;
        }
        for (kind, holder) in change.dropped_roots() {
            self.delete_root(org, *kind, *holder).await?;
        }
        Ok(())
    }

    async fn put_people(&mut self, change: &Change, now: i64) -> Result<(), StoreError> {
        let (org, diff, after) = (change.org(), change.diff(), change.after());
        for identity in &diff.identities.added {
            self.insert_identity(org, *identity, &after.identities[identity], now).await?;
        }
        for identity in &diff.identities.changed {
            self.update_identity(org, *identity, &after.identities[identity]).await?;
        }
        for group in &diff.groups.added {
            self.execute_one(INSERT_GROUP, vec![id(org), id(*group)]).await?;
        }
        for (group, identity) in &diff.members.added {
            self.execute_one(INSERT_MEMBER, vec![id(org), id(*group), id(*identity)]).await?;
        }
        Ok(())
    }

    async fn put_agents(&mut self, change: &Change) -> Result<(), StoreError> {
        let (org, diff, after) = (change.org(), change.diff(), change.after());
        for agent in diff.agents.put() {
            let row = after.agents[&agent];
            let args =
                vec![id(org), id(agent), id(row.gateway), row.state.as_str().into(), row.not_after.into()];
            self.execute_one(PUT_AGENT, args).await?;
        }
        for (group, agent) in &diff.agent_members.added {
            self.execute_one(INSERT_AGENT_MEMBER, vec![id(org), id(*group), id(*agent)]).await?;
        }
        for (agent, key) in &diff.agent_keys.added {
            self.execute_one(INSERT_AGENT_KEY, vec![id(org), id(*agent), id(*key)]).await?;
        }
        Ok(())
    }

    async fn put_things(&mut self, change: &Change) -> Result<(), StoreError> {
        let (org, diff, after) = (change.org(), change.diff(), change.after());
        for key in diff.keys.put() {
            self.execute_one(PUT_KEY, vec![id(org), id(key), int(after.keys[&key].version)?]).await?;
        }
        for deployment in &diff.deployments.added {
            self.execute_one(INSERT_DEPLOYMENT, vec![id(org), id(*deployment)]).await?;
        }
        for mapping in diff.mappings.put() {
            let row = after.mappings[&mapping];
            self.execute_one(PUT_MAPPING, vec![id(org), id(mapping), id(row.deployment), id(row.key)])
                .await?;
        }
        for (group, deployment) in diff.assignments.put() {
            let new_keys = after.assignments[&(group, deployment)].as_str();
            let args = vec![id(org), id(group), id(deployment), new_keys.into()];
            self.execute_one(PUT_ASSIGNMENT, args).await?;
        }
        for (group, deployment, key) in &diff.exclusions.added {
            self.execute_one(INSERT_EXCLUSION, vec![id(org), id(*group), id(*deployment), id(*key)]).await?;
        }
        Ok(())
    }

    async fn put_envelopes(
        &mut self,
        change: &Change,
        request: &WriteRequest,
        now: i64,
    ) -> Result<(), StoreError> {
        let org = change.org();
        for secret in &request.secrets {
            let args = vec![
                id(org),
                id(secret.key),
                int(secret.version)?,
                int(secret.reseal)?,
                secret.env.sha256().into(),
                (&secret.env).into(),
                now.into(),
            ];
            self.execute_one(PUT_SECRET, args).await?;
        }
        for view in &request.views {
            self.put_view(org, change.after(), view).await?;
        }
        let grants: Result<_, _> = change.grants(request).map(grant_args).collect();
        self.insert_many(&PUT_GRANT, || vec![id(org)], grants?).await?;
        for credential in &request.credentials {
            self.insert_credential(org, credential, now).await?;
        }
        for escrow in &request.escrows {
            self.put_escrow(org, escrow).await?;
        }
        for root in &request.roots {
            self.put_root(org, root).await?;
        }
        Ok(())
    }

    async fn put_view(&mut self, org: OrgId, after: &State, view: &NewView) -> Result<(), StoreError> {
        let audience = &after.views[&view.id].audience;
        let set: Vec<u8> = match audience {
            Audience::Groups(groups) => groups.iter().flat_map(|group| *group.as_bytes()).collect(),
            Audience::Gateway(gateway) => gateway.as_bytes().to_vec(),
        };
        self.execute(FORGET_UNREAD_BUILD, vec![id(org), id(view.id)]).await?;
        let args = vec![
            id(org),
            id(view.id),
            set.as_slice().into(),
            int(view.seq)?,
            (&view.env).into(),
            maybe_id(view.gateway),
        ];
        self.execute_one(PUT_VIEW, args).await?;
        let seq = i64::try_from(view.seq).map_err(|_| StoreError::TooLarge)?;
        let readable = after.readable(audience, &after.facts());
        let keys = readable.keys().iter().map(|key| vec![id(*key)]).collect();
        self.insert_many(&INSERT_VIEW_KEY, || vec![id(org), id(view.id), seq.into()], keys).await
    }
}

fn grant_args(grant: &NewGrant) -> Result<Vec<Arg>, StoreError> {
    Ok(vec![id(grant.identity), id(grant.view), int(grant.seq)?, (&grant.env).into()])
}

static PUT_GRANT: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "insert into grants (org_id, identity_id, view_id, seq, env)",
        1,
        "on conflict (org_id, identity_id) do update
        set view_id = excluded.view_id, seq = excluded.seq, env = excluded.env",
    )
});

static INSERT_VIEW_KEY: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("insert into view_keys (org_id, view_id, seq, key_id)", 3, ""));

/// The inserts of many rows at once.
pub(super) fn inserts() -> Vec<&'static Insert> {
    vec![&PUT_GRANT, &INSERT_VIEW_KEY]
}

statements! {
    DELETE_GRANT = "delete from grants where org_id = $1 and identity_id = $2";
    DELETE_VIEW = "delete from views where org_id = $1 and id = $2";
    DELETE_EXCLUSION = "
        delete from exclusions
        where org_id = $1 and group_id = $2 and deployment_id = $3 and key_id = $4";
    DELETE_ASSIGNMENT = "delete from assignments where org_id = $1 and group_id = $2 and deployment_id = $3";
    DELETE_MAPPING = "delete from mappings where org_id = $1 and id = $2";
    DELETE_DEPLOYMENT = "delete from deployments where org_id = $1 and id = $2";
    DELETE_SECRET = "delete from secrets where org_id = $1 and key_id = $2 and version = $3";
    DELETE_KEY = "delete from keys where org_id = $1 and id = $2";
    DELETE_MEMBER = "delete from members where org_id = $1 and group_id = $2 and identity_id = $3";
    DELETE_GROUP = "delete from groups where org_id = $1 and id = $2";
    DELETE_ESCROW = "delete from escrows where org_id = $1 and identity_id = $2";
    DELETE_IDENTITY = "delete from identities where org_id = $1 and id = $2";
    DELETE_AGENT_KEY = "delete from agent_keys where org_id = $1 and agent_id = $2 and key_id = $3";
    DELETE_AGENT_MEMBER = "
        delete from agent_members
        where org_id = $1 and group_id = $2 and agent_id = $3";
    DELETE_AGENT = "delete from agents where org_id = $1 and id = $2";
    PUT_AGENT = "
        insert into agents (org_id, id, gateway_id, state, not_after)
        values ($1, $2, $3, $4, $5)
        on conflict (org_id, id) do update
        set gateway_id = excluded.gateway_id, state = excluded.state, not_after = excluded.not_after";
    INSERT_AGENT_MEMBER = "insert into agent_members (org_id, group_id, agent_id) values ($1, $2, $3)";
    INSERT_AGENT_KEY = "insert into agent_keys (org_id, agent_id, key_id) values ($1, $2, $3)";
    INSERT_GROUP = "insert into groups (org_id, id) values ($1, $2)";
    INSERT_MEMBER = "insert into members (org_id, group_id, identity_id) values ($1, $2, $3)";
    PUT_KEY = "
        insert into keys (org_id, id, version)
        values ($1, $2, $3)
        on conflict (org_id, id) do update set version = excluded.version";
    INSERT_DEPLOYMENT = "insert into deployments (org_id, id) values ($1, $2)";
    PUT_MAPPING = "
        insert into mappings (org_id, id, deployment_id, key_id)
        values ($1, $2, $3, $4)
        on conflict (org_id, id) do update
        set deployment_id = excluded.deployment_id, key_id = excluded.key_id";
    PUT_ASSIGNMENT = "
        insert into assignments (org_id, group_id, deployment_id, new_keys)
        values ($1, $2, $3, $4)
        on conflict (org_id, group_id, deployment_id) do update set new_keys = excluded.new_keys";
    INSERT_EXCLUSION = "
        insert into exclusions (org_id, group_id, deployment_id, key_id)
        values ($1, $2, $3, $4)";
    PUT_SECRET = "
        insert into secrets (org_id, key_id, version, reseal, sha256, env, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (org_id, key_id, version) do update
        set reseal = excluded.reseal, sha256 = excluded.sha256, env = excluded.env";
    PUT_VIEW = "
        insert into views (org_id, id, groups, seq, env, gateway_id)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (org_id, id) do update
        set groups = excluded.groups, seq = excluded.seq, env = excluded.env";
    // Forgets the build before the one that is replaced now: a read of the replaced build may still be on its way into the audit.
    FORGET_UNREAD_BUILD = "
        delete from view_keys
        where org_id = $1 and view_id = $2
            and seq = (
                select max(k.seq)
                from view_keys k
                join views v on v.org_id = k.org_id and v.id = k.view_id
                where k.org_id = $1 and k.view_id = $2 and k.seq < v.seq
            )
            and not exists (
                select 1
                from audit_objects o
                where o.org_id = $1 and o.kind = 'view' and o.object_id = $2 and o.view_seq = view_keys.seq
            )";
}
