//! What is known of a key: owners and admins see all of ORG, everybody else what stands in their view.

use keyward_crypto::state::org::{KeyEntry, Org};
use keyward_crypto::state::view::{View, ViewKeyEntry};
use keyward_wire::name::{EnvName, Name};
use keyward_wire::{DeploymentId, IdentityId, KeyId};
use serde::Serialize;

use crate::ctx::rfc3339;

/// What is known of a key. What the caller may not see is absent.
#[derive(Serialize)]
pub(super) struct Facts {
    pub id: KeyId,
    pub name: Name,
    pub alias: Option<String>,
    pub provider: Option<String>,
    pub tags: Vec<String>,
    pub set: Option<String>,
    pub version: u64,
    pub updated_at: Option<String>,
    pub updated_by: Option<IdentityId>,
    pub updated_by_name: Option<Name>,
    pub mapped: Vec<Mapped>,
    pub exposed: Vec<Exposed>,
}

/// A place where a key is mapped.
#[derive(Serialize)]
pub(super) struct Mapped {
    pub deployment: DeploymentId,
    pub deployment_name: Name,
    pub env: EnvName,
}

/// An identity that lost access while knowing the value.
#[derive(Serialize)]
pub(super) struct Exposed {
    pub identity_name: Name,
    pub version: u64,
    pub at: String,
    pub why: String,
}

impl Facts {
    pub(super) fn of_org(org: &Org, key: &KeyEntry) -> Self {
        let exposed = key.exposed.iter().map(|exposure| Exposed {
            identity_name: exposure.identity_name.clone(),
            version: exposure.version,
            at: rfc3339(exposure.at),
            why: exposure.why.clone(),
        });
        Self {
            id: key.id,
            name: key.name.clone(),
            alias: key.alias.clone(),
            provider: key.provider.clone(),
            tags: key.tags.clone(),
            set: key.set.clone(),
            version: key.version,
            updated_at: Some(rfc3339(key.updated_at)),
            updated_by: Some(key.updated_by),
            updated_by_name: org.identity(key.updated_by).map(|identity| identity.name.clone()),
            mapped: mapped_in(org, key.id),
            exposed: exposed.collect(),
        }
    }

    pub(super) fn of_view(view: &View, key: &ViewKeyEntry) -> Self {
        let mapped = view.deployments.iter().flat_map(|deployment| {
            deployment.mappings.iter().filter(|mapping| mapping.key == key.id).map(|mapping| Mapped {
                deployment: deployment.id,
                deployment_name: deployment.name.clone(),
                env: mapping.env.clone(),
            })
        });
        Self {
            id: key.id,
            name: key.name.clone(),
            alias: None,
            provider: key.provider.clone(),
            tags: Vec::new(),
            set: None,
            version: key.version,
            updated_at: None,
            updated_by: None,
            updated_by_name: None,
            mapped: mapped.collect(),
            exposed: Vec::new(),
        }
    }
}

/// The variables that take their value from a key.
pub(super) fn mapped_in(org: &Org, key: KeyId) -> Vec<Mapped> {
    let of_deployment = |deployment: &keyward_crypto::state::org::Deployment| {
        let (id, name) = (deployment.id, deployment.name.clone());
        let mapped = deployment.mappings.iter().filter(|mapping| mapping.key == key).map(move |mapping| {
            Mapped { deployment: id, deployment_name: name.clone(), env: mapping.env.clone() }
        });
        mapped.collect::<Vec<_>>()
    };
    org.deployments.iter().flat_map(of_deployment).collect()
}

impl std::fmt::Display for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.deployment_name, self.env)
    }
}
