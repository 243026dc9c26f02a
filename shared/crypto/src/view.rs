//! Builds views from ORG with the access rule (CRYPTO.md §2.6). Pure.

use std::collections::BTreeSet;

use keyward_wire::GroupId;
use keyward_wire::access::{Facts, readable};

use crate::state::V1;
use crate::state::org::{Deployment, KeyEntry, Org};
use crate::state::view::{View, ViewDeployment, ViewKeyEntry, ViewMapping};

/// What the members of `groups` may read, as of `org`.
pub fn build(org: &Org, facts: &Facts, groups: &BTreeSet<GroupId>) -> View {
    let readable = readable(groups, facts);
    View {
        v: V1,
        seq: org.seq,
        org_name: org.org_name.clone(),
        deployments: (org.deployments.iter())
            .filter(|deployment| readable.deployments().contains(&deployment.id))
            .map(|deployment| view_deployment(deployment, |mapping| readable.mappings().contains(mapping)))
            .collect(),
        keys: org.keys.iter().filter(|key| readable.keys().contains(&key.id)).map(view_key).collect(),
    }
}

/// Everything, for owners and admins, who bypass the rule.
pub fn whole(org: &Org) -> View {
    View {
        v: V1,
        seq: org.seq,
        org_name: org.org_name.clone(),
        deployments: org.deployments.iter().map(|deployment| view_deployment(deployment, |_| true)).collect(),
        keys: org.keys.iter().map(view_key).collect(),
    }
}

/// Whether a reader of `a` would notice that it became `b`. If not, nothing need be rebuilt: the organisation's name is
/// as of the build, and a key's DEK is settled by its version and reseal.
pub(crate) fn same_content(a: &View, b: &View) -> bool {
    let facts = |key: &ViewKeyEntry| {
        (key.id, key.name.clone(), key.provider.clone(), key.version, key.reseal, key.sha256)
    };
    a.deployments == b.deployments && a.keys.iter().map(facts).eq(b.keys.iter().map(facts))
}

fn view_deployment(
    deployment: &Deployment,
    visible: impl Fn(&keyward_wire::MappingId) -> bool,
) -> ViewDeployment {
    let mappings = deployment.mappings.iter().filter(|mapping| visible(&mapping.id));
    ViewDeployment {
        id: deployment.id,
        name: deployment.name.clone(),
        provider: deployment.provider.clone(),
        mappings: mappings
            .map(|mapping| ViewMapping { env: mapping.env.clone(), key: mapping.key })
            .collect(),
    }
}

fn view_key(key: &KeyEntry) -> ViewKeyEntry {
    ViewKeyEntry {
        id: key.id,
        name: key.name.clone(),
        provider: key.provider.clone(),
        version: key.version,
        reseal: key.reseal,
        dek: key.dek.duplicate(),
        sha256: key.sha256,
    }
}

#[cfg(test)]
mod tests;
