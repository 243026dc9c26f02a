//! Random edits, one organisation: the server's tables follow ORG, every reader has what the rule says, and no key that
//! somebody lost opens what is stored now.

use std::collections::{BTreeMap, BTreeSet};

use keyward_wire::api::IdentityKind;
use keyward_wire::api::write::{AgentState, NewKeys};
use keyward_wire::{AgentId, DeploymentId, GroupId, IdentityId, KeyId, Sha256};
use proptest::prelude::*;

use crate::agent::NewAgent;
use crate::change::Draft;
use crate::fixture::{Organisation, Tables, enrol, enrol_gateway, name, remove, value, variable};
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
    EnrolGateway(u8),
    AddAgent(u8, u8, u8),
    RenameAgent(u8),
    RemoveAgent(u8),
    RotateAgent(u8),
    GrantAgent(u8, u8),
    RevokeAgent(u8, u8),
    SuspendAgent(u8, bool),
    AddAgentMember(u8, u8),
    RemoveAgentMember(u8, u8),
    MoveAgents(u8, u8),
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
        2 => n().prop_map(Edit::EnrolGateway),
        4 => (n(), n(), n()).prop_map(|(w, g, k)| Edit::AddAgent(w, g, k)),
        1 => n().prop_map(Edit::RenameAgent),
        1 => n().prop_map(Edit::RemoveAgent),
        1 => n().prop_map(Edit::RotateAgent),
        4 => (n(), n()).prop_map(|(a, k)| Edit::GrantAgent(a, k)),
        2 => (n(), n()).prop_map(|(a, k)| Edit::RevokeAgent(a, k)),
        1 => (n(), any::<bool>()).prop_map(|(a, s)| Edit::SuspendAgent(a, s)),
        2 => (n(), n()).prop_map(|(g, a)| Edit::AddAgentMember(g, a)),
        1 => (n(), n()).prop_map(|(g, a)| Edit::RemoveAgentMember(g, a)),
        1 => (n(), n()).prop_map(|(g, h)| Edit::MoveAgents(g, h)),
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

/// Id, name, hash of its credential, end, keys.
type ShownAgent = (AgentId, String, Sha256, Option<i64>, BTreeSet<KeyId>);

/// What a reader would notice.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    groups: BTreeSet<GroupId>,
    keys: Vec<(KeyId, String, u64, u64)>,
    deployments: Vec<ViewDeployment>,
    agents: Vec<ShownAgent>,
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
            let served = self.organisation.server.tables.served(reader.cred.id);
            let listed =
                shown.agents.iter().map(|(id, .., not_after, keys)| (*id, (*not_after, keys.clone())));
            assert_eq!(listed.collect::<BTreeMap<_, _>>(), served, "agents have what the rule says twice");
            for (id, name, sha256, ..) in &shown.agents {
                let agent = org.agent(*id).unwrap();
                assert_eq!((agent.name.as_str(), agent.secret_sha256), (name.as_str(), *sha256));
            }
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
        let agent = |agent: &crate::state::view::ViewAgent| {
            let keys = agent.keys.iter().map(|key| key.key).collect();
            (agent.id, agent.name.to_string(), agent.secret_sha256, agent.not_after, keys)
        };
        Shown {
            groups: self.organisation.server.tables.readers()[&id].clone(),
            keys: verified.view.keys.iter().map(key).collect(),
            deployments: verified.view.deployments.clone(),
            agents: verified.view.agents.iter().map(agent).collect(),
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
            Edit::EnrolGateway(g) => {
                self.tokens.push(enrol_gateway(draft, rk, fresh.as_str(), group(draft, g)));
                self.enrolled.push(draft.org.identities.last()?.id);
            }
            Edit::AddAgent(w, g, k) => {
                let new = NewAgent {
                    name: fresh,
                    gateway: gateway(draft, w)?,
                    groups: group(draft, g).into_iter().collect(),
                    granted: key(draft, k).into_iter().collect(),
                    not_after: (k % 2 == 0).then_some(i64::from(counter)),
                };
                draft.org.add_agent(new).unwrap();
            }
            Edit::RenameAgent(a) => {
                let id = agent(draft, a)?;
                draft.org.agents.iter_mut().find(|agent| agent.id == id)?.name = fresh;
            }
            Edit::RemoveAgent(a) => draft.org.remove_agent(agent(draft, a)?).unwrap(),
            Edit::RotateAgent(a) => drop(draft.org.rotate_agent(agent(draft, a)?).unwrap()),
            Edit::GrantAgent(a, k) => {
                draft.org.grant_agent(agent(draft, a)?, &[key(draft, k)?].into()).unwrap();
            }
            Edit::RevokeAgent(a, k) => {
                draft.org.revoke_agent(agent(draft, a)?, &[key(draft, k)?].into()).unwrap();
            }
            Edit::SuspendAgent(a, suspended) => {
                let state = if suspended { AgentState::Suspended } else { AgentState::Active };
                draft.org.set_agent_state(agent(draft, a)?, state).unwrap();
            }
            Edit::AddAgentMember(g, a) => {
                draft.org.add_agent_member(group(draft, g)?, agent(draft, a)?).unwrap();
            }
            Edit::RemoveAgentMember(g, a) => {
                draft.org.remove_agent_member(group(draft, g)?, agent(draft, a)?).ok()?;
            }
            Edit::MoveAgents(g, h) => draft.org.move_agents(gateway(draft, g)?, gateway(draft, h)?),
            Edit::Remove(i) | Edit::Compromised(i) => {
                let id = reader(draft, i).filter(|id| !self.enrolled.contains(id))?;
                if matches!(edit, Edit::Compromised(_)) {
                    draft.mark_compromised(id);
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

fn agent(draft: &Draft, n: u8) -> Option<AgentId> {
    pick(&draft.org.agents, n).map(|agent| agent.id)
}

fn gateway(draft: &Draft, n: u8) -> Option<IdentityId> {
    let gateways = draft.org.identities.iter().filter(|i| i.kind == IdentityKind::Gateway);
    pick(&gateways.map(|gateway| gateway.id).collect::<Vec<_>>(), n).copied()
}

fn reader(draft: &Draft, n: u8) -> Option<IdentityId> {
    // The first is the owner.
    pick(draft.org.identities.get(1..)?, n).map(|identity| identity.id)
}

fn pick<T>(list: &[T], n: u8) -> Option<&T> {
    list.get(usize::from(n) % list.len().max(1))
}
