//! Random edits, one organisation: the server's tables follow ORG, every reader has what the rule says, and no key that
//! somebody lost opens what is stored now.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::api::write::NewKeys;
use keyward_wire::{DeploymentId, GroupId, IdentityId, KeyId};
use proptest::prelude::*;

use crate::change::Draft;
use crate::fixture::{Organisation, Tables, enrol, name, remove, value, variable};
use crate::key::{DataKey, RootKey};
use crate::state::cred::Cred;
use crate::state::local::Local;
use crate::state::secret::{Secret, SecretPlace};
use crate::state::view::ViewDeployment;
use crate::verify::{Floors, Verified, verify_bundle};

/// One edit. Numbers select among what there is; an edit that does not apply is skipped.
#[derive(Debug, Clone)]
enum Edit {
    AddKey,
    AddVersion(u8),
    Forget(u8, u8),
    RenameKey(u8),
    RemoveKey(u8),
    AddDeployment,
    RenameDeployment(u8),
    RemoveDeployment(u8),
    Map(u8, u8, u8),
    Unmap(u8, u8),
    AddGroup,
    RemoveGroup(u8),
    AddMember(u8, u8),
    RemoveMember(u8, u8),
    Assign(u8, u8, u8, bool),
    Unassign(u8, u8),
    Exclude(u8, u8, u8),
    Include(u8, u8, u8),
    Enrol(u8),
    Remove(u8),
    Compromised(u8),
    RenameOrganisation,
    Heartbeat,
}

fn edit() -> impl Strategy<Value = Edit> {
    let n = || 0_u8..6;
    prop_oneof![
        3 => Just(Edit::AddKey),
        2 => n().prop_map(Edit::AddVersion),
        1 => (n(), n()).prop_map(|(k, v)| Edit::Forget(k, v)),
        1 => n().prop_map(Edit::RenameKey),
        1 => n().prop_map(Edit::RemoveKey),
        2 => Just(Edit::AddDeployment),
        1 => n().prop_map(Edit::RenameDeployment),
        1 => n().prop_map(Edit::RemoveDeployment),
        6 => (n(), n(), n()).prop_map(|(d, k, e)| Edit::Map(d, k, e)),
        2 => (n(), n()).prop_map(|(d, k)| Edit::Unmap(d, k)),
        2 => Just(Edit::AddGroup),
        1 => n().prop_map(Edit::RemoveGroup),
        4 => (n(), n()).prop_map(|(g, i)| Edit::AddMember(g, i)),
        2 => (n(), n()).prop_map(|(g, i)| Edit::RemoveMember(g, i)),
        5 => (n(), n(), n(), any::<bool>()).prop_map(|(g, d, k, deny)| Edit::Assign(g, d, k, deny)),
        1 => (n(), n()).prop_map(|(g, d)| Edit::Unassign(g, d)),
        3 => (n(), n(), n()).prop_map(|(g, d, k)| Edit::Exclude(g, d, k)),
        3 => (n(), n(), n()).prop_map(|(g, d, k)| Edit::Include(g, d, k)),
        2 => n().prop_map(Edit::Enrol),
        1 => n().prop_map(Edit::Remove),
        1 => n().prop_map(Edit::Compromised),
        1 => Just(Edit::RenameOrganisation),
        1 => Just(Edit::Heartbeat),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn after_any_edits_everybody_has_exactly_what_the_rule_says(
        writes in prop::collection::vec(prop::collection::vec(edit(), 1..5), 1..16),
    ) {
        let mut world = World::new();
        for edits in &writes {
            world.write(edits);
        }
    }
}

struct World {
    organisation: Organisation,
    rk: RootKey,
    readers: BTreeMap<IdentityId, Reader>,
    /// DEKs of identities that were removed as compromised.
    leaked: Vec<(KeyId, DataKey)>,
    counter: u32,
}

struct Reader {
    cred: Cred,
    memory: Local,
    shown: Shown,
    /// Every DEK it ever saw.
    deks: Vec<(KeyId, DataKey)>,
}

/// What a reader would notice.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    groups: BTreeSet<GroupId>,
    keys: Vec<(KeyId, String, u64, u64)>,
    deployments: Vec<ViewDeployment>,
}

impl World {
    fn new() -> Self {
        let mut organisation = Organisation::new();
        let rk = organisation.root_key();
        let mut world = |users: &[&str]| {
            let tokens =
                organisation.write(|draft| users.iter().map(|u| enrol(draft, &rk, u, None)).collect());
            let tokens: Vec<crate::Token> = tokens;
            tokens.iter().map(|token| organisation.sign_in(token)).collect::<Vec<Cred>>()
        };
        let creds = world(&["one", "two", "three"]);
        let mut world = Self { organisation, rk, readers: BTreeMap::new(), leaked: Vec::new(), counter: 0 };
        for cred in creds {
            world.meet(cred);
        }
        world
    }

