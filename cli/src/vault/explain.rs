//! Why an identity can or cannot read a variable. Pure: computed from the facts of the access rule, and held against the rule
//! itself.

use std::collections::BTreeSet;

use keyward_wire::access::{Facts, MappingFact, Readable, readable};
use keyward_wire::{DeploymentId, GroupId, KeyId};

/// A variable, and why it may or may not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The variable.
    pub mapping: MappingFact,
    /// Whether it may be read, and why.
    pub access: Access,
}

/// Why a variable may or may not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The variable's deployment is assigned to these groups, and nothing excludes its key.
    Through(BTreeSet<GroupId>),
    /// All of these reasons stand in the way.
    Denied(Vec<Reason>),
}

/// A reason why a variable may not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The variable's deployment is assigned to none of the groups.
    NotAssigned,
    /// The variable's key is excluded for this group from this deployment, and so everywhere.
    Excluded(GroupId, DeploymentId),
}

/// Every variable of every deployment, and whether the members of `groups` may read it.
pub fn explain(groups: &BTreeSet<GroupId>, facts: &Facts) -> Vec<Explained> {
    let readable = readable(groups, facts);
    facts
        .mappings
        .iter()
        .map(|mapping| Explained { mapping: *mapping, access: access(groups, facts, &readable, mapping) })
        .collect()
}

/// An exclusion that takes away what another assignment gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Override {
    /// The key.
    pub key: KeyId,
    /// The group and deployment where the key is excluded.
    pub excluded: (GroupId, DeploymentId),
    /// The group and deployment where the key is included, without effect.
    pub included: (GroupId, DeploymentId),
}

/// Exclusions that win, for the members of `groups`, over an assignment that includes the key (CRYPTO.md §2.6).
pub fn overrides(groups: &BTreeSet<GroupId>, facts: &Facts) -> BTreeSet<Override> {
    let mapped: BTreeSet<(DeploymentId, KeyId)> =
        facts.mappings.iter().map(|mapping| (mapping.deployment, mapping.key)).collect();
    let mut found = BTreeSet::new();
    for (group, deployment, key) in exclusions_of(groups, facts) {
        for included in assignments_of(groups, facts) {
            let maps = mapped.contains(&(included.1, key));
            if maps && !facts.exclusions.contains(&(included.0, included.1, key)) {
                found.insert(Override { key, excluded: (group, deployment), included });
            }
        }
    }
    found
}

fn access(groups: &BTreeSet<GroupId>, facts: &Facts, readable: &Readable, mapping: &MappingFact) -> Access {
    let through: BTreeSet<GroupId> = assignments_of(groups, facts)
        .filter(|(_, deployment)| *deployment == mapping.deployment)
        .map(|(group, _)| group)
        .collect();
    if readable.mappings().contains(&mapping.id) {
        return Access::Through(through);
    }
    let not_assigned = through.is_empty().then_some(Reason::NotAssigned);
    let excluded = exclusions_of(groups, facts)
        .filter(|(_, _, key)| *key == mapping.key)
        .map(|(group, deployment, _)| Reason::Excluded(group, deployment));
    Access::Denied(not_assigned.into_iter().chain(excluded).collect())
}

fn assignments_of(
    groups: &BTreeSet<GroupId>,
    facts: &Facts,
) -> impl Iterator<Item = (GroupId, DeploymentId)> {
    facts.assignments.iter().filter(|(group, _)| groups.contains(group)).copied()
}

/// The exclusions that count: an exclusion counts while its deployment is assigned to its group.
fn exclusions_of(
    groups: &BTreeSet<GroupId>,
    facts: &Facts,
) -> impl Iterator<Item = (GroupId, DeploymentId, KeyId)> {
    let counts = |group: GroupId, deployment: DeploymentId| {
        groups.contains(&group) && facts.assignments.contains(&(group, deployment))
    };
    facts.exclusions.iter().filter(move |(group, deployment, _)| counts(*group, *deployment)).copied()
}

#[cfg(test)]
mod tests {
    use keyward_wire::MappingId;
    use proptest::prelude::*;

    use super::*;

    const fn key(n: u8) -> KeyId {
        KeyId::from_bytes([n; 16])
    }
    const fn group(n: u8) -> GroupId {
        GroupId::from_bytes([n; 16])
    }
    const fn deployment(n: u8) -> DeploymentId {
        DeploymentId::from_bytes([n; 16])
    }
    fn mapping(n: u8, d: u8, k: u8) -> MappingFact {
        MappingFact { id: MappingId::from_bytes([n; 16]), deployment: deployment(d), key: key(k) }
    }

    /// Group 1 has deployment 1 without key 2; group 2 has deployment 2; deployment 3 is nobody's.
    fn sample() -> Facts {
        Facts {
            mappings: vec![mapping(1, 1, 1), mapping(2, 1, 2), mapping(3, 2, 2), mapping(4, 3, 1)],
            assignments: [(group(1), deployment(1)), (group(2), deployment(2))].into(),
            exclusions: [(group(1), deployment(1), key(2))].into(),
        }
    }

