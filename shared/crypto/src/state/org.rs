//! ORG: the whole state of an organisation, one document (CRYPTO.md §2.6).

use std::collections::BTreeSet;

use keyward_wire::access::{Audience, Facts, MappingFact};
use keyward_wire::api::org::AuditHead;
use keyward_wire::api::write::{AgentState, NewKeys};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::{Email, EnvName, Name};
use keyward_wire::{
    AgentId, DeploymentId, Envelope, GroupId, IdentityId, KeyId, MappingId, Nonce, OrgId, Purpose, Sha256,
    ViewId,
};
use serde::{Deserialize, Serialize};

use super::{V1, check_numbers, open_document, seal_document, text, times};
use crate::TooLarge;
use crate::{Context, DataKey, DeliveryKey, Integrity, OrgKey, ViewKey};

/// The most recoveries that are listed.
pub const RECOVERIES: usize = 16;

/// The most predecessors that `prev` remembers.
pub const PREV_LIMIT: usize = 64;

/// ORG. Every write replaces it as a whole.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Org {
    pub(crate) v: V1,
    /// The organisation's id.
    #[serde(with = "text::id")]
    pub org: OrgId,
    /// The organisation's name.
    pub org_name: Name,
    /// Number of the write that made this ORG, from 1.
    pub seq: u64,
    /// The epoch of the OK that ORG is sealed under.
    pub epoch: u64,
    /// The epoch's nonce.
    pub nonce: Nonce,
    /// When this ORG was written, in milliseconds UTC.
    pub written_at: i64,
    /// The identity that wrote it.
    #[serde(with = "text::id")]
    pub written_by: IdentityId,
    /// Predecessors of this ORG, newest first, at most [`PREV_LIMIT`].
    pub prev: Vec<Prev>,
    /// All identities: humans, API users and gateways.
    pub identities: Vec<Identity>,
    /// All groups.
    pub groups: Vec<Group>,
    /// All deployments, with their mappings.
    pub deployments: Vec<Deployment>,
    /// Assignments: which deployment is assigned to which group, and which keys of it are excluded.
    pub assignments: Vec<Assignment>,
    /// All keys, with what opens their versions.
    pub keys: Vec<KeyEntry>,
    /// One view for each set of groups in use, and one for each gateway.
    pub views: Vec<ViewEntry>,
    /// Agents: clients of gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<Agent>,
    /// The audit head that the writer saw.
    pub audit_head: AuditHead,
    /// Owners made with the recovery kit, newest first, at most [`RECOVERIES`]. They stay listed when they leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<Recovered>,
}

/// A recovery: an owner was made with the recovery kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// Seq of the write that made the owner.
    pub seq: u64,
    /// The time, in milliseconds UTC, by the clock of whoever recovered.
    pub at: i64,
    /// The owner that was made.
    #[serde(with = "text::id")]
    pub identity: IdentityId,
    /// The e-mail address that the new owner gave itself.
    pub email: Email,
}

/// A predecessor of ORG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prev {
    /// The predecessor's seq.
    pub seq: u64,
    /// SHA-256 of the predecessor's envelope.
    pub sha256: Sha256,
}

/// A human, API user or gateway.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The identity's id.
    #[serde(with = "text::id")]
    pub id: IdentityId,
    /// The identity's kind.
    pub kind: IdentityKind,
    /// The identity's role: what it may do.
    pub role: Role,
    /// The identity's name, unique among identities.
    pub name: Name,
    /// The identity's e-mail address, for humans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// The identity that enrolled this one. `None` if this is the first owner.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::some_id")]
    pub creator: Option<IdentityId>,
    /// Generation of the identity's IK.
    pub ik_gen: u64,
    /// DK of this epoch, under which admins seal the identity's GRANT.
    #[serde(with = "text::key")]
    pub dk: DeliveryKey,
    /// When the identity ends, in milliseconds UTC. `None` if it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// The identity's groups.
    #[serde(with = "text::ids")]
    pub groups: BTreeSet<GroupId>,
    /// Seq of the identity's GRANT, which `keyward pin` prints. `None` if it is an owner or admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_seq: Option<u64>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The group's id.
    #[serde(with = "text::id")]
    pub id: GroupId,
    /// The group's name, unique among groups.
    pub name: Name,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The deployment's id.
    #[serde(with = "text::id")]
    pub id: DeploymentId,
    /// The deployment's name, unique among deployments.
    pub name: Name,
    /// The provider that the deployment is synced to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The deployment's variables; a variable's name is unique within the deployment.
    pub mappings: Vec<Mapping>,
}

