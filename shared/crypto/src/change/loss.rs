//! Keys that a write takes from somebody. They are resealed, so that what that identity kept opens nothing stored, and marked as
//! exposed until the value is rotated (CRYPTO.md §1 I9).

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::access::readable;
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::{Envelope, IdentityId, KeyId};

use super::{ChangeError, Draft, open_current};
use crate::edit::EditError;
use crate::state::org::Exposure;

/// A key whose current value somebody could read before the write and may not after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The key.
    pub key: KeyId,
    /// The identities that lose it.
    pub identities: Vec<IdentityId>,
}

/// How an identity loses access to a key, as it is noted in ORG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// The key is excluded for a group of the identity's.
    Excluded,
    /// The key is no longer mapped in a deployment.
    Unmapped,
    /// The deployment is no longer assigned to a group.
    Unassigned,
    /// The identity is no longer a member of a group.
    LeftGroup,
    /// A group is deleted.
    GroupDeleted,
    /// A deployment is deleted.
    DeploymentDeleted,
    /// Somebody else may have what the identity has.
    Compromised,
}

impl LossReason {
    /// The reason as it stands in ORG, and as people are told it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Unmapped => "unmapped",
            Self::Unassigned => "unassigned",
            Self::LeftGroup => "left group",
            Self::GroupDeleted => "group deleted",
            Self::DeploymentDeleted => "deployment deleted",
            Self::Compromised => "compromised",
        }
    }
}

impl Draft {
    /// Keys that somebody loses by this write and that still exist, including those that get a new version.
    pub fn lost(&self) -> Vec<Lost> {
        let (old, new) = (self.before.facts(), self.org.facts());
        let still_there: BTreeSet<KeyId> = self.org.keys.iter().map(|key| key.id).collect();
        // The rule looks at groups alone, and thousands of identities share a few sets of groups: each pair of sets is judged
        // once.
        let mut steps = BTreeMap::new();
        let mut lost: BTreeMap<KeyId, Vec<IdentityId>> = BTreeMap::new();
        for identity in self.before.readers() {
            let now = match self.org.identity(identity.id) {
                Some(after) if after.role.administers() => continue,
                Some(after) => Some(&after.groups),
                None if self.compromised.contains(&identity.id) => None,
                None => continue,
            };
            let taken = steps.entry((&identity.groups, now)).or_insert_with(|| {
                let now = now.map(|groups| readable(groups, &new)).unwrap_or_default();
                let was = readable(&identity.groups, &old);
                let taken = was.keys().difference(now.keys()).filter(|key| still_there.contains(*key));
                taken.copied().collect::<Vec<KeyId>>()
            });
            for key in taken {
                lost.entry(*key).or_default().push(identity.id);
            }
        }
        lost.into_iter().map(|(key, identities)| Lost { key, identities }).collect()
    }

    /// Keys whose current SECRET must be resealed before [`finish`](Self::finish).
    pub fn to_reseal(&self) -> Vec<KeyId> {
        let written: BTreeSet<KeyId> = self.secrets.iter().map(|secret| secret.key).collect();
        self.lost().into_iter().map(|lost| lost.key).filter(|key| !written.contains(key)).collect()
    }

    /// Seals the current value again under a fresh DEK.
    ///
    /// # Errors
    /// [`ChangeError::Integrity`] if `envelope` is not the key's current SECRET.
    pub fn reseal(&mut self, id: KeyId, envelope: &Envelope) -> Result<(), ChangeError> {
        let key = self.org.key(id).ok_or(EditError::NotThere)?;
        let (version, reseal) = (key.version, key.reseal + 1);
        let secret = open_current(&self.org, key, envelope)?;
        let (dek, envelope) = self.seal_secret(id, version, reseal, &secret)?;
        let key = self.org.key_mut(id).ok_or(EditError::NotThere)?;
        (key.dek, key.reseal, key.sha256) = (dek, reseal, envelope.sha256());
        self.secrets.push(SecretItem { key: id, version, reseal, env: envelope });
        Ok(())
    }

    /// Marks, for each key that was lost, who still knows its value. A version written in the same write is not known to them.
    pub(super) fn mark_exposed(&mut self) {
        for Lost { key, identities } in self.lost() {
            let Some(version) = self.before.key(key).map(|was| was.version) else { continue };
            for id in identities {
                let Some(identity) = self.before.identity(id) else { continue };
                let compromised = self.compromised.contains(&id);
                let why = if compromised { LossReason::Compromised } else { self.loss_reason }.as_str();
                let (name, at) = (identity.name.clone(), self.author.now);
                if let Some(key) = self.org.key_mut(key) {
                    key.exposed.retain(|exposure| exposure.identity_name != name);
                    key.exposed.push(Exposure { identity_name: name, version, at, why: why.to_owned() });
                }
            }
        }
    }
}