    fn answers(groups: &[u8]) -> Vec<Access> {
        let groups = groups.iter().copied().map(group).collect();
        explain(&groups, &sample()).into_iter().map(|explained| explained.access).collect()
    }

    #[test]
    fn each_variable_has_its_path_or_every_reason_against_it() {
        let excluded = Reason::Excluded(group(1), deployment(1));
        let through = |g| Access::Through([group(g)].into());
        let denied = |reasons: &[Reason]| Access::Denied(reasons.to_vec());
        let not_assigned = || denied(&[Reason::NotAssigned]);
        assert_eq!(
            answers(&[1]),
            [through(1), denied(&[excluded]), denied(&[Reason::NotAssigned, excluded]), not_assigned()]
        );
        assert_eq!(answers(&[2]), [not_assigned(), not_assigned(), through(2), not_assigned()]);
        assert_eq!(
            answers(&[1, 2]),
            [through(1), denied(&[excluded]), denied(&[excluded]), not_assigned()],
            "an exclusion in one group wins over the other group"
        );
        assert_eq!(answers(&[]), vec![not_assigned(); 4]);
    }

    #[test]
    fn an_override_is_an_inclusion_in_vain() {
        let of = |groups: &[u8]| overrides(&groups.iter().copied().map(group).collect(), &sample());
        assert_eq!(of(&[1]), [].into());
        assert_eq!(of(&[2]), [].into());
        let both = Override {
            key: key(2),
            excluded: (group(1), deployment(1)),
            included: (group(2), deployment(2)),
        };
        assert_eq!(of(&[1, 2]), [both].into());
    }

    #[test]
    fn where_both_assignments_exclude_a_key_nothing_is_overridden() {
        let mut facts = sample();
        facts.exclusions.insert((group(2), deployment(2), key(2)));
        assert_eq!(overrides(&[group(1), group(2)].into(), &facts), [].into());
    }

    fn facts() -> impl Strategy<Value = Facts> {
        let small = 0_u8..4;
        let mappings = proptest::collection::vec((small.clone(), 0_u8..6), 0..12);
        let assignments = proptest::collection::btree_set((small.clone(), small.clone()), 0..8);
        let exclusions = proptest::collection::btree_set((small.clone(), small, 0_u8..6), 0..8);
        (mappings, assignments, exclusions).prop_map(|(mappings, assignments, exclusions)| Facts {
            mappings: (0_u8..).zip(mappings).map(|(n, (d, k))| mapping(n, d, k)).collect(),
            assignments: assignments.into_iter().map(|(g, d)| (group(g), deployment(d))).collect(),
            exclusions: exclusions.into_iter().map(|(g, d, k)| (group(g), deployment(d), key(k))).collect(),
        })
    }

    proptest! {
        /// The reasons are found without the rule; that they add up to its answer shows that they are the reasons.
        #[test]
        fn a_variable_is_denied_with_a_reason_and_granted_without_one(
            facts in facts(),
            groups in proptest::collection::btree_set(0_u8..4, 0..4),
        ) {
            let groups: BTreeSet<GroupId> = groups.into_iter().map(group).collect();
            let truth = readable(&groups, &facts);
            let explained = explain(&groups, &facts);
            prop_assert_eq!(explained.len(), facts.mappings.len());
            for Explained { mapping, access } in explained {
                let excluded = exclusions_of(&groups, &facts).any(|(_, _, key)| key == mapping.key);
                match access {
                    Access::Through(through) => {
                        prop_assert!(truth.mappings().contains(&mapping.id) && !excluded);
                        prop_assert!(!through.is_empty() && through.is_subset(&groups));
                    }
                    Access::Denied(reasons) => {
                        prop_assert!(!truth.mappings().contains(&mapping.id));
                        prop_assert!(!reasons.is_empty());
                        prop_assert_eq!(reasons.iter().any(|r| matches!(r, Reason::Excluded(..))), excluded);
                    }
                }
            }
        }

        /// An override says of itself that without its exclusion, and all others of the key, the key could be read.
        #[test]
        fn an_override_is_lifted_by_lifting_the_exclusions_of_its_key(
            facts in facts(),
            groups in proptest::collection::btree_set(0_u8..4, 0..4),
        ) {
            let groups: BTreeSet<GroupId> = groups.into_iter().map(group).collect();
            for over in overrides(&groups, &facts) {
                prop_assert!(!readable(&groups, &facts).keys().contains(&over.key));
                let mut lifted = facts.clone();
                lifted.exclusions.retain(|(_, _, key)| *key != over.key);
                prop_assert!(readable(&groups, &lifted).keys().contains(&over.key));
            }
        }
    }
}
