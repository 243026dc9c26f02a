//! The operations carried out with the real client library, and what everybody can then really read.

use std::collections::{BTreeMap, BTreeSet};

use keyward_crypto::change::{ChangeError, Draft};
use keyward_crypto::enrol::{ApiUser, Enroller};
use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::org::Org;
use keyward_crypto::verify::{Floors, verify_bundle};
use keyward_crypto::{CredentialKeys, Token, derive_secret};
use keyward_tests::http::Request;
use keyward_tests::insider::{Insider, now, stored_halves};
use keyward_tests::machine::Machine;
use keyward_tests::server::Server;
use keyward_tests::world::secret;
use keyward_wire::api::bundle::Bundle;
use keyward_wire::api::write::{EscrowAnswer, NewKeys};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{CredentialId, DeploymentId, GroupId, IdentityId, KeyId};

use crate::oracle::{N, Op, Oracle, Readable};

/// An owner at work, and the tokens that were issued.
pub(crate) struct Hands<'a> {
    server: &'a Server,
    owner: &'a Machine,
    tokens: BTreeMap<N, (CredentialId, CredentialKeys)>,
}

impl<'a> Hands<'a> {
    /// Hands on an organisation that is emptied first.
    pub(crate) fn new(server: &'a Server, owner: &'a Machine) -> Self {
        let hands = Self { server, owner, tokens: BTreeMap::new() };
        let insider = hands.insider();
        let mut draft = insider.draft();
        draft.org.identities.retain(|identity| identity.role.administers());
        draft.org.groups.clear();
        draft.org.deployments.clear();
        draft.org.assignments.clear();
        draft.org.keys.clear();
        hands.send(&insider, draft);
        hands
    }

    /// Does in one write what makes sense of `ops`, in both worlds. What makes none is refused in both.
    pub(crate) fn write(&mut self, oracle: &mut Oracle, ops: &[Op]) {
        let insider = self.insider();
        let mut draft = insider.draft();
        let mut issued = Vec::new();
        let mut done: Vec<&Op> = Vec::new();
        for op in ops {
            if done.iter().any(|before| is_one_write_too_much(before, op)) {
                continue;
            }
            let makes_sense = oracle.apply(op);
            match self.edit(&insider, &mut draft, oracle, op) {
                Ok(token) => {
                    assert!(makes_sense, "{op:?} was done, but makes no sense");
                    issued.extend(token);
                    done.push(op);
                }
                Err(error) => assert!(!makes_sense, "{op:?} was refused: {error}"),
            }
        }
        self.send(&insider, draft);
        for (user, token) in issued {
            self.tokens.insert(user, (token.id, derive_secret(token.id, &token.secret)));
        }
        self.tokens.retain(|user, _| oracle.users().contains(user));
    }

    /// Everybody reads exactly what they may, whichever way they ask.
    pub(crate) fn check(&self, oracle: &Oracle) {
        assert_eq!(self.tokens.keys().collect::<Vec<_>>(), oracle.users().iter().collect::<Vec<_>>());
        for (user, (id, keys)) in &self.tokens {
            let reader = Reader { server: self.server, id: *id, keys };
            let expected = oracle.readable(*user);
            let (all, ids) = reader.read(None);
            assert_eq!(all, expected, "user {user}");
            for (name, id) in ids {
                let (one, _) = reader.read(Some(id));
                assert_eq!(one[&name], expected[&name], "user {user}, {name} alone");
            }
        }
        let (id, keys) = stored_halves(self.owner).into_keys();
        let reader = Reader { server: self.server, id, keys: &keys };
        let (expected, org) = (oracle.everything(), self.insider().org);
        assert_eq!(org.deployments.len(), expected.len());
        for deployment in org.deployments {
            let (one, _) = reader.read(Some(deployment.id));
            let name = deployment.name.to_string();
            assert_eq!(one[&name], expected[&name], "the owner, {name}");
        }
    }

    fn insider(&self) -> Insider {
        Insider::open(self.server, self.owner)
    }

