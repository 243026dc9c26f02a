//! The relations of one organisation as plain data: opaque ids, no name, no blob.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::access::{Audience, Facts, MappingFact, Readable, readable};
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::{AgentState, NewKeys};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::Email;
use keyward_wire::{
    AgentId, CredentialId, DeploymentId, GroupId, IdentityId, KeyId, MappingId, OrgId, ViewId,
};

/// Everything a write is checked against, of one organisation and from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The organisation's id.
    pub org: OrgId,
    /// Seq of the organisation's ORG.
    pub seq: u64,
    /// The organisation's epoch.
    pub epoch: u64,
    /// The organisation's identities, the expired included.
    pub identities: BTreeMap<IdentityId, Identity>,
    /// The organisation's groups.
    pub groups: BTreeSet<GroupId>,
    /// Memberships: which identity is in which group.
    pub members: BTreeSet<(GroupId, IdentityId)>,
    /// The organisation's keys and their stored versions.
    pub keys: BTreeMap<KeyId, Key>,
    /// The organisation's deployments.
    pub deployments: BTreeSet<DeploymentId>,
    /// Mappings: which key is mapped in which deployment.
    pub mappings: BTreeMap<MappingId, Mapping>,
    /// Assignments: which deployment is assigned to which group.
    pub assignments: BTreeMap<(GroupId, DeploymentId), NewKeys>,
    /// Exclusions: which key of an assigned deployment a group may not read.
    pub exclusions: BTreeSet<(GroupId, DeploymentId, KeyId)>,
    /// The organisation's stored views.
    pub views: BTreeMap<ViewId, View>,
    /// The stored grant of each identity.
    pub grants: BTreeMap<IdentityId, Grant>,
    /// All credentials of all identities.
    pub credentials: BTreeMap<CredentialId, Credential>,
    /// The stored escrow of each identity.
    pub escrows: BTreeMap<IdentityId, Escrow>,
    /// Agents of the organisation's gateways, the suspended and expired included.
    pub agents: BTreeMap<AgentId, Agent>,
    /// Memberships of agents: which agent is in which group.
    pub agent_members: BTreeSet<(GroupId, AgentId)>,
    /// Grants of keys to agents.
    pub agent_keys: BTreeSet<(AgentId, KeyId)>,
}

impl State {
    /// An organisation with nothing in it.
    pub fn empty(org: OrgId) -> Self {
        Self {
            org,
            seq: 0,
            epoch: 1,
            identities: BTreeMap::new(),
            groups: BTreeSet::new(),
            members: BTreeSet::new(),
            keys: BTreeMap::new(),
            deployments: BTreeSet::new(),
            mappings: BTreeMap::new(),
            assignments: BTreeMap::new(),
            exclusions: BTreeSet::new(),
            views: BTreeMap::new(),
            grants: BTreeMap::new(),
            credentials: BTreeMap::new(),
            escrows: BTreeMap::new(),
            agents: BTreeMap::new(),
            agent_members: BTreeSet::new(),
            agent_keys: BTreeSet::new(),
        }
    }

    /// The facts that the access rule looks at.
    pub fn facts(&self) -> Facts {
        let mapping = |(id, mapping): (&MappingId, &Mapping)| MappingFact {
            id: *id,
            deployment: mapping.deployment,
            key: mapping.key,
        };
        Facts {
            mappings: self.mappings.iter().map(mapping).collect(),
            assignments: self.assignments.keys().copied().collect(),
            exclusions: self.exclusions.clone(),
        }
    }

    /// The groups of each identity that reads by the access rule, the expired included: of everybody but owners and admins.
    pub fn readers(&self) -> BTreeMap<IdentityId, BTreeSet<GroupId>> {
        let by_the_rule = |(id, identity): (&IdentityId, &Identity)| {
            (!identity.role.administers()).then_some((*id, BTreeSet::new()))
        };
        let mut readers: BTreeMap<_, BTreeSet<_>> = self.identities.iter().filter_map(by_the_rule).collect();
        for (group, member) in &self.members {
            if let Some(groups) = readers.get_mut(member) {
                groups.insert(*group);
            }
        }
        readers
    }

