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
    /// The organisation that this witness is for.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The identity that may read.
    pub fn identity(&self) -> IdentityId {
        self.identity
    }

    /// The keys that may be read.
    pub fn keys(&self) -> &BTreeSet<KeyId> {
        &self.keys
    }
}

/// What `actor`'s bundle for `deployment` may hold. `groups` are the actor's own, and `facts` are its organisation's, from the
/// snapshot that the secrets are then read from.
///
/// By the access rule; without a deployment, all that the rule allows. A deployment that is unknown, or assigned to none of the
/// groups, holds nothing. Owners and admins bypass the rule: they get all of the deployment, and nothing without one.
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
