//! The organisation in plain sets, and the rule said naively: readable = mapped − excluded. Nothing here is keyward's.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::subsequence;

/// Numbers stand for names: key 2 is `key-2`, variable 2 is `VAR_2`.
pub(crate) type N = u8;

/// An operation of an administrator.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    AddKey(N),
    RemoveKey(N),
    NewVersion(N),
    AddDeployment(N),
    RemoveDeployment(N),
    Map { deployment: N, key: N, var: N },
    Unmap { deployment: N, key: N },
    AddGroup(N),
    RemoveGroup(N),
    Assign { group: N, deployment: N, excluded: Vec<N>, deny_new: bool },
    Unassign { group: N, deployment: N },
    Exclude { group: N, deployment: N, keys: Vec<N> },
    Include { group: N, deployment: N, keys: Vec<N> },
    AddMember { group: N, user: N },
    RemoveMember { group: N, user: N },
    AddUser { user: N, groups: Vec<N> },
    RemoveUser { user: N, compromised: bool },
    Rotate(N),
}

/// Any of them, on few names, so that they meet.
pub(crate) fn op() -> impl Strategy<Value = Op> {
    let (key, deployment, group, user, var) = (0..KEYS, 0..DEPLOYMENTS, 0..GROUPS, 0..USERS, 0..VARS);
    let some = |of: N| subsequence((0..of).collect::<Vec<_>>(), 0..=3_usize.min(of.into()));
    let at = (group.clone(), deployment.clone());
    prop_oneof![
        2 => key.clone().prop_map(Op::AddKey),
        1 => key.clone().prop_map(Op::RemoveKey),
        2 => key.clone().prop_map(Op::NewVersion),
        1 => deployment.clone().prop_map(Op::AddDeployment),
        1 => deployment.clone().prop_map(Op::RemoveDeployment),
        6 => (deployment.clone(), key.clone(), var)
            .prop_map(|(deployment, key, var)| Op::Map { deployment, key, var }),
        3 => (deployment, key).prop_map(|(deployment, key)| Op::Unmap { deployment, key }),
        1 => group.clone().prop_map(Op::AddGroup),
        1 => group.clone().prop_map(Op::RemoveGroup),
        4 => (at.clone(), some(KEYS), any::<bool>()).prop_map(|((group, deployment), excluded, deny_new)| {
            Op::Assign { group, deployment, excluded, deny_new }
        }),
        2 => at.clone().prop_map(|(group, deployment)| Op::Unassign { group, deployment }),
        4 => (at.clone(), some(KEYS))
            .prop_map(|((group, deployment), keys)| Op::Exclude { group, deployment, keys }),
        3 => (at, some(KEYS)).prop_map(|((group, deployment), keys)| Op::Include { group, deployment, keys }),
        4 => (group.clone(), user.clone()).prop_map(|(group, user)| Op::AddMember { group, user }),
        3 => (group, user.clone()).prop_map(|(group, user)| Op::RemoveMember { group, user }),
        2 => (user.clone(), some(GROUPS)).prop_map(|(user, groups)| Op::AddUser { user, groups }),
        1 => (user.clone(), any::<bool>())
            .prop_map(|(user, compromised)| Op::RemoveUser { user, compromised }),
        1 => user.prop_map(Op::Rotate),
    ]
}

/// An organisation to start from, in which something can be read.
pub(crate) fn beginning() -> Vec<Op> {
    let mut ops: Vec<Op> = (0..KEYS).map(Op::AddKey).collect();
    ops.extend((0..DEPLOYMENTS).map(Op::AddDeployment));
    ops.extend((0..GROUPS).map(Op::AddGroup));
    for key in 0..KEYS {
        ops.push(Op::Map { deployment: key % DEPLOYMENTS, key, var: key });
        ops.push(Op::Map { deployment: (key + 1) % DEPLOYMENTS, key, var: key });
    }
    for group in 0..GROUPS {
        ops.push(Op::Assign {
            group,
            deployment: group % DEPLOYMENTS,
            excluded: vec![group],
            deny_new: group > 0,
        });
    }
    for user in 0..USERS {
        ops.push(Op::AddUser { user, groups: vec![user % GROUPS] });
    }
    ops
}

/// The oracle: what is true.
#[derive(Debug, Clone, Default)]
pub(crate) struct Oracle {
    keys: BTreeMap<N, String>,
    deployments: BTreeMap<N, BTreeMap<N, N>>,
    groups: BTreeSet<N>,
    assigned: BTreeMap<(N, N), bool>,
    excluded: BTreeSet<(N, N, N)>,
    members: BTreeSet<(N, N)>,
    users: BTreeSet<N>,
    values: u32,
}

/// Deployment → variable → value, by their names.
pub(crate) type Readable = BTreeMap<String, BTreeMap<String, String>>;

