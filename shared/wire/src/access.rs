//! **The** access rule, the only one: readable = mapped − excluded.
//!
//! A pure function over plain facts. The server filters every answer with it; clients build views with it; the two can
//! not come to differ. Owners and admins bypass it (they are asked about nowhere near here). What an agent may have a
//! gateway use for it follows from the same rule, asked twice: [`usable`].

use std::collections::{BTreeMap, BTreeSet};

use crate::api::IdentityKind;
use crate::{DeploymentId, GroupId, IdentityId, KeyId, MappingId};

/// The identities that a view is for. Everybody with the same groups shares a view; a gateway has its own, since the view lists
/// its agents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// All people and API users in exactly these groups.
    Groups(BTreeSet<GroupId>),
    /// The view of this gateway.
    Gateway(IdentityId),
}

impl Audience {
    /// The audience that the identity `id` in `groups` belongs to.
    pub fn of(kind: IdentityKind, id: IdentityId, groups: &BTreeSet<GroupId>) -> Self {
        match kind {
            IdentityKind::Gateway => Self::Gateway(id),
            IdentityKind::Human | IdentityKind::Api => Self::Groups(groups.clone()),
        }
    }
}

/// The relations the rule looks at, for one organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Mappings: which key is mapped in which deployment.
    pub mappings: Vec<MappingFact>,
    /// Assignments: which deployment is assigned to which group.
    pub assignments: BTreeSet<(GroupId, DeploymentId)>,
    /// Exclusions: which key of an assigned deployment a group may not read.
    pub exclusions: BTreeSet<(GroupId, DeploymentId, KeyId)>,
}

/// A mapping, without its variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappingFact {
    /// The mapping itself.
    pub id: MappingId,
    /// The deployment that the key is mapped in.
    pub deployment: DeploymentId,
    /// The key.
    pub key: KeyId,
}

/// What the members of a set of groups may read. Made only by [`readable`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readable {
    keys: BTreeSet<KeyId>,
    deployments: BTreeSet<DeploymentId>,
    mappings: BTreeSet<MappingId>,
}

impl Readable {
    /// Keys whose values may be read.
    pub fn keys(&self) -> &BTreeSet<KeyId> {
        &self.keys
    }

    /// Deployments that may be seen: those assigned to one of the groups.
    pub fn deployments(&self) -> &BTreeSet<DeploymentId> {
        &self.deployments
    }

    /// Mappings that may be seen: those of a visible deployment to a readable key.
    pub fn mappings(&self) -> &BTreeSet<MappingId> {
        &self.mappings
    }
}

/// `readable(x) = {mapped in a deployment assigned to a group of x} − {excluded for any group of x}`.
///
/// An exclusion anywhere wins everywhere: also over the same key in another deployment or group, and also when its own
/// deployment no longer maps the key. It counts only while its deployment is assigned to its group.
pub fn readable(groups: &BTreeSet<GroupId>, facts: &Facts) -> Readable {
    let deployments: BTreeSet<DeploymentId> =
        facts.assignments.iter().filter(|(group, _)| groups.contains(group)).map(|(_, d)| *d).collect();
    let visible = || facts.mappings.iter().filter(|mapping| deployments.contains(&mapping.deployment));
    let excluded: BTreeSet<KeyId> = facts
        .exclusions
        .iter()
        .filter(|(group, deployment, _)| {
            groups.contains(group) && facts.assignments.contains(&(*group, *deployment))
        })
        .map(|(_, _, key)| *key)
        .collect();
    let keys: BTreeSet<KeyId> =
        visible().map(|mapping| mapping.key).filter(|key| !excluded.contains(key)).collect();
    let mappings =
        visible().filter(|mapping| keys.contains(&mapping.key)).map(|mapping| mapping.id).collect();
    Readable { keys, deployments, mappings }
}

/// `usable(agent) = readable(agent) ∩ granted ∩ readable(gateway)`: what a gateway may use for an agent to which the keys
/// `granted` were granted by name, `own` being what [`readable`] says for the agent's groups.
///
/// An exclusion counts on either side: one for a group of the agent withholds the key from this agent, one for a group of
/// the gateway from all of its agents.
pub fn usable(own: &Readable, granted: &BTreeSet<KeyId>, gateway: &Readable) -> BTreeSet<KeyId> {
    granted.iter().filter(|key| own.keys.contains(key) && gateway.keys.contains(key)).copied().collect()
}

/// [`usable`] for one agent of a gateway after another. Many agents share few sets of groups: the rule is computed once for each.
pub struct UsableKeys<'a> {
    gateway: &'a Readable,
    facts: &'a Facts,
    known: BTreeMap<BTreeSet<GroupId>, Readable>,
}

