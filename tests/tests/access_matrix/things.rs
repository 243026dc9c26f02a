//! What writes are about: made anew whenever one of them was changed.

use std::collections::BTreeSet;

use keyward_crypto::agent::NewAgent;
use keyward_crypto::state::org::Org;
use keyward_tests::world::secret;
use keyward_wire::api::write::NewKeys;
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::Name;
use keyward_wire::{AgentId, DeploymentId, GroupId, IdentityId, KeyId};

use crate::desk::{Desk, Somebody};
use crate::land::add_key;

/// One thing of each kind, beside what the callers need.
pub(crate) struct Things {
    /// Mapped in `deployment`, and read by `viewer`.
    pub(crate) key: KeyId,
    /// Mapped there too, and excluded for `group`.
    pub(crate) excluded: KeyId,
    /// Mapped nowhere.
    pub(crate) spare: KeyId,
    /// Assigned to `group`.
    pub(crate) deployment: DeploymentId,
    /// Assigned to nobody.
    pub(crate) free: DeploymentId,
    /// A group with `viewer` in it.
    pub(crate) group: GroupId,
    /// An API user.
    pub(crate) viewer: Somebody,
    /// A gateway in `group`.
    pub(crate) gateway: Somebody,
    /// An agent of `gateway`, in `group`, with `key` granted.
    pub(crate) agent: AgentId,
    /// A human in no group, viewer.
    pub(crate) human: Somebody,
    pub(crate) admin: Somebody,
    pub(crate) owner: Somebody,
}

impl Things {
    /// New ones, in place of the old.
    pub(crate) fn new(desk: &mut Desk) -> Self {
        let (mut things, mut roots) = (None, Vec::new());
        let mut write = desk.draft(|draft| {
            let org = &mut draft.org;
            remove_all(org);
            let deployment = org.add_deployment("thing".parse().unwrap()).unwrap();
            let free = org.add_deployment("thing free".parse().unwrap()).unwrap();
            let group = org.add_group("thing".parse().unwrap()).unwrap();
            let key = add_key(draft, deployment, "thing_key", "1");
            let excluded = add_key(draft, deployment, "thing_excluded", "2");
            let spare = draft.add_key("thing_spare".parse().unwrap(), &secret("3")).unwrap();
            draft.org.assign(group, deployment, BTreeSet::from([excluded]), NewKeys::Allow).unwrap();
            let mut enrol = |name, kind, role, groups| {
                let (somebody, theirs) = desk.enrol(draft, (name, kind, role), groups, None);
                roots.extend(theirs);
                somebody
            };
            let viewer = enrol("thing viewer", IdentityKind::Api, Role::Viewer, BTreeSet::from([group]));
            let human = enrol("thing human", IdentityKind::Human, Role::Viewer, BTreeSet::new());
            let admin = enrol("thing admin", IdentityKind::Human, Role::Admin, BTreeSet::new());
            let owner = enrol("thing owner", IdentityKind::Human, Role::Owner, BTreeSet::new());
            let gateway =
                enrol("thing gateway", IdentityKind::Gateway, Role::Viewer, BTreeSet::from([group]));
            let (groups, granted) = (BTreeSet::from([group]), BTreeSet::from([key]));
            let name = "thing agent".parse().unwrap();
            let new = NewAgent { name, gateway: gateway.id, groups, granted, not_after: None };
            let (agent, _) = draft.org.add_agent(new).unwrap();
            things = Some(Self {
                key,
                excluded,
                spare,
                deployment,
                free,
                group,
                viewer,
                gateway,
                agent,
                human,
                admin,
                owner,
            });
        });
        write.roots = roots;
        desk.apply(&write);
        things.unwrap()
    }
}

/// Takes every thing away.
fn remove_all(org: &mut Org) {
    let is_thing = |name: &Name| name.as_str().starts_with("thing");
    let keys: Vec<KeyId> = org.keys.iter().filter(|k| is_thing(&k.name)).map(|k| k.id).collect();
    let groups: Vec<GroupId> = org.groups.iter().filter(|g| is_thing(&g.name)).map(|g| g.id).collect();
    let deployments: Vec<DeploymentId> =
        org.deployments.iter().filter(|d| is_thing(&d.name)).map(|d| d.id).collect();
    for key in keys {
        org.remove_key(key).unwrap();
    }
    for group in groups {
        org.remove_group(group).unwrap();
    }
    for deployment in deployments {
        org.remove_deployment(deployment).unwrap();
    }
    let identities: Vec<IdentityId> =
        org.identities.iter().filter(|i| is_thing(&i.name)).map(|i| i.id).collect();
    for identity in identities {
        org.remove_identity(identity).unwrap();
    }
}