/// A mapping of a key to an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The mapping's id.
    #[serde(with = "text::id")]
    pub id: MappingId,
    /// The key whose value the variable gets.
    #[serde(with = "text::id")]
    pub key: KeyId,
    /// The name of the variable.
    pub env: EnvName,
}

/// A deployment assigned to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The group.
    #[serde(with = "text::id")]
    pub group: GroupId,
    /// The deployment.
    #[serde(with = "text::id")]
    pub deployment: DeploymentId,
    /// Keys of the deployment that the group may not read.
    #[serde(with = "text::ids")]
    pub excluded: BTreeSet<KeyId>,
    /// What happens to keys that are mapped in the deployment later.
    pub new_keys: NewKeys,
}

/// A key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// The key's id.
    #[serde(with = "text::id")]
    pub id: KeyId,
    /// The key's name, unique among keys.
    pub name: Name,
    /// Another name of the key, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The provider whose service the key is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The key's labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Label of the set that the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Current version, from 1.
    pub version: u64,
    /// How often the current version was resealed.
    pub reseal: u64,
    /// DEK of the current version.
    #[serde(with = "text::key")]
    pub dek: DataKey,
    /// SHA-256 of the current version's SECRET envelope.
    pub sha256: Sha256,
    /// When the current version was made, in milliseconds UTC.
    pub updated_at: i64,
    /// The identity that made the current version.
    #[serde(with = "text::id")]
    pub updated_by: IdentityId,
    /// Old versions, newest first, at most [`OLD_VERSIONS`](keyward_wire::limits::OLD_VERSIONS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<OldVersion>,
    /// Identities that lost access while knowing the current value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<Exposure>,
}

/// An old version of a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldVersion {
    /// The version's number.
    pub version: u64,
    /// How often the version was resealed.
    pub reseal: u64,
    /// The version's DEK.
    #[serde(with = "text::key")]
    pub dek: DataKey,
    /// SHA-256 of the version's SECRET envelope.
    pub sha256: Sha256,
    /// When the version was made, in milliseconds UTC.
    pub at: i64,
    /// The identity that made the version.
    #[serde(with = "text::id")]
    pub by: IdentityId,
    /// Identities that, when this version became old, had lost access while knowing its value or an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<Exposure>,
}

impl KeyEntry {
    /// Identities that lost access at `version` or after it, and so may know the value of `version`: each once, with the newest
    /// mark.
    pub fn exposed_since(&self, version: u64) -> Vec<Exposure> {
        let old = self.history.iter().filter(|old| old.version >= version).flat_map(|old| &old.exposed);
        let mut marks: Vec<Exposure> = Vec::new();
        for mark in self.exposed.iter().chain(old) {
            match marks.iter_mut().find(|known| known.identity_name == mark.identity_name) {
                Some(known) if known.at < mark.at => *known = mark.clone(),
                Some(_) => {}
                None => marks.push(mark.clone()),
            }
        }
        marks
    }
}

/// A mark that an identity may still know a value that it may not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// The identity's name.
    pub identity_name: Name,
    /// The version that the identity could read.
    pub version: u64,
    /// When the identity lost access, in milliseconds UTC.
    pub at: i64,
    /// How the identity lost access: the words of [`LossReason`](crate::change::LossReason).
    pub why: String,
}

/// A view in use.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewEntry {
    /// The view's id, kept across rebuilds.
    #[serde(with = "text::id")]
    pub id: ViewId,
    /// The view's set of groups. Empty if it is a gateway's own view, which follows the gateway's groups.
    #[serde(with = "text::ids")]
    pub groups: BTreeSet<GroupId>,
    /// The gateway whose own view this is, if any.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::some_id")]
    pub gateway: Option<IdentityId>,
    /// Seq of the view's last build.
    pub seq: u64,
    /// SHA-256 of the view's VIEW envelope.
    pub sha256: Sha256,
    /// VK of the last build.
    #[serde(with = "text::key")]
    pub vk: ViewKey,
}

/// A client of a gateway. It holds a proxy credential, which opens nothing: an agent never learns a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The agent's id.
    #[serde(with = "text::id")]
    pub id: AgentId,
    /// The gateway that serves the agent.
    #[serde(with = "text::id")]
    pub gateway: IdentityId,
    /// The agent's name, unique among agents.
    pub name: Name,
    /// The agent's groups.
    #[serde(with = "text::ids")]
    pub groups: BTreeSet<GroupId>,
    /// Keys granted to the agent. Of these, it may use those that the access rule lets both the agent and its gateway read.
    #[serde(with = "text::ids")]
    pub granted: BTreeSet<KeyId>,
    /// SHA-256 of the agent's proxy credential.
    pub secret_sha256: Sha256,
    /// When the agent ends, in milliseconds UTC. `None` if it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Whether the agent is served.
    pub state: AgentState,
}