impl<'a> UsableKeys<'a> {
    /// For the agents of a gateway that may read `gateway`.
    pub fn new(gateway: &'a Readable, facts: &'a Facts) -> Self {
        Self { gateway, facts, known: BTreeMap::new() }
    }

    /// The keys that an agent in these `groups`, with these `granted`, may use.
    pub fn of(&mut self, groups: &BTreeSet<GroupId>, granted: &BTreeSet<KeyId>) -> BTreeSet<KeyId> {
        if let Some(own) = self.known.get(groups) {
            return usable(own, granted, self.gateway);
        }
        let own = readable(groups, self.facts);
        let keys = usable(&own, granted, self.gateway);
        self.known.insert(groups.clone(), own);
        keys
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn an_exclusion_in_one_group_wins_over_an_inclusion_in_another() {
        let facts = Facts {
            mappings: vec![mapping(1, 1, 1), mapping(2, 1, 2), mapping(3, 2, 1), mapping(4, 1, 1)],
            assignments: [(group(1), deployment(1)), (group(2), deployment(2))].into(),
            exclusions: [(group(1), deployment(1), key(1))].into(),
        };
        assert_eq!(*readable(&[group(1)].into(), &facts).keys(), [key(2)].into());
        assert_eq!(*readable(&[group(2)].into(), &facts).keys(), [key(1)].into());
        let both = readable(&[group(1), group(2)].into(), &facts);
        assert_eq!(*both.keys(), [key(2)].into());
        assert_eq!(*both.mappings(), [MappingId::from_bytes([2; 16])].into());
        assert_eq!(*both.deployments(), [deployment(1), deployment(2)].into());
        assert_eq!(readable(&BTreeSet::new(), &facts), Readable::default());
    }

    #[test]
    fn an_exclusion_of_a_deployment_that_is_not_assigned_excludes_nothing() {
        let facts = Facts {
            mappings: vec![mapping(1, 1, 1), mapping(2, 2, 1)],
            assignments: [(group(1), deployment(1))].into(),
            exclusions: [(group(1), deployment(2), key(1))].into(),
        };
        assert_eq!(*readable(&[group(1)].into(), &facts).keys(), [key(1)].into());
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
        /// The sentence of the documentation, read aloud, key by key.
        #[test]
        fn agrees_with_the_sentence(facts in facts(), groups in proptest::collection::btree_set(0_u8..4, 0..4)) {
            let groups: BTreeSet<GroupId> = groups.into_iter().map(group).collect();
            let answer = readable(&groups, &facts);
            for k in (0..6).map(key) {
                let (mut mapped, mut excluded) = (false, false);
                for g in &groups {
                    for (assigned_to, d) in &facts.assignments {
                        if assigned_to == g {
                            mapped |= facts.mappings.iter().any(|m| m.deployment == *d && m.key == k);
                            excluded |= facts.exclusions.contains(&(*g, *d, k));
                        }
                    }
                }
                prop_assert_eq!(answer.keys().contains(&k), mapped && !excluded);
            }
        }

        /// The sentence of the access rule for agents, tested key by key.
        #[test]
        fn an_agent_uses_what_it_and_its_gateway_may_read_and_was_granted(
            facts in facts(),
            own in proptest::collection::btree_set(0_u8..4, 0..4),
            gateway in proptest::collection::btree_set(0_u8..4, 0..4),
            granted in proptest::collection::btree_set(0_u8..6, 0..6),
        ) {
            let set = |groups: BTreeSet<u8>| -> BTreeSet<GroupId> { groups.into_iter().map(group).collect() };
            let (own, gateway) = (readable(&set(own), &facts), readable(&set(gateway), &facts));
            let granted: BTreeSet<KeyId> = granted.into_iter().map(key).collect();
            let answer = usable(&own, &granted, &gateway);
            for k in (0..6).map(key) {
                let both = own.keys().contains(&k) && gateway.keys().contains(&k);
                prop_assert_eq!(answer.contains(&k), both && granted.contains(&k));
            }
        }

        #[test]
        fn one_more_exclusion_never_adds_a_key(facts in facts(), g in 0_u8..4, d in 0_u8..4, k in 0_u8..6) {
            let groups: BTreeSet<GroupId> = (0..4).map(group).collect();
            let before = readable(&groups, &facts);
            let mut more = facts.clone();
            more.exclusions.insert((group(g), deployment(d), key(k)));
            prop_assert!(readable(&groups, &more).keys().is_subset(before.keys()));
        }
    }
}
