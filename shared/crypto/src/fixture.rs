//! An organisation for tests: its owner, the honest server it talks to, and a few readers.

mod server;
mod tables;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use keyward_wire::api::org::AuditHead;
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::{NewKeys, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::{EnvName, Name};
use keyward_wire::{DeploymentId, GroupId, IdentityId, KeyId, Sha256};
use zeroize::Zeroizing;

pub(crate) use self::server::Server;
pub(crate) use self::tables::Tables;
use crate::change::{Author, Draft, Finished};
use crate::enrol::{ApiUser, Enroller, sign_up};
use crate::state::cred::Cred;
use crate::state::org::Org;
use crate::state::roots::{Recovery, open_root};
use crate::state::secret::Secret;
use crate::verify::{Floors, VerifiedOrg, VerifyError, verify_bundle, verify_org};
use crate::{Halves, Password, RootKey, Token, derive_secret};

/// The time at which everything begins, in milliseconds UTC. Each write takes a second.
pub(crate) const START: i64 = 1_767_225_600_000;

/// An owner and the server it talks to.
pub(crate) struct Organisation {
    pub(crate) server: Server,
    pub(crate) owner: Cred,
    pub(crate) now: i64,
}

impl Organisation {
    /// A new organisation, just signed up.
    pub(crate) fn new() -> Self {
        let founded = &*FOUNDED;
        Self { server: Server::new(&founded.request), owner: founded.owner(), now: START }
    }

    /// What the owner believes of the server's present answer.
    pub(crate) fn verified(&self) -> VerifiedOrg {
        verify_org(&self.owner, &self.server.answer(self.owner.id), &Floors::default(), self.now).unwrap()
    }

    pub(crate) fn org(&self) -> Org {
        self.verified().org
    }

    pub(crate) fn root_key(&self) -> RootKey {
        let root = self.server.answer(self.owner.id).root.unwrap();
        open_root(&self.owner.ik, self.server.org, self.owner.id, root.generation, &root.env).unwrap()
    }

    pub(crate) fn draft(&self) -> Draft {
        let author = Author {
            identity: self.owner.id,
            now: self.now + 1000,
            base_sha256: self.server.state.env.sha256(),
            audit_head: AuditHead { seq: self.server.state.seq, hash: Sha256::of(b"head") },
        };
        Draft::new(self.org(), self.org(), author)
    }

    /// Makes one write: the change, the reseals that it needs, and the server's acceptance.
    pub(crate) fn write<T>(&mut self, change: impl FnOnce(&mut Draft) -> T) -> T {
        let mut draft = self.draft();
        let made = change(&mut draft);
        let finished = self.finish(draft);
        self.apply(finished.request);
        made
    }

    pub(crate) fn finish(&self, mut draft: Draft) -> Finished {
        for key in draft.to_reseal() {
            let envelope = self.server.current(key).env.clone();
            draft.reseal(key, &envelope).unwrap();
        }
        draft.finish(&self.verified().ok).unwrap()
    }

    pub(crate) fn apply(&mut self, request: WriteRequest) {
        self.now += 1000;
        self.server.apply(request);
    }

    /// The write that made the present state.
    pub(crate) fn last(&self) -> &WriteRequest {
        self.server.writes.last().unwrap()
    }

    /// CRED of the holder of a token.
    pub(crate) fn sign_in(&self, token: &Token) -> Cred {
        let stored = &self.server.credentials[&token.id];
        let keys = derive_secret(token.id, &token.secret);
        assert_eq!(keys.auth.verifier(), stored.auth_sha256);
        Cred::open(&keys.unlock, token.id, &stored.env).unwrap()
    }

    /// The values that the holder of `cred` gets from an honest answer.
    pub(crate) fn read(&self, cred: &Cred, deployment: &str) -> Result<Vec<(String, String)>, VerifyError> {
        read(cred, &self.server.bundle(cred.id), deployment, self.now)
    }

    /// Names of the keys that the holder of `cred` may read, as its verified view lists them.
    pub(crate) fn readable(&self, cred: &Cred) -> Vec<String> {
        let verified =
            verify_bundle(cred, &self.server.bundle(cred.id), &Floors::default(), self.now).unwrap();
        verified.view.keys.iter().map(|key| key.name.to_string()).collect()
    }
}

/// Variables and values of a deployment, from a bundle, to a client without memory.
pub(crate) fn read(
    cred: &Cred,
    bundle: &keyward_wire::api::bundle::Bundle,
    deployment: &str,
    now: i64,
) -> Result<Vec<(String, String)>, VerifyError> {
    let verified = verify_bundle(cred, bundle, &Floors::default(), now)?;
    let variables = verified.variables(verified.deployment(deployment)?, &bundle.secrets, &[])?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ok(variables.iter().map(|variable| (variable.env.to_string(), text(&variable.value))).collect())
}

/// ```text
/// web: agent         production: alpha → ALPHA, beta → BETA, secret → SECRET; `secret` is excluded for web
/// ops: robot         backup:     beta → S3_KEY, secret → ROOT_KEY
/// no group: idler
/// ```
/// The value of a key is its name with `-value`.
pub(crate) struct Sample {
    pub(crate) organisation: Organisation,
    pub(crate) web: GroupId,
    pub(crate) ops: GroupId,
    pub(crate) production: DeploymentId,
    pub(crate) backup: DeploymentId,
    pub(crate) alpha: KeyId,
    pub(crate) beta: KeyId,
    pub(crate) secret: KeyId,
    pub(crate) agent: Cred,
    pub(crate) robot: Cred,
    pub(crate) idler: Cred,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let mut organisation = Organisation::new();
        let rk = organisation.root_key();
        let (ids, tokens) = organisation.write(|draft| {
            let [web, ops] = ["web", "ops"].map(|group| draft.org.add_group(name(group)).unwrap());
            let [production, backup] =
                ["production", "backup"].map(|d| draft.org.add_deployment(name(d)).unwrap());
            let [alpha, beta, secret] = ["alpha", "beta", "secret"]
                .map(|key| draft.add_key(name(key), &value(&format!("{key}-value"))).unwrap());
            for (deployment, key, env) in [
                (production, alpha, "ALPHA"),
                (production, beta, "BETA"),
                (production, secret, "SECRET"),
                (backup, beta, "S3_KEY"),
                (backup, secret, "ROOT_KEY"),
            ] {
                draft.org.map(deployment, key, variable(env)).unwrap();
            }
            draft.org.assign(web, production, [secret].into(), NewKeys::Allow).unwrap();
            draft.org.assign(ops, backup, BTreeSet::new(), NewKeys::Allow).unwrap();
            let tokens = [("agent", Some(web)), ("robot", Some(ops)), ("idler", None)]
                .map(|(user, group)| enrol(draft, &rk, user, group));
            ((web, ops, production, backup, alpha, beta, secret), tokens)
        });
        let (web, ops, production, backup, alpha, beta, secret) = ids;
        let [agent, robot, idler] = tokens.map(|token| organisation.sign_in(&token));
        Self { organisation, web, ops, production, backup, alpha, beta, secret, agent, robot, idler }
    }
}

