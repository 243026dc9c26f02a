//! One organisation: agent x in group G; deployment D with keys A, B and E; E excluded for G; a second deployment with E
//! that nobody is assigned.

use keyward_wire::api::audit::{AuditAnswer, AuditRecord};
use keyward_wire::api::bundle::SecretItem;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::org::OrgAnswer;
use keyward_wire::api::write::{Base, Delta, NewEscrow, NewGrant, NewKeys, NewView, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{CredentialId, DeploymentId, GroupId, IdentityId, KeyId, MappingId, Purpose, ViewId};

use crate::config::Signup;
use crate::testing::{TestOwner, TestServer, credential, envelope, id};

pub(super) struct World {
    pub server: TestServer,
    pub owner: TestOwner,
    pub agent: IdentityId,
    pub token: CredentialId,
    pub group: GroupId,
    pub deployment: DeploymentId,
    pub unassigned: DeploymentId,
    /// A and B, in the order of their ids.
    pub allowed: Vec<KeyId>,
    /// E.
    pub excluded: KeyId,
    view: ViewId,
}

impl World {
    pub(super) async fn build() -> Self {
        let server = TestServer::start_with(|config| config.signup = Signup::Open).await;
        let owner = server.owner("alice@example.com").await;
        let mut allowed = vec![KeyId::from_bytes(id()), KeyId::from_bytes(id())];
        allowed.sort();
        let mut world = Self {
            server,
            owner,
            agent: IdentityId::from_bytes(id()),
            token: CredentialId::from_bytes(id()),
            group: GroupId::from_bytes(id()),
            deployment: DeploymentId::from_bytes(id()),
            unassigned: DeploymentId::from_bytes(id()),
            allowed,
            excluded: KeyId::from_bytes(id()),
            view: ViewId::from_bytes(id()),
        };
        world.fill().await;
        world
    }

    async fn fill(&mut self) {
        let base = self.org().await;
        let (group, deployment, identity) = (self.group, self.deployment, self.agent);
        let keys = [self.allowed[0], self.allowed[1], self.excluded];
        let mapping =
            |deployment, key| Delta::AddMapping { id: MappingId::from_bytes(id()), deployment, key };
        let mut delta = vec![
            Delta::AddDeployment { id: deployment },
            Delta::AddDeployment { id: self.unassigned },
            Delta::AddGroup { id: group },
        ];
        for key in keys {
            delta.extend([Delta::AddKey { id: key }, mapping(deployment, key)]);
        }
        delta.extend([
            mapping(self.unassigned, self.excluded),
            Delta::AddAssignment { group, deployment, new_keys: NewKeys::Allow },
            Delta::AddExclusion { group, deployment, key: self.excluded },
            Delta::AddIdentity {
                id: identity,
                kind: IdentityKind::Api,
                role: Role::Viewer,
                not_after: None,
                email: None,
            },
            Delta::AddMember { group, identity },
        ]);
        let mut new = write(&base, delta);
        new.secrets = keys.map(|key| secret(key, 0)).into();
        self.add_view(&mut new);
        let token = credential(identity, CredentialKind::Token);
        self.token = token.id;
        new.credentials.push(token);
        new.escrows.push(NewEscrow { identity, creator: None, ik_gen: 1, env: envelope(Purpose::Escrow) });
        self.send(&new).await;
    }

    /// Excludes a key for the group, as a client must: resealed, with a new view and a new grant.
    pub(super) async fn exclude(&self, key: KeyId, reseal: u64) {
        let base = self.org().await;
        let delta = vec![Delta::AddExclusion { group: self.group, deployment: self.deployment, key }];
        let mut new = write(&base, delta);
        new.secrets = vec![secret(key, reseal)];
        self.add_view(&mut new);
        self.send(&new).await;
    }

    /// Takes back an exclusion.
    pub(super) async fn include(&self, key: KeyId) {
        let base = self.org().await;
        let delta = vec![Delta::RemoveExclusion { group: self.group, deployment: self.deployment, key }];
        let mut new = write(&base, delta);
        self.add_view(&mut new);
        self.send(&new).await;
    }

    /// Removes the agent with everything it has.
    pub(super) async fn remove_agent(&self) {
        let base = self.org().await;
        let mut new = write(&base, vec![Delta::RemoveIdentity { id: self.agent }]);
        new.drop_views = vec![self.view];
        self.send(&new).await;
    }

    fn add_view(&self, write: &mut WriteRequest) {
        let (view, seq) = (self.view, write.base.seq + 1);
        let (groups, env) = (vec![self.group], envelope(Purpose::View));
        write.views.push(NewView { id: view, groups, gateway: None, seq, env });
        write.grants.push(NewGrant { identity: self.agent, view, seq, env: envelope(Purpose::Grant) });
    }

    pub(super) async fn send(&self, write: &WriteRequest) {
        let answer = self.server.post(&self.owner.session, "/v1/org/write", write).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        let now: Base = answer.json();
        assert_eq!((now.seq, now.sha256), (write.base.seq + 1, write.org.sha256()));
    }

    pub(super) async fn org(&self) -> OrgAnswer {
        self.server.get(&self.owner.session, "/v1/org").await.json()
    }

    /// Actions of the whole audit, oldest first.
    pub(super) async fn actions(&self) -> Vec<String> {
        let all: AuditAnswer = self.server.get(&self.owner.session, "/v1/audit").await.json();
        let action = |text: &str| serde_json::from_str::<AuditRecord>(text).unwrap().action;
        all.entries.iter().map(|entry| action(&entry.entry)).collect()
    }
}

/// A write that makes these changes and nothing else.
pub(super) fn write(base: &OrgAnswer, delta: Vec<Delta>) -> WriteRequest {
    WriteRequest {
        base: Base { seq: base.seq, sha256: base.sha256 },
        org: envelope(Purpose::Org),
        delta,
        secrets: Vec::new(),
        drop_secrets: Vec::new(),
        views: Vec::new(),
        drop_views: Vec::new(),
        grants: Vec::new(),
        credentials: Vec::new(),
        drop_credentials: Vec::new(),
        escrows: Vec::new(),
        roots: Vec::new(),
        epoch: None,
    }
}

fn secret(key: KeyId, reseal: u64) -> SecretItem {
    SecretItem { key, version: 1, reseal, env: envelope(Purpose::Secret) }
}
