//! Which keys an agent may use, and why not the others.

use std::collections::BTreeSet;

use keyward_crypto::state::org::{Agent, Org};
use keyward_wire::access::{Facts, readable, usable};
use keyward_wire::api::write::AgentState;
use keyward_wire::{GroupId, KeyId};
use serde_json::{Value, json};

use crate::ctx::{Ctx, rfc3339};

/// A key, as an agent stands to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyUse {
    /// The key's id.
    pub(crate) id: KeyId,
    /// The key's name.
    pub(crate) key: String,
    /// The reasons why the key may not be used. Empty if it may be used.
    withheld: Vec<Withheld>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Withheld {
    NotGranted,
    /// A reason on the agent's own side, or on that of its gateway.
    By(Side, Why),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Agent,
    Gateway,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// Mapped in no deployment that is assigned to one of the groups.
    NotAssigned,
    /// Excluded for this group from this deployment.
    Excluded(String, String),
}

/// Every key that was granted to the agent, or that could be used at once if it were; by name, those that may be used first.
pub(crate) fn key_uses(org: &Org, agent: &Agent) -> Vec<KeyUse> {
    let facts = org.facts();
    let none = BTreeSet::new();
    let gateway_groups = org.identity(agent.gateway).map_or(&none, |gateway| &gateway.groups);
    let (own, gateway) = (readable(&agent.groups, &facts), readable(gateway_groups, &facts));
    let usable = usable(&own, &agent.granted, &gateway);
    let both = own.keys().intersection(gateway.keys()).copied();
    let all: BTreeSet<KeyId> = agent.granted.iter().copied().chain(both).collect();
    let one = |id: KeyId| {
        let mut withheld = Vec::new();
        if !agent.granted.contains(&id) {
            withheld.push(Withheld::NotGranted);
        }
        for (side, groups, readable) in
            [(Side::Agent, &agent.groups, &own), (Side::Gateway, gateway_groups, &gateway)]
        {
            if !readable.keys().contains(&id) {
                let reasons = reasons(org, &facts, groups, id);
                withheld.extend(reasons.into_iter().map(|why| Withheld::By(side, why)));
            }
        }
        debug_assert_eq!(withheld.is_empty(), usable.contains(&id));
        Some(KeyUse { id, key: org.key(id)?.name.to_string(), withheld })
    };
    let mut uses: Vec<KeyUse> = all.into_iter().filter_map(one).collect();
    uses.sort_by(|a, b| (!a.usable(), &a.key).cmp(&(!b.usable(), &b.key)));
    uses
}

/// Why members of `groups` cannot read a key: at least one reason.
fn reasons(org: &Org, facts: &Facts, groups: &BTreeSet<GroupId>, key: KeyId) -> Vec<Why> {
    let counts = |(group, deployment, excluded): &&(GroupId, _, KeyId)| {
        *excluded == key && groups.contains(group) && facts.assignments.contains(&(*group, *deployment))
    };
    let excluded: Vec<Why> = facts
        .exclusions
        .iter()
        .filter(counts)
        .map(|(group, deployment, _)| {
            let group = org.group(*group).map(|group| group.name.to_string()).unwrap_or_default();
            let deployment = org.deployment(*deployment).map(|d| d.name.to_string()).unwrap_or_default();
            Why::Excluded(group, deployment)
        })
        .collect();
    if excluded.is_empty() { vec![Why::NotAssigned] } else { excluded }
}

impl KeyUse {
    /// Whether it may be used.
    pub(crate) fn usable(&self) -> bool {
        self.withheld.is_empty()
    }

    /// Why the key may or may not be used, in words.
    pub(crate) fn why(&self) -> String {
        let words = |withheld: &Withheld| match withheld {
            Withheld::NotGranted => "not granted".to_owned(),
            Withheld::By(side, Why::NotAssigned) => {
                format!("no group of the {} has a deployment with it", side.as_str())
            }
            Withheld::By(side, Why::Excluded(group, deployment)) => {
                format!("excluded for {group} in {deployment}, a group of the {}", side.as_str())
            }
        };
        match self.withheld.as_slice() {
            [] => "granted".to_owned(),
            some => some.iter().map(words).collect::<Vec<_>>().join("; "),
        }
    }