pub(crate) fn enrol(draft: &mut Draft, rk: &RootKey, user: &str, group: Option<GroupId>) -> Token {
    machine(draft, rk, IdentityKind::Api, user, group)
}

pub(crate) fn enrol_gateway(draft: &mut Draft, rk: &RootKey, name: &str, group: Option<GroupId>) -> Token {
    machine(draft, rk, IdentityKind::Gateway, name, group)
}

fn machine(draft: &mut Draft, rk: &RootKey, kind: IdentityKind, user: &str, group: Option<GroupId>) -> Token {
    let groups = group.into_iter().collect();
    let user = ApiUser { kind, name: name(user), role: Role::User, groups, not_after: None };
    draft.enrol_api_user(user, &Enroller::Owner(rk)).unwrap()
}

/// Takes an identity out of ORG.
pub(crate) fn remove(draft: &mut Draft, identity: IdentityId) {
    draft.org.remove_identity(identity).unwrap();
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn variable(text: &str) -> EnvName {
    text.parse().unwrap()
}

pub(crate) fn value(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.as_bytes().to_vec()))
}

/// A sign-up as its client keeps it. Made once for all tests: a password takes 600,000 rounds.
pub(crate) struct Founded {
    pub(crate) request: SignupRequest,
    pub(crate) device: String,
    pub(crate) recovery: String,
}

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const EMAIL: &str = "owner@example.com";
pub(crate) const DEVICE_HOURS: i64 = 12;

pub(crate) static FOUNDED: LazyLock<Founded> = LazyLock::new(|| {
    let password = Password::entered(PASSWORD);
    let end = START + DEVICE_HOURS * 3_600_000;
    let made = sign_up(name("Example Ltd"), &EMAIL.parse().unwrap(), &password, START, end, None);
    Founded {
        request: made.request,
        device: made.device.encode().to_string(),
        recovery: made.recovery.encode().to_string(),
    }
});

impl Founded {
    /// The owner, signed in by the device credential.
    pub(crate) fn owner(&self) -> Cred {
        let (id, keys) = Halves::parse(&self.device).unwrap().into_keys();
        Cred::open(&keys.unlock, id, &self.stored(id).env).unwrap()
    }

    /// RECOVERY, opened with the recovery kit.
    pub(crate) fn recovered(&self) -> Recovery {
        let token = Token::parse(&self.recovery).unwrap();
        let keys = derive_secret(token.id, &token.secret);
        Recovery::open(&keys.unlock, token.id, &self.stored(token.id).env).unwrap()
    }

    fn stored(&self, id: keyward_wire::CredentialId) -> &keyward_wire::api::credentials::NewCredential {
        self.request.credentials.iter().find(|credential| credential.id == id).unwrap()
    }
}
