//! VIEW: what the identities of one set of groups, or one gateway, may read (CRYPTO.md §2.6, §2.10).

use keyward_wire::name::{EnvName, Name};
use keyward_wire::{AgentId, DeploymentId, Envelope, KeyId, OrgId, Purpose, Sha256, ViewId};
use serde::{Deserialize, Serialize};

use super::{V1, check_numbers, open_document, seal_document, text, times};
use crate::TooLarge;
use crate::{Context, DataKey, Integrity, ViewKey};

/// VIEW. For owners and admins the same form is made from ORG, with everything in it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    pub(crate) v: V1,
    /// ORG seq of the view's build.
    pub seq: u64,
    /// The organisation's name, as of the build.
    pub org_name: Name,
    /// Deployments assigned to one of the groups.
    pub deployments: Vec<ViewDeployment>,
    /// Keys that the groups, or the gateway, may read.
    pub keys: Vec<ViewKeyEntry>,
    /// In a gateway's view: the agents that the gateway serves, without the suspended ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<ViewAgent>,
}

/// An agent, and what its gateway may use for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewAgent {
    /// The agent's id.
    #[serde(with = "text::id")]
    pub id: AgentId,
    /// The agent's name.
    pub name: Name,
    /// SHA-256 of the agent's proxy credential.
    pub secret_sha256: Sha256,
    /// When the agent ends, in milliseconds UTC. `None` if it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Keys of this view that may be used for the agent.
    pub keys: Vec<ViewAgentKey>,
}

/// A key that may be used for an agent. A field that is added here in a later version can only narrow the use: a gateway that
/// does not know the field refuses the whole view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewAgentKey {
    /// The key's id.
    #[serde(with = "text::id")]
    pub key: KeyId,
}

/// A deployment, with those of its mappings that are readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewDeployment {
    /// The deployment's id.
    #[serde(with = "text::id")]
    pub id: DeploymentId,
    /// The deployment's name.
    pub name: Name,
    /// The provider that the deployment is synced to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The deployment's variables.
    pub mappings: Vec<ViewMapping>,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewMapping {
    /// The variable's name.
    pub env: EnvName,
    /// The key whose value the variable gets.
    #[serde(with = "text::id")]
    pub key: KeyId,
}

/// A key, with what opens its current version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewKeyEntry {
    /// The key's id.
    #[serde(with = "text::id")]
    pub id: KeyId,
    /// The key's name.
    pub name: Name,
    /// The provider whose service the key is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The key's current version.
    pub version: u64,
    /// How often the current version was resealed.
    pub reseal: u64,
    /// DEK of this version.
    #[serde(with = "text::key")]
    pub dek: DataKey,
    /// SHA-256 of the current version's SECRET envelope.
    pub sha256: Sha256,
}

/// The context of a VIEW.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewPlace {
    /// The organisation.
    pub org: OrgId,
    /// The view.
    pub view: ViewId,
    /// ORG seq of the view's build.
    pub seq: u64,
}

impl View {
    /// Seals VIEW.
    ///
    /// # Errors
    /// [`TooLarge`] if it does not fit an envelope.
    pub fn seal(&self, vk: &ViewKey, place: ViewPlace) -> Result<Envelope, TooLarge> {
        seal_document(vk, &place.context(), self)
    }

    /// Opens VIEW.
    ///
    /// # Errors
    /// [`Integrity`] if the envelope is not the VIEW of this place.
    pub fn open(vk: &ViewKey, place: ViewPlace, envelope: &Envelope) -> Result<Self, Integrity> {
        let view: Self = open_document(vk, &place.context(), envelope)?;
        check_numbers(view.numbers())?;
        Ok(view)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let keys = self.keys.iter().flat_map(|key| [key.version, key.reseal]);
        keys.chain([self.seq]).chain(times(self.agents.iter().map(|agent| agent.not_after)))
    }

    /// The deployment of this id.
    pub fn deployment(&self, id: DeploymentId) -> Option<&ViewDeployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    /// The deployment of this exact name.
    pub fn deployment_named(&self, name: &Name) -> Option<&ViewDeployment> {
        self.deployments.iter().find(|deployment| deployment.name == *name)
    }

    /// The key of this id.
    pub fn key(&self, id: KeyId) -> Option<&ViewKeyEntry> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key of this exact name.
    pub fn key_named(&self, name: &Name) -> Option<&ViewKeyEntry> {
        self.keys.iter().find(|key| key.name == *name)
    }
}

impl ViewPlace {
    fn context(self) -> Context {
        Context::new(Purpose::View).org(self.org).b(self.view.as_bytes()).n2(self.seq)
    }
}
