//! All relations of an organisation at once, which a write is checked against.

use std::collections::BTreeSet;

use keyward_wire::access::Audience;
use keyward_wire::api::write::{AgentState, NewKeys};
use keyward_wire::{GroupId, KeyId};

use super::credential_kind::credential_kind;
use super::engine::{Row, Tx, id, statements};
use super::{OrgRow, StoreError, identities};
use crate::access::State;
use crate::access::state::{Agent, Credential, Escrow, Grant, Identity, Key, Mapping, View};

impl Tx {
    /// The state of a locked organisation.
    pub async fn state(&mut self, org: &OrgRow) -> Result<State, StoreError> {
        let here = || vec![id(org.id)];
        let mut state = State { seq: org.seq, epoch: org.epoch, ..State::empty(org.id) };
        for row in self.all(IDENTITIES, here()).await? {
            state.identities.insert(row.id("id")?, identity(&row)?);
        }
        for row in self.all(GROUPS, here()).await? {
            state.groups.insert(row.id("id")?);
        }
        for row in self.all(MEMBERS, here()).await? {
            state.members.insert((row.id("group_id")?, row.id("identity_id")?));
        }
        for row in self.all(SECRETS, here()).await? {
            add_version(state.keys.entry(row.id::<KeyId>("key_id")?).or_default(), &row)?;
        }
        for row in self.all(DEPLOYMENTS, here()).await? {
            state.deployments.insert(row.id("id")?);
        }
        for row in self.all(MAPPINGS, here()).await? {
            let mapping = Mapping { deployment: row.id("deployment_id")?, key: row.id("key_id")? };
            state.mappings.insert(row.id("id")?, mapping);
        }
        for row in self.all(ASSIGNMENTS, here()).await? {
            let new_keys = row.word("new_keys", &NewKeys::ALL, NewKeys::as_str)?;
            state.assignments.insert((row.id("group_id")?, row.id("deployment_id")?), new_keys);
        }
        for row in self.all(EXCLUSIONS, here()).await? {
            state.exclusions.insert((row.id("group_id")?, row.id("deployment_id")?, row.id("key_id")?));
        }
        for row in self.all(VIEWS, here()).await? {
            let audience = audience(&row)?;
            let view = View { audience, seq: row.count("seq")?, bytes: row.size("bytes")? };
            state.views.insert(row.id("id")?, view);
        }
        for row in self.all(GRANTS, here()).await? {
            let grant = Grant { view: row.id("view_id")?, seq: row.count("seq")? };
            state.grants.insert(row.id("identity_id")?, grant);
        }
        for row in self.all(CREDENTIALS, here()).await? {
            let credential =
                Credential { identity: row.id("identity_id")?, kind: credential_kind(&row, "kind")? };
            state.credentials.insert(row.id("id")?, credential);
        }
        for row in self.all(ESCROWS, here()).await? {
            let escrow = Escrow { creator: row.maybe_id("creator_id")?, ik_gen: row.count("ik_gen")? };
            state.escrows.insert(row.id("identity_id")?, escrow);
        }
        for row in self.all(AGENTS, here()).await? {
            state.agents.insert(row.id("id")?, agent(&row)?);
        }
        for row in self.all(AGENT_MEMBERS, here()).await? {
            state.agent_members.insert((row.id("group_id")?, row.id("agent_id")?));
        }
        for row in self.all(AGENT_KEYS, here()).await? {
            state.agent_keys.insert((row.id("agent_id")?, row.id("key_id")?));
        }
        Ok(state)
    }
}

pub(super) fn agent(row: &Row) -> Result<Agent, StoreError> {
    Ok(Agent {
        gateway: row.id("gateway_id")?,
        state: row.word("state", &[AgentState::Active, AgentState::Suspended], AgentState::as_str)?,
        not_after: row.maybe_int("not_after")?,
    })
}

fn audience(row: &Row) -> Result<Audience, StoreError> {
    match row.maybe_id("gateway_id")? {
        Some(gateway) => Ok(Audience::Gateway(gateway)),
        None => Ok(Audience::Groups(groups(row)?)),
    }
}

fn identity(row: &Row) -> Result<Identity, StoreError> {
    let email = row.maybe_text("email")?.map(|text| text.parse());
    Ok(Identity {
        kind: identities::kind(row)?,
        role: identities::role(row)?,
        not_after: row.maybe_int("not_after")?,
        email: email.transpose().map_err(|_| StoreError::Inconsistent { column: "email" })?,
    })
}

fn add_version(key: &mut Key, row: &Row) -> Result<(), StoreError> {
    let (version, reseal) = (row.count("version")?, row.count("reseal")?);
    if row.count("current_version")? == version {
        key.version = version;
        key.reseal = reseal;
        key.bytes = row.size("bytes")?;
    } else {
        key.old.insert(version, reseal);
    }
    Ok(())
}

fn groups(row: &Row) -> Result<BTreeSet<GroupId>, StoreError> {
    let bytes = row.bytes("groups")?;
    let (ids, rest) = bytes.as_chunks::<16>();
    if rest.is_empty() {
        Ok(ids.iter().copied().map(GroupId::from_bytes).collect())
    } else {
        Err(StoreError::Inconsistent { column: "groups" })
    }
}

statements! {
    IDENTITIES = "select id, kind, role, not_after, email from identities where org_id = $1";
    GROUPS = "select id from groups where org_id = $1";
    MEMBERS = "select group_id, identity_id from members where org_id = $1";
    SECRETS = "
        select s.key_id, s.version, s.reseal, k.version as current_version, cast(length(s.env) as bigint) as bytes
        from keys k
        join secrets s on s.org_id = k.org_id and s.key_id = k.id
        where k.org_id = $1";
    DEPLOYMENTS = "select id from deployments where org_id = $1";
    MAPPINGS = "select id, deployment_id, key_id from mappings where org_id = $1";
    ASSIGNMENTS = "select group_id, deployment_id, new_keys from assignments where org_id = $1";
    EXCLUSIONS = "select group_id, deployment_id, key_id from exclusions where org_id = $1";
    VIEWS = "select id, groups, gateway_id, seq, cast(length(env) as bigint) as bytes from views where org_id = $1";
    GRANTS = "select identity_id, view_id, seq from grants where org_id = $1";
    CREDENTIALS = "select id, identity_id, kind from credentials where org_id = $1";
    ESCROWS = "select identity_id, creator_id, ik_gen from escrows where org_id = $1";
    AGENTS = "select id, gateway_id, state, not_after from agents where org_id = $1";
    AGENT_MEMBERS = "select group_id, agent_id from agent_members where org_id = $1";
    AGENT_KEYS = "select agent_id, key_id from agent_keys where org_id = $1";
}
