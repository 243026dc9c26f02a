//! Changes of ORG that need no cryptography: groups, deployments, mappings, exclusions. Pure.
//!
//! Each change leaves ORG consistent: nothing refers to something removed, names are unique in their kind, and a group that takes
//! no new keys by itself gets none.

use std::collections::BTreeSet;

use keyward_wire::api::write::NewKeys;
use keyward_wire::name::{EnvName, Name};
use keyward_wire::{DeploymentId, GroupId, IdentityId, KeyId};

use crate::new_id;
use crate::state::org::{Assignment, Deployment, Group, Mapping, Org};

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Something of the same kind has this name.
    #[error("there is {kind} named {name} already")]
    NameTaken {
        /// The kind, with its article.
        kind: &'static str,
        /// The name.
        name: Name,
    },
    /// Another key is mapped to this variable in the deployment.
    #[error("another key is already mapped to {0} there")]
    VariableTaken(EnvName),
    /// ORG does not have what the change refers to.
    #[error("it is not there (any more)")]
    NotThere,
}

impl Org {
    /// Adds an empty deployment.
    ///
    /// # Errors
    /// [`EditError::NameTaken`] if another deployment has this name.
    pub fn add_deployment(&mut self, name: Name) -> Result<DeploymentId, EditError> {
        check_name_free("a deployment", &name, self.deployments.iter().map(|d| &d.name))?;
        let id = new_id();
        self.deployments.push(Deployment { id, name, provider: None, mappings: Vec::new() });
        Ok(id)
    }

    /// Renames a deployment.
    ///
    /// # Errors
    /// [`EditError::NameTaken`] if another deployment has this name, [`EditError::NotThere`] if this one is not in ORG.
    pub fn rename_deployment(&mut self, id: DeploymentId, name: Name) -> Result<(), EditError> {
        check_name_free(
            "a deployment",
            &name,
            self.deployments.iter().filter(|d| d.id != id).map(|d| &d.name),
        )?;
        self.deployment_mut(id).ok_or(EditError::NotThere)?.name = name;
        Ok(())
    }

    /// Removes a deployment, its mappings and its assignments.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if it is not in ORG.
    pub fn remove_deployment(&mut self, id: DeploymentId) -> Result<(), EditError> {
        remove_where(&mut self.deployments, |d| d.id == id)?;
        self.assignments.retain(|a| a.deployment != id);
        Ok(())
    }

    /// Maps a key to a variable. A key that was not mapped in the deployment before is excluded at once for groups with
    /// `new_keys: deny`.
    ///
    /// # Errors
    /// [`EditError::VariableTaken`], [`EditError::NotThere`].
    pub fn map(&mut self, deployment: DeploymentId, key: KeyId, env: EnvName) -> Result<(), EditError> {
        self.key(key).ok_or(EditError::NotThere)?;
        let target = self.deployment_mut(deployment).ok_or(EditError::NotThere)?;
        if let Some(mapping) = target.mappings.iter().find(|mapping| mapping.env == env) {
            return if mapping.key == key { Ok(()) } else { Err(EditError::VariableTaken(env)) };
        }
        let is_new = target.mappings.iter().all(|mapping| mapping.key != key);
        target.mappings.push(Mapping { id: new_id(), key, env });
        let denying = |a: &&mut Assignment| a.deployment == deployment && a.new_keys == NewKeys::Deny;
        for assignment in self.assignments.iter_mut().filter(denying).filter(|_| is_new) {
            assignment.excluded.insert(key);
        }
        Ok(())
    }

    /// Removes every mapping of a key in a deployment. Exclusions of the key stay: mapped again, the key is still excluded.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the key is not mapped there.
    pub fn unmap(&mut self, deployment: DeploymentId, key: KeyId) -> Result<(), EditError> {
        let target = self.deployment_mut(deployment).ok_or(EditError::NotThere)?;
        remove_where(&mut target.mappings, |mapping| mapping.key == key)
    }

    /// Renames a key.
    ///
    /// # Errors
    /// [`EditError::NameTaken`] if another key has this name, [`EditError::NotThere`] if this one is not in ORG.
    pub fn rename_key(&mut self, id: KeyId, name: Name) -> Result<(), EditError> {
        check_name_free("a key", &name, self.keys.iter().filter(|k| k.id != id).map(|k| &k.name))?;
        self.key_mut(id).ok_or(EditError::NotThere)?.name = name;
        Ok(())
    }

    /// Removes a key, its mappings, its exclusions and its grants to agents.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if it is not in ORG.
    pub fn remove_key(&mut self, id: KeyId) -> Result<(), EditError> {
        remove_where(&mut self.keys, |k| k.id == id)?;
        for deployment in &mut self.deployments {
            deployment.mappings.retain(|mapping| mapping.key != id);
        }
        for assignment in &mut self.assignments {
            assignment.excluded.remove(&id);
        }
        for agent in &mut self.agents {
            agent.granted.remove(&id);
        }
        Ok(())
    }

