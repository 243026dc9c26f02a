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

/// How many recoveries are listed.
pub const RECOVERIES: usize = 16;

/// How many predecessors `prev` remembers.
pub const PREV_LIMIT: usize = 64;

/// The document. Replaced as a whole by every write.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Org {
    pub(crate) v: V1,
    /// Its own id.
    #[serde(with = "text::id")]
    pub org: OrgId,
    /// Its name.
    pub org_name: Name,
    /// Number of the write that made it, from 1.
    pub seq: u64,
    /// Epoch of its OK.
    pub epoch: u64,
    /// Nonce of that epoch.
    pub nonce: Nonce,
    /// When it was written.
    pub written_at: i64,
    /// By whom.
    #[serde(with = "text::id")]
    pub written_by: IdentityId,
    /// Its predecessors, newest first, at most [`PREV_LIMIT`].
    pub prev: Vec<Prev>,
    /// Everybody.
    pub identities: Vec<Identity>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Deployments with their mappings.
    pub deployments: Vec<Deployment>,
    /// Which deployment is assigned to which group, and what of it is excluded.
    pub assignments: Vec<Assignment>,
    /// Keys with what opens their versions.
    pub keys: Vec<KeyEntry>,
    /// One view for each set of groups in use, and one for each gateway.
    pub views: Vec<ViewEntry>,
    /// Clients of gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<Agent>,
    /// The audit head its writer saw.
    pub audit_head: AuditHead,
    /// Owners made with the recovery kit, newest first, at most [`RECOVERIES`]. Stays when they leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<Recovered>,
}

/// Somebody came back in with the recovery kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// Seq of the write that made the owner.
    pub seq: u64,
    /// When, by the clock of whoever did it.
    pub at: i64,
    /// The owner that was made.
    #[serde(with = "text::id")]
    pub identity: IdentityId,
    /// The address that it gave itself.
    pub email: Email,
}

/// A predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prev {
    /// Its seq.
    pub seq: u64,
    /// SHA-256 of its envelope.
    pub sha256: Sha256,
}

/// A human, API user or gateway.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Its id.
    #[serde(with = "text::id")]
    pub id: IdentityId,
    /// What it is.
    pub kind: IdentityKind,
    /// What it may do.
    pub role: Role,
    /// Its name, unique among identities.
    pub name: Name,
    /// For humans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Who enrolled it; absent for the first owner.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::some_id")]
    pub creator: Option<IdentityId>,
    /// Generation of its IK.
    pub ik_gen: u64,
    /// DK of this epoch: what admins seal its GRANT with.
    #[serde(with = "text::key")]
    pub dk: DeliveryKey,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Its groups.
    #[serde(with = "text::ids")]
    pub groups: BTreeSet<GroupId>,
    /// Seq of its GRANT; absent for owners and admins. What `keyward pin` prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_seq: Option<u64>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its id.
    #[serde(with = "text::id")]
    pub id: GroupId,
    /// Its name, unique among groups.
    pub name: Name,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Its id.
    #[serde(with = "text::id")]
    pub id: DeploymentId,
    /// Its name, unique among deployments.
    pub name: Name,
    /// Where it is synced to, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Variables; a variable's name is unique within the deployment.
    pub mappings: Vec<Mapping>,
}

/// Key → environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Its id.
    #[serde(with = "text::id")]
    pub id: MappingId,
    /// The key.
    #[serde(with = "text::id")]
    pub key: KeyId,
    /// The variable.
    pub env: EnvName,
}

/// A deployment assigned to a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// To whom.
    #[serde(with = "text::id")]
    pub group: GroupId,
    /// What.
    #[serde(with = "text::id")]
    pub deployment: DeploymentId,
    /// Keys the group may not read.
    #[serde(with = "text::ids")]
    pub excluded: BTreeSet<KeyId>,
    /// What happens to keys that are mapped later.
    pub new_keys: NewKeys,
}

/// A key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Its id.
    #[serde(with = "text::id")]
    pub id: KeyId,
    /// Its name, unique among keys.
    pub name: Name,
    /// Another word for it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whose service it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Label of the set it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Current version, from 1.
    pub version: u64,
    /// How often the current version was resealed.
    pub reseal: u64,
    /// DEK of the current version.
    #[serde(with = "text::key")]
    pub dek: DataKey,
    /// SHA-256 of its SECRET envelope.
    pub sha256: Sha256,
    /// When the current version was made.
    pub updated_at: i64,
    /// By whom.
    #[serde(with = "text::id")]
    pub updated_by: IdentityId,
    /// Old versions, newest first, at most [`OLD_VERSIONS`](keyward_wire::limits::OLD_VERSIONS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<OldVersion>,
    /// Who lost access while knowing the current value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<Exposure>,
}