    /// The use as `--json` prints it.
    pub(crate) fn json(&self) -> Value {
        let reason = |withheld: &Withheld| match withheld {
            Withheld::NotGranted => json!({ "reason": "not_granted" }),
            Withheld::By(side, Why::NotAssigned) => json!({ "reason": "not_assigned", "of": side.as_str() }),
            Withheld::By(side, Why::Excluded(group, deployment)) => {
                json!({ "reason": "excluded", "of": side.as_str(), "group": group, "deployment": deployment })
            }
        };
        let withheld: Vec<_> = self.withheld.iter().map(reason).collect();
        json!({ "id": self.id, "key": self.key, "usable": self.usable(), "withheld": withheld })
    }
}

impl Side {
    fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Gateway => "gateway",
        }
    }
}

/// What `agent secrets` and `access` say of an agent.
pub(crate) fn show(ctx: &Ctx, org: &Org, agent: &Agent) -> anyhow::Result<()> {
    let uses = key_uses(org, agent);
    let gateway = org.identity(agent.gateway).map(|gateway| gateway.name.to_string()).unwrap_or_default();
    let groups = group_names(org, agent);
    if ctx.out.json {
        let keys: Vec<_> = uses.iter().map(KeyUse::json).collect();
        return ctx.out.json(&json!({
            "agent": { "id": agent.id, "name": agent.name, "state": agent.state },
            "gateway": gateway,
            "groups": groups,
            "expires_at": agent.not_after.map(rfc3339),
            "keys": keys,
        }));
    }
    let in_groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
    ctx.out.line(&format!("{} (agent of {gateway}), in {in_groups}", agent.name))?;
    if agent.state == AgentState::Suspended {
        ctx.out.warn("it is suspended: it may use nothing of this");
    }
    if agent.not_after.is_some_and(|end| end <= ctx.now()) {
        ctx.out.warn("it has ended: it may use nothing of this");
    }
    let rows: Vec<Vec<String>> = uses
        .into_iter()
        .map(|one| {
            let (answer, why) = (if one.usable() { "yes" } else { "no" }, one.why());
            vec![one.key, answer.to_owned(), why]
        })
        .collect();
    ctx.out.table(&["KEY", "USES", "WHY"], &rows)
}

/// Names of the agent's groups, sorted.
pub(crate) fn group_names<'a>(org: &'a Org, agent: &Agent) -> Vec<&'a str> {
    let mut names: Vec<_> =
        agent.groups.iter().filter_map(|id| Some(org.group(*id)?.name.as_str())).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use keyward_crypto::agent::NewAgent;
    use keyward_crypto::change::Draft;

    use super::*;
    use crate::testing::SampleOrg;

    /// What is said about an agent of a gateway `edge`.
    fn said(gateway: &[GroupId], own: &[GroupId], granted: &[KeyId], draft: &mut Draft) -> Vec<String> {
        let edge = draft.org.identities.iter_mut().find(|one| one.name.as_str() == "agent").unwrap();
        edge.kind = keyward_wire::api::IdentityKind::Gateway;
        edge.groups = gateway.iter().copied().collect();
        let new = NewAgent {
            name: "bot".parse().unwrap(),
            gateway: edge.id,
            groups: own.iter().copied().collect(),
            granted: granted.iter().copied().collect(),
            not_after: None,
        };
        let (id, _) = draft.org.add_agent(new).unwrap();
        let agent = draft.org.agent(id).unwrap();
        let line =
            |one: &KeyUse| format!("{} {}: {}", one.key, if one.usable() { "yes" } else { "no" }, one.why());
        key_uses(&draft.org, agent).iter().map(line).collect()
    }

    #[test]
    fn every_key_that_is_granted_or_within_reach_has_an_answer_and_a_reason() {
        let sample = SampleOrg::new();
        let SampleOrg { web, ops, alpha, beta, secret, .. } = sample;
        let granted = [alpha, secret];
        assert_eq!(
            said(&[web, ops], &[web], &granted, &mut sample.draft()),
            [
                "ALPHA yes: granted",
                "BETA no: not granted",
                "SECRET no: excluded for web in production, a group of the agent; \
                 excluded for web in production, a group of the gateway",
            ]
        );
        assert_eq!(
            said(&[ops], &[ops], &[alpha, beta, secret], &mut sample.draft()),
            [
                "BETA yes: granted",
                "SECRET yes: granted",
                "ALPHA no: no group of the agent has a deployment with it; \
                 no group of the gateway has a deployment with it",
            ]
        );
        assert_eq!(said(&[web], &[], &[], &mut sample.draft()), Vec::<String>::new());
    }
}
