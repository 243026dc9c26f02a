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
    /// Which organisation.
    pub org: OrgId,
    /// Seq of its ORG.
    pub seq: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Who is in it, the expired included.
    pub identities: BTreeMap<IdentityId, Identity>,
    /// Its groups.
    pub groups: BTreeSet<GroupId>,
    /// Who is in which group.
    pub members: BTreeSet<(GroupId, IdentityId)>,
    /// Its keys and their stored versions.
    pub keys: BTreeMap<KeyId, Key>,
    /// Its deployments.
    pub deployments: BTreeSet<DeploymentId>,
    /// Which key is mapped in which deployment.
    pub mappings: BTreeMap<MappingId, Mapping>,
    /// Which deployment is assigned to which group.
    pub assignments: BTreeMap<(GroupId, DeploymentId), NewKeys>,
    /// Which key of an assigned deployment a group may not read.
    pub exclusions: BTreeSet<(GroupId, DeploymentId, KeyId)>,
    /// Its stored views.
    pub views: BTreeMap<ViewId, View>,
    /// The stored grant of each identity.
    pub grants: BTreeMap<IdentityId, Grant>,
    /// All credentials of all identities.
    pub credentials: BTreeMap<CredentialId, Credential>,
    /// The stored escrow of each identity.
    pub escrows: BTreeMap<IdentityId, Escrow>,
    /// Clients of its gateways, the suspended and expired included.
    pub agents: BTreeMap<AgentId, Agent>,
    /// Which agent is in which group.
    pub agent_members: BTreeSet<(GroupId, AgentId)>,
    /// Which key was granted to which agent.
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

    /// What the rule looks at.
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

    /// The groups of each identity that reads by the rule, the expired included: everybody but owners and admins.
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

    /// Whose view each of `readers` reads.
    pub fn audiences(
        &self,
        readers: &BTreeMap<IdentityId, BTreeSet<GroupId>>,
    ) -> BTreeMap<IdentityId, Audience> {
        let audience = |(id, groups): (&IdentityId, &BTreeSet<GroupId>)| {
            Some((*id, Audience::of(self.identities.get(id)?.kind, *id, groups)))
        };
        readers.iter().filter_map(audience).collect()
    }

    /// What an audience may read, `facts` being these relations.
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

    /// The groups and the granted keys of each agent.
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
    /// What it is.
    pub kind: IdentityKind,
    /// What it may do.
    pub role: Role,
    /// When it ends, in milliseconds UTC; none: never.
    pub not_after: Option<i64>,
    /// Its address, for humans.
    pub email: Option<Email>,
}

impl Identity {
    /// It has not ended at `now` (milliseconds UTC).
    pub fn is_active(&self, now: i64) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

/// A client of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// Which serves it.
    pub gateway: IdentityId,
    /// Whether it is served.
    pub state: AgentState,
    /// When it ends, in milliseconds UTC; none: never.
    pub not_after: Option<i64>,
}

impl Agent {
    /// It is served at `now` (milliseconds UTC).
    pub fn is_served(&self, now: i64) -> bool {
        self.state == AgentState::Active && self.not_after.is_none_or(|end| now < end)
    }
}

/// The versions of a key that are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// Current version, from 1.
    pub version: u64,
    /// How often it was resealed.
    pub reseal: u64,
    /// Size of the current version's envelope, in bytes.
    pub bytes: usize,
    /// Kept old versions, each with its reseal.
    pub old: BTreeMap<u64, u64>,
}

/// A key's place in a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Where.
    pub deployment: DeploymentId,
    /// Which key.
    pub key: KeyId,
}

/// A stored view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Whose it is.
    pub audience: Audience,
    /// Seq of its build.
    pub seq: u64,
    /// Size of its envelope, in bytes.
    pub bytes: usize,
}

/// A stored grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// To which view.
    pub view: ViewId,
    /// Seq of the write that made it.
    pub seq: u64,
}

/// A stored credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub identity: IdentityId,
    /// Its kind.
    pub kind: CredentialKind,
}

/// A stored escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escrow {
    /// Under whose key; none: the root key. This identity may have left since.
    pub creator: Option<IdentityId>,
    /// Generation of the key.
    pub ik_gen: u64,
}