impl Oracle {
    /// Does it. `false` if it makes no sense now; then nothing has changed.
    pub(crate) fn apply(&mut self, op: &Op) -> bool {
        if !self.makes_sense(op) {
            return false;
        }
        match op {
            Op::AddKey(key) | Op::NewVersion(key) => {
                self.values += 1;
                self.keys.insert(*key, format!("value {} of key-{key}", self.values));
            }
            Op::RemoveKey(key) => {
                self.keys.remove(key);
                self.deployments.values_mut().for_each(|mapped| mapped.retain(|_, k| k != key));
                self.excluded.retain(|(_, _, k)| k != key);
            }
            Op::AddDeployment(deployment) => _ = self.deployments.insert(*deployment, BTreeMap::new()),
            Op::RemoveDeployment(deployment) => {
                self.deployments.remove(deployment);
                self.assigned.retain(|(_, d), _| d != deployment);
                self.excluded.retain(|(_, d, _)| d != deployment);
            }
            Op::Map { deployment, key, var } => {
                let mapped = self.deployments.get_mut(deployment).unwrap();
                let is_new = !mapped.values().any(|k| k == key);
                mapped.insert(*var, *key);
                for ((group, _), _) in self.assigned.iter().filter(|((_, d), deny)| d == deployment && **deny)
                {
                    if is_new {
                        self.excluded.insert((*group, *deployment, *key));
                    }
                }
            }
            Op::Unmap { deployment, key } => {
                self.deployments.get_mut(deployment).unwrap().retain(|_, k| k != key);
            }
            Op::AddGroup(group) => _ = self.groups.insert(*group),
            Op::RemoveGroup(group) => {
                self.groups.remove(group);
                self.assigned.retain(|(g, _), _| g != group);
                self.excluded.retain(|(g, _, _)| g != group);
                self.members.retain(|(g, _)| g != group);
            }
            Op::Assign { group, deployment, excluded, deny_new } => {
                self.assigned.insert((*group, *deployment), *deny_new);
                self.excluded.extend(excluded.iter().map(|key| (*group, *deployment, *key)));
            }
            Op::Unassign { group, deployment } => {
                self.assigned.remove(&(*group, *deployment));
                self.excluded.retain(|(g, d, _)| (g, d) != (group, deployment));
            }
            Op::Exclude { group, deployment, keys } => {
                self.excluded.extend(keys.iter().map(|key| (*group, *deployment, *key)));
            }
            Op::Include { group, deployment, keys } => {
                self.excluded.retain(|(g, d, k)| (g, d) != (group, deployment) || !keys.contains(k));
            }
            Op::AddMember { group, user } => _ = self.members.insert((*group, *user)),
            Op::RemoveMember { group, user } => _ = self.members.remove(&(*group, *user)),
            Op::AddUser { user, groups } => {
                self.users.insert(*user);
                self.members.extend(groups.iter().map(|group| (*group, *user)));
            }
            Op::RemoveUser { user, .. } => {
                self.users.remove(user);
                self.members.retain(|(_, u)| u != user);
            }
            Op::Rotate(_) => {}
        }
        true
    }

    /// Value of a key.
    pub(crate) fn value(&self, key: N) -> &str {
        &self.keys[&key]
    }

    /// Users there are.
    pub(crate) fn users(&self) -> &BTreeSet<N> {
        &self.users
    }

    /// **The rule.**
    pub(crate) fn readable(&self, user: N) -> Readable {
        let mine = |group: &N| self.members.contains(&(*group, user));
        let excluded: BTreeSet<N> =
            self.excluded.iter().filter(|(group, _, _)| mine(group)).map(|(_, _, key)| *key).collect();
        let deployments = self.assigned.keys().filter(|(group, _)| mine(group)).map(|(_, d)| *d);
        self.named(deployments, |key| !excluded.contains(&key))
    }

    /// Everything, which an owner may read.
    pub(crate) fn everything(&self) -> Readable {
        self.named(self.deployments.keys().copied(), |_| true)
    }

    fn named(&self, deployments: impl Iterator<Item = N>, may: impl Fn(N) -> bool) -> Readable {
        let variables = |deployment| {
            let mapped = self.deployments[&deployment].iter().filter(|(_, key)| may(**key));
            mapped.map(|(var, key)| (format!("VAR_{var}"), self.keys[key].clone())).collect()
        };
        deployments.map(|deployment| (format!("deployment-{deployment}"), variables(deployment))).collect()
    }

    fn makes_sense(&self, op: &Op) -> bool {
        let key = |key: &N| self.keys.contains_key(key);
        let assigned = |group: &N, deployment: &N| self.assigned.contains_key(&(*group, *deployment));
        match op {
            Op::AddKey(k) => !key(k),
            Op::RemoveKey(k) | Op::NewVersion(k) => key(k),
            Op::AddDeployment(d) => !self.deployments.contains_key(d),
            Op::RemoveDeployment(d) => self.deployments.contains_key(d),
            Op::Map { deployment, key: k, var } => {
                key(k)
                    && self.deployments.get(deployment).is_some_and(|m| m.get(var).is_none_or(|is| is == k))
            }
            Op::Unmap { deployment, key } => {
                self.deployments.get(deployment).is_some_and(|mapped| mapped.values().any(|k| k == key))
            }
            Op::AddGroup(group) => !self.groups.contains(group),
            Op::RemoveGroup(group) => self.groups.contains(group),
            Op::Assign { group, deployment, excluded, .. } => {
                self.groups.contains(group)
                    && self.deployments.contains_key(deployment)
                    && excluded.iter().all(key)
            }
            Op::Unassign { group, deployment } | Op::Include { group, deployment, .. } => {
                assigned(group, deployment)
            }
            Op::Exclude { group, deployment, keys } => assigned(group, deployment) && keys.iter().all(key),
            Op::AddMember { group, user } => self.groups.contains(group) && self.users.contains(user),
            Op::RemoveMember { group, user } => self.members.contains(&(*group, *user)),
            Op::AddUser { user, groups } => {
                !self.users.contains(user) && groups.iter().all(|group| self.groups.contains(group))
            }
            Op::RemoveUser { user, .. } | Op::Rotate(user) => self.users.contains(user),
        }
    }
}

const KEYS: N = 6;
const DEPLOYMENTS: N = 3;
const GROUPS: N = 3;
const USERS: N = 4;
const VARS: N = 12;
