//! Which secrets a bundle may hold (CRYPTO.md §2.12 S3, §2.7 step 6).

use std::collections::BTreeSet;

use keyward_wire::access::{self, Facts};
use keyward_wire::{DeploymentId, GroupId, IdentityId, KeyId, OrgId};

use super::Actor;

/// The keys whose current versions one identity may be sent. Made only by [`readable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    org: OrgId,
    identity: IdentityId,
    keys: BTreeSet<KeyId>,
}

impl Readable {
    /// In this organisation and no other.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Who may.
    pub fn identity(&self) -> IdentityId {
        self.identity
    }

    /// Which keys.
    pub fn keys(&self) -> &BTreeSet<KeyId> {
        &self.keys
    }
}

/// What `actor`'s bundle for `deployment` may hold, `groups` being its own and `facts` its organisation's, from the
/// snapshot that the secrets are then read from.
///
/// By the rule; without a deployment, all the rule allows. A deployment that is unknown, or assigned to none of the
/// groups, holds nothing. Owners and admins bypass the rule: all of the deployment, and nothing without one.
pub fn readable(
    actor: &Actor,
    groups: &BTreeSet<GroupId>,
    facts: &Facts,
    deployment: Option<DeploymentId>,
) -> Readable {
    let mapped = |deployment| {
        facts
            .mappings
            .iter()
            .filter(move |mapping| mapping.deployment == deployment)
            .map(|mapping| mapping.key)
    };
    let keys = if actor.role.administers() {
        deployment.into_iter().flat_map(mapped).collect()
    } else {
        let allowed = access::readable(groups, facts);
        match deployment {
            None => allowed.keys().clone(),
            Some(deployment) if !allowed.deployments().contains(&deployment) => BTreeSet::new(),
            Some(deployment) => mapped(deployment).filter(|key| allowed.keys().contains(key)).collect(),
        }
    };
    Readable { org: actor.org, identity: actor.identity, keys }
}

#[cfg(test)]
mod tests;