    /// Adds an empty group.
    ///
    /// # Errors
    /// [`EditError::NameTaken`] if another group has this name.
    pub fn add_group(&mut self, name: Name) -> Result<GroupId, EditError> {
        check_name_free("a group", &name, self.groups.iter().map(|g| &g.name))?;
        let id = new_id();
        self.groups.push(Group { id, name });
        Ok(id)
    }

    /// Removes a group, its assignments and its memberships.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if it is not in ORG.
    pub fn remove_group(&mut self, id: GroupId) -> Result<(), EditError> {
        remove_where(&mut self.groups, |g| g.id == id)?;
        self.assignments.retain(|a| a.group != id);
        for identity in &mut self.identities {
            identity.groups.remove(&id);
        }
        for agent in &mut self.agents {
            agent.groups.remove(&id);
        }
        Ok(())
    }

    /// Removes an identity; of a gateway, its agents too.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if it is not in ORG.
    pub fn remove_identity(&mut self, id: IdentityId) -> Result<(), EditError> {
        remove_where(&mut self.identities, |identity| identity.id == id)?;
        self.agents.retain(|agent| agent.gateway != id);
        Ok(())
    }

    /// Puts an identity into a group.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the group or the identity is not in ORG.
    pub fn add_member(&mut self, group: GroupId, identity: IdentityId) -> Result<(), EditError> {
        self.group(group).ok_or(EditError::NotThere)?;
        self.groups_mut(identity)?.insert(group);
        Ok(())
    }

    /// Takes an identity out of a group.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the identity is not in ORG, or not in the group.
    pub fn remove_member(&mut self, group: GroupId, identity: IdentityId) -> Result<(), EditError> {
        if self.groups_mut(identity)?.remove(&group) { Ok(()) } else { Err(EditError::NotThere) }
    }

    /// Assigns a deployment to a group, or changes its assignment: `excluded` is added to the keys that were excluded before.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the group, the deployment or an excluded key is not in ORG.
    pub fn assign(
        &mut self,
        group: GroupId,
        deployment: DeploymentId,
        excluded: BTreeSet<KeyId>,
        new_keys: NewKeys,
    ) -> Result<(), EditError> {
        self.group(group).ok_or(EditError::NotThere)?;
        self.deployment(deployment).ok_or(EditError::NotThere)?;
        self.check_keys_exist(&excluded)?;
        if let Some(assignment) = self.assignment_mut(group, deployment) {
            assignment.excluded.extend(excluded);
            assignment.new_keys = new_keys;
        } else {
            self.assignments.push(Assignment { group, deployment, excluded, new_keys });
        }
        Ok(())
    }

    /// Takes a deployment from a group, and with it the group's exclusions there.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the deployment is not assigned to the group.
    pub fn unassign(&mut self, group: GroupId, deployment: DeploymentId) -> Result<(), EditError> {
        remove_where(&mut self.assignments, |a| a.group == group && a.deployment == deployment)
    }

    /// Excludes keys of an assigned deployment from a group.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the deployment is not assigned to the group, or a key is not in ORG.
    pub fn exclude(
        &mut self,
        group: GroupId,
        deployment: DeploymentId,
        keys: &BTreeSet<KeyId>,
    ) -> Result<(), EditError> {
        self.check_keys_exist(keys)?;
        self.assignment_mut(group, deployment).ok_or(EditError::NotThere)?.excluded.extend(keys);
        Ok(())
    }

    /// Lets a group read keys of an assigned deployment again.
    ///
    /// # Errors
    /// [`EditError::NotThere`] if the deployment is not assigned to the group.
    pub fn include(
        &mut self,
        group: GroupId,
        deployment: DeploymentId,
        keys: &BTreeSet<KeyId>,
    ) -> Result<(), EditError> {
        self.assignment_mut(group, deployment)
            .ok_or(EditError::NotThere)?
            .excluded
            .retain(|key| !keys.contains(key));
        Ok(())
    }

    pub(crate) fn check_keys_exist(&self, keys: &BTreeSet<KeyId>) -> Result<(), EditError> {
        if keys.iter().all(|key| self.key(*key).is_some()) { Ok(()) } else { Err(EditError::NotThere) }
    }

    fn groups_mut(&mut self, identity: IdentityId) -> Result<&mut BTreeSet<GroupId>, EditError> {
        let identity = self.identities.iter_mut().find(|i| i.id == identity).ok_or(EditError::NotThere)?;
        Ok(&mut identity.groups)
    }
}

/// Refuses a name that is among `others`, all of this `kind`.
pub(crate) fn check_name_free<'a>(
    kind: &'static str,
    name: &Name,
    mut others: impl Iterator<Item = &'a Name>,
) -> Result<(), EditError> {
    if others.any(|other| other == name) {
        Err(EditError::NameTaken { kind, name: name.clone() })
    } else {
        Ok(())
    }
}

pub(crate) fn remove_where<T>(list: &mut Vec<T>, gone: impl Fn(&T) -> bool) -> Result<(), EditError> {
    let before = list.len();
    list.retain(|item| !gone(item));
    if list.len() < before { Ok(()) } else { Err(EditError::NotThere) }
}

#[cfg(test)]
mod tests;