    fn send(&self, insider: &Insider, draft: Draft) {
        let answer = insider.write(self.server, draft);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    fn edit(
        &self,
        insider: &Insider,
        draft: &mut Draft,
        oracle: &Oracle,
        op: &Op,
    ) -> Result<Option<(N, Token)>, ChangeError> {
        let ids = Ids::of(&draft.org);
        match op {
            Op::AddKey(key) => {
                // The oracle has no value for a key that it would not add.
                let value =
                    if ids.keys.contains_key(&format!("key-{key}")) { "" } else { oracle.value(*key) };
                draft.add_key(format!("key-{key}").parse().unwrap(), &secret(value))?;
            }
            Op::NewVersion(key) => {
                let id = ids.key(*key);
                let value = draft.org.key(id).map_or("", |_| oracle.value(*key));
                draft.add_version(id, &secret(value))?;
            }
            Op::AddUser { user, groups } => {
                let user_of = ApiUser {
                    kind: IdentityKind::Api,
                    name: format!("user-{user}").parse().unwrap(),
                    role: if user % 2 == 0 { Role::Viewer } else { Role::User },
                    groups: groups.iter().map(|group| ids.group(*group)).collect(),
                    not_after: None,
                };
                return Ok(Some((*user, draft.enrol_api_user(user_of, &insider.enroller())?)));
            }
            Op::Rotate(user) => {
                let Some(identity) = ids.users.get(&format!("user-{user}")) else { return Err(NOT_THERE) };
                return Ok(Some((*user, self.rotate(insider, draft, *identity))));
            }
            Op::RemoveUser { user, compromised } => {
                let Some(identity) = ids.users.get(&format!("user-{user}")) else { return Err(NOT_THERE) };
                if *compromised {
                    draft.mark_compromised(*identity);
                }
                draft.org.identities.retain(|other| other.id != *identity);
            }
            relation => edit_relations(&mut draft.org, &ids, relation)?,
        }
        Ok(None)
    }

    fn rotate(&self, insider: &Insider, draft: &mut Draft, identity: IdentityId) -> Token {
        let request = Request::get(&format!("/v1/escrows/{identity}")).by(&insider.authorization);
        let EscrowAnswer { escrow } = self.server.send(&request).read();
        let ik = Enroller::Owner(&insider.root).open(insider.cred.org, &escrow).unwrap();
        draft.issue_token(identity, escrow.ik_gen, &ik)
    }
}

/// Operations that the server, or common sense, wants in writes of their own: a user that comes and goes; and a choice
/// about a new key, for a group that takes none by itself, is another write than the mapping.
fn is_one_write_too_much(before: &Op, op: &Op) -> bool {
    let user = |op: &Op| match op {
        Op::AddUser { user, .. } | Op::RemoveUser { user, .. } | Op::Rotate(user) => Some(*user),
        _ => None,
    };
    let key = |op: &Op| match op {
        Op::AddKey(key) | Op::NewVersion(key) => Some(*key),
        _ => None,
    };
    let chooses = matches!(op, Op::Include { .. } | Op::Assign { .. });
    user(before).is_some() && user(before) == user(op)
        || key(before).is_some() && key(before) == key(op)
        || chooses && matches!(before, Op::Map { .. })
}

fn edit_relations(org: &mut Org, ids: &Ids, op: &Op) -> Result<(), ChangeError> {
    let keys = |keys: &[N]| keys.iter().map(|key| ids.key(*key)).collect::<BTreeSet<_>>();
    match op {
        Op::RemoveKey(key) => org.remove_key(ids.key(*key))?,
        Op::AddDeployment(n) => _ = org.add_deployment(format!("deployment-{n}").parse().unwrap())?,
        Op::RemoveDeployment(n) => org.remove_deployment(ids.deployment(*n))?,
        Op::Map { deployment, key, var } => {
            org.map(ids.deployment(*deployment), ids.key(*key), format!("VAR_{var}").parse().unwrap())?;
        }
        Op::Unmap { deployment, key } => org.unmap(ids.deployment(*deployment), ids.key(*key))?,
        Op::AddGroup(n) => _ = org.add_group(format!("group-{n}").parse().unwrap())?,
        Op::RemoveGroup(n) => org.remove_group(ids.group(*n))?,
        Op::Assign { group, deployment, excluded, deny_new } => {
            let new_keys = if *deny_new { NewKeys::Deny } else { NewKeys::Allow };
            org.assign(ids.group(*group), ids.deployment(*deployment), keys(excluded), new_keys)?;
        }
        Op::Unassign { group, deployment } => org.unassign(ids.group(*group), ids.deployment(*deployment))?,
        Op::Exclude { group, deployment, keys: k } => {
            org.exclude(ids.group(*group), ids.deployment(*deployment), &keys(k))?;
        }
        Op::Include { group, deployment, keys: k } => {
            org.include(ids.group(*group), ids.deployment(*deployment), &keys(k))?;
        }
        Op::AddMember { group, user } => org.add_member(ids.group(*group), ids.user(*user))?,
        Op::RemoveMember { group, user } => org.remove_member(ids.group(*group), ids.user(*user))?,
        other => unreachable!("{other:?} is no change of relations"),
    }
    Ok(())
}

/// Somebody with a credential.
struct Reader<'a> {
    server: &'a Server,
    id: CredentialId,
    keys: &'a CredentialKeys,
}

