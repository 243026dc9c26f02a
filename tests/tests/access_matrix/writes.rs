//! `POST /v1/org/write`: a write for each kind of change, and more where the role or the password matters.

use std::collections::BTreeSet;

use keyward_crypto::agent::NewAgent;
use keyward_crypto::change::Draft;
use keyward_crypto::state::org::{Identity, Org};
use keyward_crypto::state::roots::OrgKeyDocument;
use keyward_crypto::{derive_delivery, random_bytes};
use keyward_tests::insider::now;
use keyward_tests::world::secret;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::org::SecretRef;
use keyward_wire::api::write::{AgentState, NewEpoch, NewKeys, RootEnvelope, RootKind, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::Name;
use keyward_wire::{IdentityId, KeyId, Nonce};

use crate::callers::Who;
use crate::desk::Somebody;
use crate::land::{Land, add_key};
use crate::things::Things;

type Write = fn(&mut Land, &Things, Who) -> WriteRequest;

/// Every row. One that begins with a kind of change holds one of that kind.
pub(crate) const CASES: &[(&str, Write)] = &[
    ("new grants for everybody", |land, _, _| land.desk.draft(Draft::regrant_all)),
    ("add_key: mapped and readable", |land, things, _| {
        land.desk.draft(|draft| add_key(draft, things.deployment, "thing_new", "4"))
    }),
    ("change_key", |land, things, _| org(land, |org| org.rename_key(things.key, new_name()).unwrap())),
    ("remove_key", |land, things, _| org(land, |org| org.remove_key(things.key).unwrap())),
    ("a new version of a key", |land, things, _| {
        land.desk.draft(|draft| draft.add_version(things.key, &secret("5")).unwrap())
    }),
    ("an old version forgotten", |land, things, _| {
        let newer = land.desk.draft(|draft| draft.add_version(things.key, &secret("6")).unwrap());
        land.desk.apply(&newer);
        let mut write = org(land, |org| org.key_mut(things.key).unwrap().history.pop());
        let version = land.desk.insider.org.key(things.key).unwrap().version - 1;
        write.drop_secrets = vec![SecretRef { key: things.key, version }];
        write
    }),
    ("add_deployment", |land, _, _| org(land, |org| org.add_deployment(new_name()).unwrap())),
    ("change_deployment", |land, things, _| {
        org(land, |org| org.rename_deployment(things.deployment, new_name()).unwrap())
    }),
    ("remove_deployment", |land, things, _| {
        org(land, |org| org.remove_deployment(things.deployment).unwrap())
    }),
    ("add_mapping", |land, things, _| {
        org(land, |org| org.map(things.deployment, things.spare, "SPARE".parse().unwrap()).unwrap())
    }),
    ("change_mapping", |land, things, _| {
        org(land, |org| {
            org.deployment_mut(things.deployment).unwrap().mappings[0].env = "OTHER".parse().unwrap();
        })
    }),
    ("remove_mapping", |land, things, _| org(land, |org| org.unmap(things.deployment, things.key).unwrap())),
    ("add_group", |land, _, _| org(land, |org| org.add_group(new_name()).unwrap())),
    ("change_group", |land, things, _| {
        org(land, |org| {
            org.groups.iter_mut().find(|group| group.id == things.group).unwrap().name = new_name();
        })
    }),
    ("remove_group", |land, things, _| org(land, |org| org.remove_group(things.group).unwrap())),
    ("add_member", |land, things, _| org(land, |org| org.add_member(things.group, things.human.id).unwrap())),
    ("remove_member", |land, things, _| {
        org(land, |org| org.remove_member(things.group, things.viewer.id).unwrap())
    }),
    ("add_assignment", |land, things, _| {
        org(land, |org| org.assign(things.group, things.free, BTreeSet::new(), NewKeys::Deny).unwrap())
    }),
    ("change_assignment", |land, things, _| {
        org(land, |org| org.assign(things.group, things.deployment, BTreeSet::new(), NewKeys::Deny).unwrap())
    }),
    ("remove_assignment", |land, things, _| {
        org(land, |org| org.unassign(things.group, things.deployment).unwrap())
    }),
    ("add_exclusion", |land, things, _| {
        let keys = BTreeSet::from([things.key]);
        org(land, |org| org.exclude(things.group, things.deployment, &keys).unwrap())
    }),
    ("remove_exclusion", |land, things, _| {
        let keys = BTreeSet::from([things.excluded]);
        org(land, |org| org.include(things.group, things.deployment, &keys).unwrap())
    }),
    ("add_identity: API user, own ESCROW", |land, _, who| {
        enrol(land, IdentityKind::Api, Role::User, Some(land.id(who)))
    }),
    ("add_identity: API user, ESCROW under RK", |land, _, _| {
        enrol(land, IdentityKind::Api, Role::User, None)
    }),
    ("add_identity: API user, another's ESCROW", |land, things, _| {
        enrol(land, IdentityKind::Api, Role::User, Some(things.admin.id))
    }),
    ("add_identity: human viewer", |land, _, who| {
        enrol(land, IdentityKind::Human, Role::Viewer, Some(land.id(who)))
    }),
    ("add_identity: admin", |land, _, who| enrol(land, IdentityKind::Human, Role::Admin, Some(land.id(who)))),
    ("add_identity: owner", |land, _, who| enrol(land, IdentityKind::Human, Role::Owner, Some(land.id(who)))),
    ("change_identity: end of a viewer", |land, things, _| ends(land, things.viewer.id)),
    ("change_identity: end of an admin", |land, things, _| ends(land, things.admin.id)),
    ("change_identity: end of an owner", |land, things, _| ends(land, things.owner.id)),
    ("change_identity: one's own end", |land, _, who| ends(land, own(land, who))),
    ("change_identity: viewer to user", |land, things, _| becomes(land, &things.viewer, Role::User)),
    ("change_identity: viewer to admin", |land, things, _| becomes(land, &things.human, Role::Admin)),
    ("change_identity: viewer to owner", |land, things, _| becomes(land, &things.human, Role::Owner)),
    ("change_identity: admin to viewer", |land, things, _| becomes(land, &things.admin, Role::Viewer)),
    ("change_identity: admin to owner", |land, things, _| becomes(land, &things.admin, Role::Owner)),
    ("change_identity: owner to admin", |land, things, _| becomes(land, &things.owner, Role::Admin)),
    ("remove_identity: viewer", |land, things, _| remove(land, &[things.viewer.id])),
    ("remove_identity: admin", |land, things, _| remove(land, &[things.admin.id])),
    ("remove_identity: owner", |land, things, _| remove(land, &[things.owner.id])),
    ("remove_identity: oneself", |land, _, who| remove(land, &[own(land, who)])),
    ("remove_identity: all owners", |land, things, _| {
        remove(land, &[things.owner.id, land.desk.insider.cred.id])
    }),
    ("add_identity: gateway", |land, _, who| {
        enrol(land, IdentityKind::Gateway, Role::Viewer, Some(land.id(who)))
    }),
    ("add_agent", |land, things, _| {
        let name = new_name();
        let (gateway, granted) = (things.gateway.id, BTreeSet::new());
        let new = NewAgent { name, gateway, groups: BTreeSet::new(), granted, not_after: None };
        org(land, |org| org.add_agent(new).unwrap())
    }),
    ("change_agent: another credential", |land, things, _| {
        org(land, |org| org.rotate_agent(things.agent).unwrap())
    }),
    ("change_agent: suspended", |land, things, _| {
        org(land, |org| org.set_agent_state(things.agent, AgentState::Suspended).unwrap())
    }),
    ("remove_agent", |land, things, _| org(land, |org| org.remove_agent(things.agent).unwrap())),
    ("add_agent_member", |land, things, _| {
        org(land, |org| {
            let group = org.add_group(new_name()).unwrap();
            org.add_agent_member(group, things.agent).unwrap();
        })
    }),
    ("remove_agent_member", |land, things, _| {
        org(land, |org| org.remove_agent_member(things.group, things.agent).unwrap())
    }),
    ("add_agent_key", |land, things, _| {
        org(land, |org| org.grant_agent(things.agent, &BTreeSet::from([things.spare])).unwrap())
    }),
    ("remove_agent_key", |land, things, _| {
        org(land, |org| org.revoke_agent(things.agent, &BTreeSet::from([things.key])).unwrap())
    }),
    ("another token for an API user", |land, things, _| {
        land.desk.draft(|draft| draft.issue_token(things.viewer.id, 1, &things.viewer.ik))
    }),
    ("a token dropped", |land, things, _| drops(land, things.viewer.id, CredentialKind::Token)),
    ("an admin's device dropped", |land, things, _| drops(land, things.admin.id, CredentialKind::Device)),
    ("an owner's device dropped", |land, things, _| drops(land, things.owner.id, CredentialKind::Device)),
    ("one's own device dropped", |land, _, who| drops(land, own(land, who), CredentialKind::Device)),
    ("ESCROW replaced, under own key", |land, things, who| escrow(land, &things.viewer, Some(land.id(who)))),
    ("ESCROW replaced, under RK", |land, things, _| escrow(land, &things.viewer, None)),
    ("ESCROW of an admin, under own key", |land, things, who| {
        escrow(land, &things.admin, Some(land.id(who)))
    }),
    ("ROOT of an owner", |land, things, _| roots(land, &things.owner, RootKind::Root)),
    ("ORGKEY_ADMIN of an admin", |land, things, _| roots(land, &things.admin, RootKind::OrgkeyAdmin)),
    ("ORGKEY_ROOT", |land, _, _| {
        let mut write = org(land, |_| ());
        write.roots = vec![orgkey_root(land, 1, land.desk.insider.org.nonce)];
        write
    }),
    // Last: afterwards this epoch's ORGKEYs open nothing.
    ("a new epoch", |land, _, _| epoch(land)),
];

/// The heading of the rows.
pub(crate) const HEAD: &str = "\
# POST /v1/org/write. Each is a whole and valid write on top of the current state, sealed by the owner, sent by everybody.
";

/// The kinds of change that a write holds.
pub(crate) fn kinds(write: &WriteRequest) -> BTreeSet<String> {
    let delta = serde_json::to_value(&write.delta).unwrap();
    delta.as_array().unwrap().iter().map(|change| change["do"].as_str().unwrap().to_owned()).collect()
}

fn org<T>(land: &Land, change: impl FnOnce(&mut Org) -> T) -> WriteRequest {
    land.desk.draft(|draft| change(&mut draft.org))
}

fn enrol(land: &Land, kind: IdentityKind, role: Role, creator: Option<IdentityId>) -> WriteRequest {
    let mut roots = Vec::new();
    let mut write = land.desk.draft(|draft| {
        (_, roots) = land.desk.enrol(draft, ("thing new", kind, role), BTreeSet::new(), creator);
    });
    write.roots = roots;
    write
}

fn ends(land: &Land, id: IdentityId) -> WriteRequest {
    org(land, |org| identity(org, id).not_after = Some(now() + 86_400_000))
}

fn becomes(land: &Land, somebody: &Somebody, role: Role) -> WriteRequest {
    let Identity { role: was, dk, .. } = land.desk.insider.org.identity(somebody.id).unwrap();
    let mut write = land.desk.draft(|draft| {
        identity(&mut draft.org, somebody.id).role = role;
        if was.administers() && !role.administers() {
            // Who could read everything loses everything: no key may stay as it was sealed.
            let keys: Vec<KeyId> = draft.org.keys.iter().map(|key| key.id).collect();
            for key in keys {
                draft.add_version(key, &secret("7")).unwrap();
            }
        }
    });
    write.roots = land.desk.roots(somebody.id, role, &somebody.ik, dk);
    write
}

fn remove(land: &Land, ids: &[IdentityId]) -> WriteRequest {
    org(land, |org| {
        for id in ids {
            // Whoever is not of the organisation removes nobody.
            let _not_there = org.remove_identity(*id);
        }
    })
}

fn drops(land: &Land, id: IdentityId, kind: CredentialKind) -> WriteRequest {
    let credential = land.desk.credential(id, kind).id;
    land.desk.draft(|draft| draft.drop_credential(credential))
}

fn escrow(land: &Land, somebody: &Somebody, creator: Option<IdentityId>) -> WriteRequest {
    let escrow = land.desk.escrow(somebody.id, creator, &somebody.ik);
    land.desk.draft(|draft| draft.add_escrow(escrow))
}

fn roots(land: &Land, somebody: &Somebody, kind: RootKind) -> WriteRequest {
    let Identity { role, dk, .. } = land.desk.insider.org.identity(somebody.id).unwrap();
    let mut write = org(land, |_| ());
    write.roots = land.desk.roots(somebody.id, *role, &somebody.ik, dk);
    write.roots.retain(|root| root.kind == kind);
    write
}

fn orgkey_root(land: &Land, epoch: u64, nonce: Nonce) -> RootEnvelope {
    let insider = &land.desk.insider;
    let env = OrgKeyDocument::new(&insider.ok, nonce).seal_for_root(&insider.root, insider.org.org, epoch);
    RootEnvelope { kind: RootKind::OrgkeyRoot, identity: None, generation: epoch, env }
}

/// The next epoch, for everybody. Only the owner's own ORGKEY_ADMIN truly opens.
fn epoch(land: &Land) -> WriteRequest {
    let insider = &land.desk.insider;
    let (epoch, nonce) = (insider.org.epoch + 1, Nonce::from_bytes(random_bytes()));
    let (org, owner) = (insider.org.org, insider.cred.id);
    let orgkey = OrgKeyDocument::new(&insider.ok, nonce);
    let mut roots = vec![orgkey_root(land, epoch, nonce)];
    let mut write = land.desk.draft(|draft| {
        (draft.org.epoch, draft.org.nonce) = (epoch, nonce);
        identity(&mut draft.org, owner).dk = derive_delivery(&insider.cred.ik, org, owner, epoch, &nonce);
        for admin in draft.org.identities.iter().filter(|identity| identity.role.administers()) {
            let env = orgkey.seal_for_admin(&admin.dk, org, admin.id, epoch);
            let (kind, identity) = (RootKind::OrgkeyAdmin, Some(admin.id));
            roots.push(RootEnvelope { kind, identity, generation: epoch, env });
        }
        draft.regrant_all();
    });
    write.roots = roots;
    write.epoch = Some(NewEpoch { epoch, nonce });
    write
}

/// Whoever asks; somebody else for those who are not of the organisation.
fn own(land: &Land, who: Who) -> IdentityId {
    let id = land.id(who);
    let org = &land.desk.insider.org;
    org.identity(id).or(org.identities.last()).unwrap().id
}

fn identity(org: &mut Org, id: IdentityId) -> &mut Identity {
    org.identities.iter_mut().find(|identity| identity.id == id).unwrap()
}

fn new_name() -> Name {
    "thing new".parse().unwrap()
}
