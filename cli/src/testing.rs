//! An organisation for unit tests.

use std::collections::BTreeSet;

use keyward_crypto::change::{Author, Draft};
use keyward_crypto::enrol::{ApiUser, Enroller, sign_up};
use keyward_crypto::state::org::{Org, OrgPlace};
use keyward_crypto::state::roots::{OrgKeyDocument, open_root};
use keyward_crypto::state::secret::Secret;
use keyward_crypto::{OrgKey, Password, RootKey};
use keyward_wire::api::org::AuditHead;
use keyward_wire::api::write::{NewKeys, RootKind};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::name::Name;
use keyward_wire::{DeploymentId, Envelope, GroupId, IdentityId, KeyId, OrgId, Sha256};
use zeroize::Zeroizing;

/// ```text
/// web: agent, both   production: ALPHA, BETA, SECRET; SECRET is excluded for web
/// ops: robot, both   backup:     BETA → S3_KEY, SECRET → ROOT_KEY
/// no group: idler
/// the owner, alice@acme.example, and the organisation, Acme
/// ```
/// `both` cannot read SECRET, though `ops` includes it.
pub(crate) struct SampleOrg {
    pub(crate) owner: IdentityId,
    pub(crate) web: GroupId,
    pub(crate) ops: GroupId,
    pub(crate) production: DeploymentId,
    pub(crate) backup: DeploymentId,
    pub(crate) alpha: KeyId,
    pub(crate) beta: KeyId,
    pub(crate) secret: KeyId,
    pub(crate) agent: IdentityId,
    id: OrgId,
    ok: OrgKey,
    sealed: Envelope,
}

impl SampleOrg {
    pub(crate) fn new() -> Self {
        let email = "alice@acme.example".parse().unwrap();
        let signup = sign_up(name("Acme"), &email, &Password::entered("correct horse"), 1_000, 2_000, None);
        let (id, owner) = (signup.request.org, signup.request.identity);
        let root = |kind| signup.request.roots.iter().find(|root| root.kind == kind).unwrap();
        let rk = open_root(&signup.ik, id, owner, 1, &root(RootKind::Root).env).unwrap();
        let orgkey = &root(RootKind::OrgkeyRoot).env;
        let ok = OrgKeyDocument::open_for_root(&rk, id, 1, orgkey).unwrap().ok;

        let mut draft = draft(id, &ok, 1, &signup.request.state, owner);
        let [web, ops] = ["web", "ops"].map(|group| draft.org.add_group(name(group)).unwrap());
        let [production, backup] =
            ["production", "backup"].map(|d| draft.org.add_deployment(name(d)).unwrap());
        let [alpha, beta, secret] = ["ALPHA", "BETA", "SECRET"].map(|key| {
            let value = Secret::new(Zeroizing::new(key.as_bytes().to_vec()));
            draft.add_key(name(key), &value).unwrap()
        });
        for (deployment, key, env) in [
            (production, alpha, "ALPHA"),
            (production, beta, "BETA"),
            (production, secret, "SECRET"),
            (backup, beta, "S3_KEY"),
            (backup, secret, "ROOT_KEY"),
        ] {
            draft.org.map(deployment, key, env.parse().unwrap()).unwrap();
        }
        draft.org.assign(web, production, [secret].into(), NewKeys::Allow).unwrap();
        draft.org.assign(ops, backup, BTreeSet::new(), NewKeys::Deny).unwrap();
        for (user, groups) in
            [("agent", vec![web]), ("robot", vec![ops]), ("both", vec![web, ops]), ("idler", vec![])]
        {
            enrol(&mut draft, &rk, user, groups);
        }
        let agent = draft.org.identities.iter().find(|identity| identity.name.as_str() == "agent");
        let agent = agent.unwrap().id;
        let sealed = draft.finish(&ok).unwrap().request.org;
        Self { owner, web, ops, production, backup, alpha, beta, secret, agent, id, ok, sealed }
    }

    /// ORG as it is.
    pub(crate) fn org(&self) -> Org {
        open(self.id, &self.ok, 2, &self.sealed)
    }

    /// A write in the making.
    pub(crate) fn draft(&self) -> Draft {
        draft(self.id, &self.ok, 2, &self.sealed, self.owner)
    }
}

fn draft(id: OrgId, ok: &OrgKey, seq: u64, sealed: &Envelope, owner: IdentityId) -> Draft {
    let author = Author {
        identity: owner,
        now: 1_767_225_600_000,
        base_sha256: sealed.sha256(),
        audit_head: AuditHead { seq: 7, hash: Sha256::of(b"head") },
    };
    Draft::new(open(id, ok, seq, sealed), open(id, ok, seq, sealed), author)
}

fn open(org: OrgId, ok: &OrgKey, seq: u64, sealed: &Envelope) -> Org {
    Org::open(ok, OrgPlace { org, epoch: 1, seq }, sealed).unwrap()
}

fn enrol(draft: &mut Draft, rk: &RootKey, user: &str, groups: Vec<GroupId>) {
    let groups = groups.into_iter().collect();
    let user =
        ApiUser { kind: IdentityKind::Api, name: name(user), role: Role::Viewer, groups, not_after: None };
    draft.enrol_api_user(user, &Enroller::Owner(rk)).unwrap();
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}
