//! The facts that the access rule looks at: mappings, assignments, exclusions, memberships.

use std::collections::BTreeSet;

use keyward_wire::access::{Facts, MappingFact};
use keyward_wire::{GroupId, IdentityId, OrgId};

use super::StoreError;
use super::engine::{Tx, id, statements};

impl Tx {
    /// The relations of an organisation, for [`keyward_wire::access::readable`].
    pub async fn facts(&mut self, org: OrgId) -> Result<Facts, StoreError> {
        let (mut facts, here) = (Facts::default(), || vec![id(org)]);
        for row in self.all(MAPPINGS, here()).await? {
            facts.mappings.push(MappingFact {
                id: row.id("id")?,
                deployment: row.id("deployment_id")?,
                key: row.id("key_id")?,
            });
        }
        for row in self.all(ASSIGNMENTS, here()).await? {
            facts.assignments.insert((row.id("group_id")?, row.id("deployment_id")?));
        }
        for row in self.all(EXCLUSIONS, here()).await? {
            facts.exclusions.insert((row.id("group_id")?, row.id("deployment_id")?, row.id("key_id")?));
        }
        Ok(facts)
    }

    /// The groups of an identity.
    pub async fn groups_of(
        &mut self,
        org: OrgId,
        identity: IdentityId,
    ) -> Result<BTreeSet<GroupId>, StoreError> {
        let rows = self.all(GROUPS_OF, vec![id(org), id(identity)]).await?;
        rows.iter().map(|row| row.id("group_id")).collect()
    }
}

statements! {
    MAPPINGS = "select id, deployment_id, key_id from mappings where org_id = $1 order by id";
    ASSIGNMENTS = "select group_id, deployment_id from assignments where org_id = $1";
    EXCLUSIONS = "select group_id, deployment_id, key_id from exclusions where org_id = $1";
    GROUPS_OF = "select group_id from members where org_id = $1 and identity_id = $2";
}
