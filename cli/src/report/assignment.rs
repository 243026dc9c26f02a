//! What a group may read of a deployment that is assigned to it, as `show` prints it.

use std::collections::BTreeSet;

use keyward_crypto::state::org::{Assignment, Org};
use keyward_wire::access::{Facts, readable};
use keyward_wire::api::write::NewKeys;
use keyward_wire::{DeploymentId, GroupId, KeyId};
use serde::Serialize;

/// A thing and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Named<I> {
    pub(crate) id: I,
    pub(crate) name: String,
}

/// An assignment, as the members of its group stand to its deployment, those of no other group.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AssignmentSummary {
    pub(crate) group: Named<GroupId>,
    pub(crate) deployment: Named<DeploymentId>,
    new_keys: NewKeys,
    readable: Vec<String>,
    excluded: Vec<Denied>,
}

/// A key that the group may not read.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Denied {
    key: String,
    /// Whether the deployment maps it at all.
    mapped: bool,
    /// Where it is excluded for the group: one exclusion counts everywhere.
    excluded_in: Vec<String>,
}

impl AssignmentSummary {
    /// The summary of one assignment of ORG; `facts` are those of the same ORG.
    pub(crate) fn of(org: &Org, facts: &Facts, assignment: &Assignment) -> Self {
        let Assignment { group, deployment, excluded, new_keys } = assignment;
        let can_read = readable(&[*group].into(), facts);
        let mapped: BTreeSet<KeyId> =
            facts.mappings.iter().filter(|m| m.deployment == *deployment).map(|m| m.key).collect();
        let shown = org.keys.iter().filter(|key| mapped.contains(&key.id) || excluded.contains(&key.id));
        let (allowed, denied): (Vec<_>, Vec<_>) =
            shown.partition(|key| mapped.contains(&key.id) && can_read.keys().contains(&key.id));
        let denied = denied.into_iter().map(|key| Denied {
            key: key.name.to_string(),
            mapped: mapped.contains(&key.id),
            excluded_in: excluded_in(org, *group, key.id),
        });
        let group_name = org.group(*group).map(|group| group.name.to_string());
        let deployment_name = org.deployment(*deployment).map(|deployment| deployment.name.to_string());
        let mut assigned = Self {
            group: Named { id: *group, name: group_name.unwrap_or_default() },
            deployment: Named { id: *deployment, name: deployment_name.unwrap_or_default() },
            new_keys: *new_keys,
            readable: allowed.into_iter().map(|key| key.name.to_string()).collect(),
            excluded: denied.collect(),
        };
        assigned.readable.sort_unstable();
        assigned.excluded.sort_by(|a, b| a.key.cmp(&b.key));
        assigned
    }

    /// `3/5 keys`.
    pub(crate) fn count(&self) -> String {
        let mapped = self.readable.len() + self.excluded.iter().filter(|key| key.mapped).count();
        format!("{}/{mapped} {}", self.readable.len(), if mapped == 1 { "key" } else { "keys" })
    }

    /// What happens to keys that are mapped later, in words.
    pub(crate) fn new_keys(&self) -> &'static str {
        match self.new_keys {
            NewKeys::Allow => "allowed",
            NewKeys::Deny => "excluded",
        }
    }

    /// The names on each side, indented.
    pub(crate) fn sides(&self) -> Vec<String> {
        let excluded = |key: &Denied| {
            let here = key.excluded_in.contains(&self.deployment.name);
            match (key.mapped, here) {
                (true, true) => key.key.clone(),
                (true, false) => format!("{} (in {})", key.key, key.excluded_in.join(", ")),
                (false, _) => format!("{} (not mapped)", key.key),
            }
        };
        let side = |word: &str, names: Vec<String>| {
            let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
            format!("  {word}  {names}")
        };
        vec![
            side("readable", self.readable.clone()),
            side("excluded", self.excluded.iter().map(excluded).collect()),
        ]
    }
}

fn excluded_in(org: &Org, group: GroupId, key: KeyId) -> Vec<String> {
    let excluding = org.assignments.iter().filter(|a| a.group == group && a.excluded.contains(&key));
    let names = excluding.filter_map(|a| org.deployment(a.deployment));
    names.map(|deployment| deployment.name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SampleOrg;

    fn assigned(org: &Org, group: GroupId, deployment: DeploymentId) -> AssignmentSummary {
        AssignmentSummary::of(org, &org.facts(), org.assignment(group, deployment).unwrap())
    }

    #[test]
    fn both_sides_of_an_assignment_are_counted_and_named() {
        let sample = SampleOrg::new();
        let web = assigned(&sample.org(), sample.web, sample.production);
        assert_eq!(web.count(), "2/3 keys");
        assert_eq!(web.sides(), ["  readable  ALPHA, BETA", "  excluded  SECRET"]);
        let ops = assigned(&sample.org(), sample.ops, sample.backup);
        assert_eq!((ops.count().as_str(), ops.new_keys()), ("2/2 keys", "excluded"));
        assert_eq!(ops.sides(), ["  readable  BETA, SECRET", "  excluded  –"]);
    }

    #[test]
    fn an_exclusion_in_another_deployment_or_of_an_unmapped_key_is_seen() {
        let sample = SampleOrg::new();
        let mut org = sample.org();
        org.assign(sample.web, sample.backup, BTreeSet::new(), NewKeys::Allow).unwrap();
        let backup = assigned(&org, sample.web, sample.backup);
        assert_eq!(backup.count(), "1/2 keys");
        assert_eq!(backup.sides(), ["  readable  BETA", "  excluded  SECRET (in production)"]);
        org.unmap(sample.production, sample.secret).unwrap();
        let production = assigned(&org, sample.web, sample.production);
        assert_eq!(production.count(), "2/2 keys");
        assert_eq!(production.sides()[1], "  excluded  SECRET (not mapped)");
    }

    #[test]
    fn a_key_with_two_variables_is_one_key() {
        let sample = SampleOrg::new();
        let mut org = sample.org();
        org.map(sample.production, sample.alpha, "AGAIN".parse().unwrap()).unwrap();
        assert_eq!(assigned(&org, sample.web, sample.production).count(), "2/3 keys");
    }
}