/// The context of an ORG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgPlace {
    /// The organisation.
    pub org: OrgId,
    /// The epoch.
    pub epoch: u64,
    /// The seq.
    pub seq: u64,
}

impl Org {
    /// Seals ORG.
    ///
    /// # Errors
    /// [`TooLarge`] if it does not fit an envelope.
    pub fn seal(&self, ok: &OrgKey) -> Result<Envelope, TooLarge> {
        let place = OrgPlace { org: self.org, epoch: self.epoch, seq: self.seq };
        seal_document(ok, &place.context(), self)
    }

    /// Opens ORG; the place that it states must be the place asked for.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not the ORG of this place.
    pub fn open(ok: &OrgKey, place: OrgPlace, envelope: &Envelope) -> Result<Self, Integrity> {
        let org: Self = open_document(ok, &place.context(), envelope)?;
        if org.org != place.org || org.epoch != place.epoch || org.seq != place.seq {
            return Err(Integrity);
        }
        check_numbers(org.numbers())?;
        // A view is for a set of groups or for a gateway; no write makes one that is both.
        if org.views.iter().any(|view| view.gateway.is_some() && !view.groups.is_empty()) {
            return Err(Integrity);
        }
        Ok(org)
    }

    /// Every number that is counted up from, and every time.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        let keys = self.keys.iter().flat_map(|key| [key.version, key.reseal]);
        let recoveries = self.recoveries.iter().map(|recovered| recovered.seq);
        let ends = self.identities.iter().map(|identity| identity.not_after);
        let ends = ends.chain(self.agents.iter().map(|agent| agent.not_after));
        keys.chain(recoveries)
            .chain(times(ends))
            .chain([self.seq, self.epoch])
            .chain(self.identities.iter().map(|identity| identity.ik_gen))
    }

    /// The facts that the access rule looks at.
    pub fn facts(&self) -> Facts {
        let mappings = self.deployments.iter().flat_map(|deployment| {
            deployment.mappings.iter().map(|mapping| MappingFact {
                id: mapping.id,
                deployment: deployment.id,
                key: mapping.key,
            })
        });
        let exclusions = self.assignments.iter().flat_map(|assignment| {
            assignment.excluded.iter().map(|key| (assignment.group, assignment.deployment, *key))
        });
        Facts {
            mappings: mappings.collect(),
            assignments: self.assignments.iter().map(|a| (a.group, a.deployment)).collect(),
            exclusions: exclusions.collect(),
        }
    }

    /// Identities that read by the access rule: everybody but owners and admins.
    pub fn readers(&self) -> impl Iterator<Item = &Identity> {
        self.identities.iter().filter(|identity| !identity.role.administers())
    }

    /// The agent of this id.
    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.id == id)
    }

    /// The identity of this id.
    pub fn identity(&self, id: IdentityId) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.id == id)
    }

    /// The key of this id.
    pub fn key(&self, id: KeyId) -> Option<&KeyEntry> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key of this id, to change.
    pub fn key_mut(&mut self, id: KeyId) -> Option<&mut KeyEntry> {
        self.keys.iter_mut().find(|key| key.id == id)
    }

    /// The deployment of this id.
    pub fn deployment(&self, id: DeploymentId) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    /// The deployment of this id, to change.
    pub fn deployment_mut(&mut self, id: DeploymentId) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    /// The group of this id.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The assignment of this deployment to this group.
    pub fn assignment(&self, group: GroupId, deployment: DeploymentId) -> Option<&Assignment> {
        self.assignments.iter().find(|a| a.group == group && a.deployment == deployment)
    }

    /// The assignment of this deployment to this group, to change.
    pub fn assignment_mut(&mut self, group: GroupId, deployment: DeploymentId) -> Option<&mut Assignment> {
        self.assignments.iter_mut().find(|a| a.group == group && a.deployment == deployment)
    }
}

impl Identity {
    /// The audience whose view the identity reads.
    pub fn audience(&self) -> Audience {
        Audience::of(self.kind, self.id, &self.groups)
    }
}

impl ViewEntry {
    /// The audience that the view is for.
    pub fn audience(&self) -> Audience {
        self.gateway.map_or_else(|| Audience::Groups(self.groups.clone()), Audience::Gateway)
    }
}

impl OrgPlace {
    fn context(self) -> Context {
        Context::new(Purpose::Org).org(self.org).n1(self.epoch).n2(self.seq)
    }
}