    fn meet(&mut self, cred: Cred) {
        let verified = self.verified(&cred, &Local::default());
        let shown = self.shown(cred.id, &verified);
        let deks = verified.view.keys.iter().map(|key| (key.id, key.dek.duplicate())).collect();
        self.readers.insert(cred.id, Reader { cred, memory: verified.seen, shown, deks });
    }

    fn write(&mut self, edits: &[Edit]) {
        let mut draft = self.organisation.draft();
        let mut made = Made::default();
        for edit in edits {
            self.counter += 1;
            made.apply(&mut draft, edit, self.counter, &self.rk);
        }
        let finished = self.organisation.finish(draft);
        self.organisation.apply(finished.request);
        for id in &made.removed {
            let reader = self.readers.remove(id);
            if made.compromised.contains(id) {
                self.leaked.extend(reader.into_iter().flat_map(|reader| reader.deks));
            }
        }
        self.check(made.heartbeat);
        for token in &made.tokens {
            let cred = self.organisation.sign_in(token);
            self.meet(cred);
        }
    }

    fn check(&mut self, heartbeat: bool) {
        let org = self.organisation.org();
        assert_eq!(self.organisation.server.tables, Tables::of(&org), "the delta leads where ORG says");
        let granted: BTreeSet<IdentityId> =
            self.organisation.last().grants.iter().map(|grant| grant.identity).collect();
        for mut reader in std::mem::take(&mut self.readers).into_values() {
            let verified = self.verified(&reader.cred, &reader.memory);
            let shown = self.shown(reader.cred.id, &verified);
            let expected = self.organisation.server.tables.readable(&shown.groups);
            let keys: BTreeSet<KeyId> = verified.view.keys.iter().map(|key| key.id).collect();
            assert_eq!(keys, expected, "the view is what the rule says");
            let grant_seq = self.organisation.server.grants[&reader.cred.id].seq;
            assert_eq!(org.identity(reader.cred.id).unwrap().grant_seq, Some(grant_seq));
            let noticed = shown != reader.shown;
            assert_eq!(
                granted.contains(&reader.cred.id),
                noticed || heartbeat,
                "a grant for who would notice"
            );
            reader.deks.extend(verified.view.keys.iter().map(|key| (key.id, key.dek.duplicate())));
            let lost = reader.deks.iter().filter(|(key, _)| !expected.contains(key));
            lost.for_each(|(key, dek)| assert!(!self.opens(dek, *key), "a key that was lost is resealed"));
            (reader.memory, reader.shown) = (verified.seen, shown);
            self.readers.insert(reader.cred.id, reader);
        }
        for (key, dek) in &self.leaked {
            assert!(!self.opens(dek, *key), "a key that was leaked is resealed");
        }
    }

    /// An honest answer is believed by a client with memory, and every value in it is the right one.
    fn verified(&self, cred: &Cred, memory: &Local) -> Verified {
        let bundle = self.organisation.server.bundle(cred.id);
        let floors = Floors { local: memory.clone(), ..Floors::default() };
        let verified = verify_bundle(cred, &bundle, &floors, self.organisation.now).unwrap();
        for key in &verified.view.keys {
            let expected = format!("{}-{}", key.id, key.version);
            assert_eq!(verified.secret(key, &bundle.secrets).unwrap().value.as_slice(), expected.as_bytes());
        }
        for deployment in &verified.view.deployments {
            let variables = verified.variables(deployment, &bundle.secrets, &[]).unwrap();
            assert_eq!(variables.len(), deployment.mappings.len());
        }
        verified
    }

    fn shown(&self, id: IdentityId, verified: &Verified) -> Shown {
        let key =
            |key: &crate::state::view::ViewKeyEntry| (key.id, key.name.to_string(), key.version, key.reseal);
        Shown {
            groups: self.organisation.server.tables.readers()[&id].clone(),
            keys: verified.view.keys.iter().map(key).collect(),
            deployments: verified.view.deployments.clone(),
        }
    }

    fn opens(&self, dek: &DataKey, key: KeyId) -> bool {
        let server = &self.organisation.server;
        if !server.tables.keys.contains(&key) {
            return false;
        }
        let item = server.current(key);
        let place = SecretPlace { org: server.org, key, version: item.version, reseal: item.reseal };
        Secret::open(dek, place, &item.env).is_ok()
    }
}

/// What came of a write's edits.
#[derive(Default)]
struct Made {
    tokens: Vec<crate::Token>,
    enrolled: Vec<IdentityId>,
    removed: Vec<IdentityId>,
    compromised: BTreeSet<IdentityId>,
    heartbeat: bool,
}