    /// For each of `readers`, the audience whose view it reads.
    pub fn audiences(
        &self,
        readers: &BTreeMap<IdentityId, BTreeSet<GroupId>>,
    ) -> BTreeMap<IdentityId, Audience> {
        let audience = |(id, groups): (&IdentityId, &BTreeSet<GroupId>)| {
            Some((*id, Audience::of(self.identities.get(id)?.kind, *id, groups)))
        };
        readers.iter().filter_map(audience).collect()
    }

    /// What an audience may read; `facts` are the facts of this state.
    pub fn readable(&self, audience: &Audience, facts: &Facts) -> Readable {
        match audience {
            Audience::Groups(groups) => readable(groups, facts),
            Audience::Gateway(gateway) => {
                let own = self.members.iter().filter(|(_, member)| member == gateway);
                readable(&own.map(|(group, _)| *group).collect(), facts)
            }
        }
    }

    /// The agents of a gateway.
    pub fn agents_of(&self, gateway: IdentityId) -> impl Iterator<Item = (AgentId, &Agent)> {
        self.agents.iter().filter(move |(_, agent)| agent.gateway == gateway).map(|(id, agent)| (*id, agent))
    }

    /// For each agent, its groups and the keys granted to it.
    pub fn relations_of_agents(&self) -> BTreeMap<AgentId, (BTreeSet<GroupId>, BTreeSet<KeyId>)> {
        let mut relations: BTreeMap<AgentId, (BTreeSet<_>, BTreeSet<_>)> = BTreeMap::new();
        for (group, agent) in &self.agent_members {
            relations.entry(*agent).or_default().0.insert(*group);
        }
        for (agent, key) in &self.agent_keys {
            relations.entry(*agent).or_default().1.insert(*key);
        }
        relations
    }
}

/// A human, API user or gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The identity's kind.
    pub kind: IdentityKind,
    /// The identity's role: what it may do.
    pub role: Role,
    /// When the identity ends, in milliseconds UTC. `None` if it never ends.
    pub not_after: Option<i64>,
    /// The identity's e-mail address, for humans.
    pub email: Option<Email>,
}

impl Identity {
    /// Whether the identity has not ended at `now` (milliseconds UTC).
    pub fn is_active(&self, now: i64) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

/// A client of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// The gateway that serves the agent.
    pub gateway: IdentityId,
    /// Whether the agent is served.
    pub state: AgentState,
    /// When the agent ends, in milliseconds UTC. `None` if it never ends.
    pub not_after: Option<i64>,
}

impl Agent {
    /// Whether the agent is served at `now` (milliseconds UTC).
    pub fn is_served(&self, now: i64) -> bool {
        self.state == AgentState::Active && self.not_after.is_none_or(|end| now < end)
    }
}

/// The versions of a key that are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// Current version, from 1.
    pub version: u64,
    /// How often the current version was resealed.
    pub reseal: u64,
    /// Size of the current version's envelope, in bytes.
    pub bytes: usize,
    /// Old versions that are kept, each with its number of reseals.
    pub old: BTreeMap<u64, u64>,
}

/// A key's place in a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The key.
    pub key: KeyId,
}

/// A stored view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The groups or the gateway that the view is for.
    pub audience: Audience,
    /// Seq of the write that built the view.
    pub seq: u64,
    /// Size of the view's envelope, in bytes.
    pub bytes: usize,
}

/// A stored grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The view that the grant opens.
    pub view: ViewId,
    /// Seq of the write that made the grant.
    pub seq: u64,
}

/// A stored credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// The identity that the credential belongs to.
    pub identity: IdentityId,
    /// The credential's kind.
    pub kind: CredentialKind,
}

/// A stored escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escrow {
    /// The identity under whose key the escrow is sealed. `None` if that is the root key. This identity may have left since.
    pub creator: Option<IdentityId>,
    /// Generation of the identity key in the escrow.
    pub ik_gen: u64,
}
