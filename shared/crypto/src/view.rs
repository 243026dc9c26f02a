//! Builds views from ORG with the access rule (CRYPTO.md §2.6). Pure.

use std::collections::BTreeSet;

use keyward_wire::access::{Audience, Facts, Readable, UsableKeys, readable};
use keyward_wire::api::write::AgentState;
use keyward_wire::{GroupId, IdentityId};

use crate::state::V1;
use crate::state::org::{Deployment, KeyEntry, Org};
use crate::state::view::{View, ViewAgent, ViewAgentKey, ViewDeployment, ViewKeyEntry, ViewMapping};

/// The view of `audience`, as of `org`. Empty if the audience is a gateway that is not in ORG.
pub fn build_for(org: &Org, facts: &Facts, audience: &Audience) -> View {
    match audience {
        Audience::Groups(groups) => build(org, facts, groups),
        Audience::Gateway(gateway) => {
            let groups = org.identity(*gateway).map(|identity| identity.groups.clone()).unwrap_or_default();
            let agents = agents(org, facts, *gateway, &readable(&groups, facts));
            View { agents, ..build(org, facts, &groups) }
        }
    }
}

/// The view of the members of `groups`, as of `org`.
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
        agents: Vec::new(),
    }
}

/// A view of everything, for owners and admins, who bypass the access rule.
pub fn whole(org: &Org) -> View {
    View {
        v: V1,
        seq: org.seq,
        org_name: org.org_name.clone(),
        deployments: org.deployments.iter().map(|deployment| view_deployment(deployment, |_| true)).collect(),
        keys: org.keys.iter().map(view_key).collect(),
        agents: Vec::new(),
    }
}

/// The agents that `gateway` serves, with the keys that it may use for each. An agent that has ended stays listed: the gateway
/// looks at its own clock, and no write is made when a time comes.
fn agents(org: &Org, facts: &Facts, gateway: IdentityId, readable: &Readable) -> Vec<ViewAgent> {
    let served = org.agents.iter().filter(|a| a.gateway == gateway && a.state == AgentState::Active);
    let mut usable = UsableKeys::new(readable, facts);
    served
        .map(|agent| ViewAgent {
            id: agent.id,
            name: agent.name.clone(),
            secret_sha256: agent.secret_sha256,
            not_after: agent.not_after,
            keys: usable
                .of(&agent.groups, &agent.granted)
                .into_iter()
                .map(|key| ViewAgentKey { key })
                .collect(),
        })
        .collect()
}

/// Whether a reader of `a` would notice no difference in `b`. If so, the view need not be rebuilt. The organisation's name is
/// that of the last build, and a key's DEK follows from its version and reseal, so both are not compared.
pub(crate) fn same_content(a: &View, b: &View) -> bool {
    let facts = |key: &ViewKeyEntry| {
        (key.id, key.name.clone(), key.provider.clone(), key.version, key.reseal, key.sha256)
    };
    a.deployments == b.deployments
        && a.agents == b.agents
        && a.keys.iter().map(facts).eq(b.keys.iter().map(facts))
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