impl Reader<'_> {
    /// What can be read of one deployment, or of all, and the ids of those. Panics if a value was sent that belongs to
    /// none of it.
    fn read(&self, deployment: Option<DeploymentId>) -> (Readable, Vec<(String, DeploymentId)>) {
        let query = deployment.map_or_else(String::new, |id| format!("?deployment={id}"));
        let request = Request::get(&format!("/v1/me/bundle{query}"));
        let request = request.by(&self.keys.auth.authorization(self.id));
        let bundle: Bundle = self.server.send(&request).read();
        let cred = Cred::open(&self.keys.unlock, self.id, bundle.cred.as_ref().unwrap()).unwrap();
        let verified = verify_bundle(&cred, &bundle, &Floors::default(), now()).unwrap();
        let wanted = || verified.view.deployments.iter().filter(|d| deployment.is_none_or(|id| d.id == id));
        let mapped: BTreeSet<KeyId> = wanted().flat_map(|d| d.mappings.iter().map(|m| m.key)).collect();
        let sent: BTreeSet<KeyId> = bundle.secrets.iter().map(|secret| secret.key).collect();
        assert_eq!(sent, mapped, "the server sent other values than those that are mapped");
        let values = wanted().map(|d| {
            let variables = verified.variables(d, &bundle.secrets, &[]).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let variables = variables.iter().map(|v| (v.env.to_string(), text(&v.value))).collect();
            (d.name.to_string(), variables)
        });
        (values.collect(), wanted().map(|d| (d.name.to_string(), d.id)).collect())
    }
}

/// Ids by name. What is not there has an id that nothing has.
struct Ids {
    keys: BTreeMap<String, KeyId>,
    deployments: BTreeMap<String, DeploymentId>,
    groups: BTreeMap<String, GroupId>,
    users: BTreeMap<String, IdentityId>,
}

impl Ids {
    fn of(org: &Org) -> Self {
        Self {
            keys: org.keys.iter().map(|key| (key.name.to_string(), key.id)).collect(),
            deployments: org.deployments.iter().map(|d| (d.name.to_string(), d.id)).collect(),
            groups: org.groups.iter().map(|group| (group.name.to_string(), group.id)).collect(),
            users: org.identities.iter().map(|user| (user.name.to_string(), user.id)).collect(),
        }
    }

    fn key(&self, n: N) -> KeyId {
        self.keys.get(&format!("key-{n}")).copied().unwrap_or(KeyId::from_bytes([0; 16]))
    }

    fn deployment(&self, n: N) -> DeploymentId {
        self.deployments.get(&format!("deployment-{n}")).copied().unwrap_or(DeploymentId::from_bytes([0; 16]))
    }

    fn group(&self, n: N) -> GroupId {
        self.groups.get(&format!("group-{n}")).copied().unwrap_or(GroupId::from_bytes([0; 16]))
    }

    fn user(&self, n: N) -> IdentityId {
        self.users.get(&format!("user-{n}")).copied().unwrap_or(IdentityId::from_bytes([0; 16]))
    }
}

const NOT_THERE: ChangeError = ChangeError::Edit(keyward_crypto::edit::EditError::NotThere);