impl Made {
    fn apply(&mut self, draft: &mut Draft, edit: &Edit, counter: u32, rk: &RootKey) {
        let _skipped: Option<()> = self.try_apply(draft, edit, counter, rk);
    }

    fn try_apply(&mut self, draft: &mut Draft, edit: &Edit, counter: u32, rk: &RootKey) -> Option<()> {
        let fresh = name(&format!("name {counter}"));
        match *edit {
            Edit::AddKey => {
                let id = draft.add_key(fresh, &value("to be replaced")).unwrap();
                // The value tells which key and version it is.
                draft.add_version(id, &value(&format!("{id}-2"))).unwrap();
            }
            Edit::AddVersion(k) => {
                let key = key(draft, k)?;
                let version = draft.org.key(key)?.version + 1;
                draft.add_version(key, &value(&format!("{key}-{version}"))).ok()?;
            }
            Edit::Forget(k, v) => drop(draft.forget(key(draft, k)?, u64::from(v)).unwrap()),
            Edit::RenameKey(k) => draft.org.rename_key(key(draft, k)?, fresh).ok()?,
            Edit::RemoveKey(k) => draft.org.remove_key(key(draft, k)?).ok()?,
            Edit::AddDeployment => drop(draft.org.add_deployment(fresh).unwrap()),
            Edit::RenameDeployment(d) => draft.org.rename_deployment(deployment(draft, d)?, fresh).ok()?,
            Edit::RemoveDeployment(d) => draft.org.remove_deployment(deployment(draft, d)?).ok()?,
            Edit::Map(d, k, e) => {
                draft.org.map(deployment(draft, d)?, key(draft, k)?, variable(&format!("VAR_{e}"))).ok()?;
            }
            Edit::Unmap(d, k) => draft.org.unmap(deployment(draft, d)?, key(draft, k)?).ok()?,
            Edit::AddGroup => drop(draft.org.add_group(fresh).unwrap()),
            Edit::RemoveGroup(g) => draft.org.remove_group(group(draft, g)?).ok()?,
            Edit::AddMember(g, i) => draft.org.add_member(group(draft, g)?, reader(draft, i)?).ok()?,
            Edit::RemoveMember(g, i) => draft.org.remove_member(group(draft, g)?, reader(draft, i)?).ok()?,
            Edit::Assign(g, d, k, deny) => {
                let excluded = key(draft, k).into_iter().filter(|_| deny).collect();
                let new_keys = if deny { NewKeys::Deny } else { NewKeys::Allow };
                draft.org.assign(group(draft, g)?, deployment(draft, d)?, excluded, new_keys).ok()?;
            }
            Edit::Unassign(g, d) => draft.org.unassign(group(draft, g)?, deployment(draft, d)?).ok()?,
            Edit::Exclude(g, d, k) => {
                let keys = [key(draft, k)?].into();
                draft.org.exclude(group(draft, g)?, deployment(draft, d)?, &keys).ok()?;
            }
            Edit::Include(g, d, k) => {
                let keys = [key(draft, k)?].into();
                draft.org.include(group(draft, g)?, deployment(draft, d)?, &keys).ok()?;
            }
            Edit::Enrol(g) => {
                self.tokens.push(enrol(draft, rk, fresh.as_str(), group(draft, g)));
                self.enrolled.push(draft.org.identities.last()?.id);
            }
            Edit::Remove(i) | Edit::Compromised(i) => {
                let id = reader(draft, i).filter(|id| !self.enrolled.contains(id))?;
                if matches!(edit, Edit::Compromised(_)) {
                    draft.compromised(id);
                    self.compromised.insert(id);
                }
                remove(draft, id);
                self.removed.push(id);
            }
            Edit::RenameOrganisation => draft.org.org_name = fresh,
            Edit::Heartbeat => {
                draft.regrant_all();
                self.heartbeat = true;
            }
        }
        Some(())
    }
}

fn key(draft: &Draft, n: u8) -> Option<KeyId> {
    pick(&draft.org.keys, n).map(|key| key.id)
}

fn deployment(draft: &Draft, n: u8) -> Option<DeploymentId> {
    pick(&draft.org.deployments, n).map(|deployment| deployment.id)
}

fn group(draft: &Draft, n: u8) -> Option<GroupId> {
    pick(&draft.org.groups, n).map(|group| group.id)
}

fn reader(draft: &Draft, n: u8) -> Option<IdentityId> {
    // The first is the owner.
    pick(draft.org.identities.get(1..)?, n).map(|identity| identity.id)
}

fn pick<T>(list: &[T], n: u8) -> Option<&T> {
    list.get(usize::from(n) % list.len().max(1))
}