/// An old version of a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldVersion {
    /// Which.
    pub version: u64,
    /// How often it was resealed.
    pub reseal: u64,
    /// Its DEK.
    #[serde(with = "text::key")]
    pub dek: DataKey,
    /// SHA-256 of its SECRET envelope.
    pub sha256: Sha256,
    /// When it was made.
    pub at: i64,
    /// By whom.
    #[serde(with = "text::id")]
    pub by: IdentityId,
    /// Who had lost access while knowing it, or a value before it, when it became old.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<Exposure>,
}

impl KeyEntry {
    /// Who had lost access at `version` or after it, and so may know the value of `version`: each once, with the newest mark.
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

/// Somebody may still know a value that they may no longer read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// Who.
    pub identity_name: Name,
    /// Which version they could read.
    pub version: u64,
    /// When they lost access.
    pub at: i64,
    /// How: one of `excluded`, `unmapped`, `left group`, `compromised`.
    pub why: String,
}

/// A view in use.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewEntry {
    /// Its id, kept across rebuilds.
    #[serde(with = "text::id")]
    pub id: ViewId,
    /// Its set of groups; empty for a gateway's own view, which follows the gateway's groups.
    #[serde(with = "text::ids")]
    pub groups: BTreeSet<GroupId>,
    /// The gateway whose own view it is.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::some_id")]
    pub gateway: Option<IdentityId>,
    /// Seq of its last build.
    pub seq: u64,
    /// SHA-256 of its VIEW envelope.
    pub sha256: Sha256,
    /// VK of that build.
    #[serde(with = "text::key")]
    pub vk: ViewKey,
}

/// A client of a gateway. It holds a proxy credential, which opens nothing: an agent never learns a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Its id.
    #[serde(with = "text::id")]
    pub id: AgentId,
    /// The gateway that serves it.
    #[serde(with = "text::id")]
    pub gateway: IdentityId,
    /// Its name, unique among agents.
    pub name: Name,
    /// Its groups.
    #[serde(with = "text::ids")]
    pub groups: BTreeSet<GroupId>,
    /// Keys it was granted. It may use those of them that the access rule lets both it and its gateway read.
    #[serde(with = "text::ids")]
    pub granted: BTreeSet<KeyId>,
    /// SHA-256 of its proxy credential.
    pub secret_sha256: Sha256,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Whether it is served.
    pub state: AgentState,
}

/// Where an ORG stands: its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgPlace {
    /// Organisation.
    pub org: OrgId,
    /// Epoch.
    pub epoch: u64,
    /// Seq.
    pub seq: u64,
}

impl Org {
    /// Seals it.
    ///
    /// # Errors
    /// [`TooLarge`] if it does not fit an envelope.
    pub fn seal(&self, ok: &OrgKey) -> Result<Envelope, TooLarge> {
        let place = OrgPlace { org: self.org, epoch: self.epoch, seq: self.seq };
        seal_document(ok, &place.context(), self)
    }

    /// Opens it; what it says of its own place must be its place.
    ///
    /// # Errors
    /// [`Integrity`].
    pub fn open(ok: &OrgKey, place: OrgPlace, envelope: &Envelope) -> Result<Self, Integrity> {
        let org: Self = open_document(ok, &place.context(), envelope)?;
        if org.org != place.org || org.epoch != place.epoch || org.seq != place.seq {
            return Err(Integrity);
        }
        check_numbers(org.numbers())?;
        // A view is for a set of groups or for a gateway; in no write is it both.
        if org.views.iter().any(|view| view.gateway.is_some() && !view.groups.is_empty()) {
            return Err(Integrity);
        }
        Ok(org)
    }

    /// Every number that is counted on from, and every time.
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

    /// The relations the access rule looks at.
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

    /// Identities that read by the rule: everybody but owners and admins.
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
    /// Whose view it reads.
    pub fn audience(&self) -> Audience {
        Audience::of(self.kind, self.id, &self.groups)
    }
}

impl ViewEntry {
    /// Whose view it is.
    pub fn audience(&self) -> Audience {
        self.gateway.map_or_else(|| Audience::Groups(self.groups.clone()), Audience::Gateway)
    }
}

impl OrgPlace {
    fn context(self) -> Context {
        Context::new(Purpose::Org).org(self.org).n1(self.epoch).n2(self.seq)
    }
}
