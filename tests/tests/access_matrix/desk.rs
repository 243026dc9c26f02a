//! What the owner makes by hand: writes, identities of every role, credentials of every kind.
//!
//! Credentials go straight into the database: for a human other than the first owner no request makes one. The server takes
//! them for its own, as it only ever compares hashes.

use std::collections::BTreeSet;

use keyward_crypto::change::Draft;
use keyward_crypto::state::org::Identity;
use keyward_crypto::state::roots::{EscrowPlace, OrgKeyDocument, seal_escrow, seal_root};
use keyward_crypto::verify::{Floors, verify_org};
use keyward_crypto::{
    DeliveryKey, Halves, IdentityKey, Token, TokenKind, derive_delivery, derive_secret, new_id,
};
use keyward_tests::http::Request;
use keyward_tests::insider::{Insider, now};
use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, Server};
use keyward_wire::api::auth::LoginAnswer;
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::write::{NewEscrow, RootEnvelope, RootKind, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{GroupId, IdentityId};

/// A server, and the owner of an organisation on it.
pub(crate) struct Desk {
    pub(crate) server: Server,
    /// The organisation, as of the last write.
    pub(crate) insider: Insider,
    engine: Engine,
    /// The owner's session by password.
    authorization: String,
}

/// An identity with its key.
pub(crate) struct Somebody {
    pub(crate) id: IdentityId,
    pub(crate) ik: IdentityKey,
}

impl Desk {
    /// The desk of this signed-in owner.
    pub(crate) fn new(engine: Engine, server: Server, owner: &Machine) -> Self {
        let insider = Insider::open(&server, owner);
        let mut desk = Self { server, insider, engine, authorization: String::new() };
        desk.authorization = desk.session(&desk.credential(desk.insider.cred.id, CredentialKind::Password));
        desk
    }

    /// Reads the organisation again.
    pub(crate) fn refresh(&mut self) {
        let insider = &mut self.insider;
        insider.answer = self.server.send(&Request::get("/v1/org").by(&insider.authorization)).read();
        let verified = verify_org(&insider.cred, &insider.answer, &Floors::default(), now()).unwrap();
        (insider.org, insider.ok) = (verified.org, verified.ok);
    }

    /// The request for a change.
    pub(crate) fn draft<T>(&self, change: impl FnOnce(&mut Draft) -> T) -> WriteRequest {
        let mut draft = self.insider.draft();
        change(&mut draft);
        for key in draft.to_reseal() {
            draft.reseal(key, &self.insider.envelope(&self.server, key)).unwrap();
        }
        draft.finish(&self.insider.ok).unwrap().request
    }

    /// Sends it as the owner, who may.
    pub(crate) fn apply(&mut self, write: &WriteRequest) {
        let body = serde_json::to_value(write).unwrap();
        let answer = self.server.send(&Request::post("/v1/org/write", &body).by(&self.authorization));
        assert_eq!(answer.status, 200, "{}", answer.json());
        self.refresh();
    }

    /// A new identity of this name; for people, who have an address, the roots that belong to their role.
    pub(crate) fn enrol(
        &self,
        draft: &mut Draft,
        (name, kind, role): (&str, IdentityKind, Role),
        groups: BTreeSet<GroupId>,
        creator: Option<IdentityId>,
    ) -> (Somebody, Vec<RootEnvelope>) {
        let (id, ik) = (new_id(), IdentityKey::generate());
        let org = &mut draft.org;
        let dk = derive_delivery(&ik, org.org, id, org.epoch, &org.nonce);
        let human = kind == IdentityKind::Human;
        org.identities.push(Identity {
            id,
            kind,
            role,
            name: name.parse().unwrap(),
            email: human.then(|| format!("{id}@canary.example").parse().unwrap()),
            creator: Some(org.written_by),
            ik_gen: 1,
            dk: dk.duplicate(),
            not_after: None,
            groups,
            grant_seq: None,
        });
        draft.add_escrow(self.escrow(id, creator, &ik));
        let roots = self.roots(id, role, &ik, &dk);
        (Somebody { id, ik }, roots)
    }

    /// ESCROW of a first key. Under which key it truly is, the server does not see.
    pub(crate) fn escrow(
        &self,
        identity: IdentityId,
        creator: Option<IdentityId>,
        ik: &IdentityKey,
    ) -> NewEscrow {
        let place = EscrowPlace { org: self.insider.org.org, creator, identity, ik_gen: 1 };
        NewEscrow { identity, creator, ik_gen: 1, env: seal_escrow(&self.insider.root, place, ik) }
    }

    /// The root envelopes that somebody of this role holds.
    pub(crate) fn roots(
        &self,
        id: IdentityId,
        role: Role,
        ik: &IdentityKey,
        dk: &DeliveryKey,
    ) -> Vec<RootEnvelope> {
        let (org, mut roots) = (&self.insider.org, Vec::new());
        let root = |kind, env| RootEnvelope { kind, identity: Some(id), generation: 1, env };
        if role == Role::Owner {
            roots.push(root(RootKind::Root, seal_root(ik, org.org, id, 1, &self.insider.root)));
        }
        if role.administers() {
            let orgkey = OrgKeyDocument::new(&self.insider.ok, org.nonce);
            roots.push(root(RootKind::OrgkeyAdmin, orgkey.seal_for_admin(dk, org.org, id, 1)));
        }
        roots
    }

    /// A credential of this kind for an identity. One that is no more gets none.
    pub(crate) fn credential(&self, identity: IdentityId, kind: CredentialKind) -> Halves {
        let token = Token::generate(TokenKind::Api);
        let keys = derive_secret(token.id, &token.secret);
        self.server.sql(&format!(
            "insert into credentials (id, org_id, identity_id, kind, auth_sha256, env, created_at)
             select {}, org_id, id, '{}', {}, (select env from credentials where kind = 'device' limit 1), created_at
             from identities where id = {}",
            self.blob(token.id.as_bytes()),
            kind.as_str(),
            self.blob(keys.auth.verifier().as_bytes()),
            self.blob(identity.as_bytes()),
        ));
        Halves::from_keys(token.id, &keys)
    }

    /// Signs in.
    pub(crate) fn session(&self, halves: &Halves) -> String {
        let body = serde_json::json!({ "cred": halves.id, "auth": halves.auth });
        let answer = self.server.send(&Request::post("/v1/auth/login", &body));
        answer.read::<LoginAnswer>().session.authorization().to_string()
    }

    /// Lets the sessions of a credential have begun more than ten minutes ago.
    pub(crate) fn age(&self, halves: &Halves) {
        let credential = self.blob(halves.id.as_bytes());
        self.server.sql(&format!(
            "update sessions set created_at = created_at - 601000 where credential_id = {credential}"
        ));
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let hex = data_encoding::HEXLOWER.encode(bytes);
        match self.engine {
            Engine::Sqlite => format!("x'{hex}'"),
            Engine::Postgres => format!("decode('{hex}', 'hex')"),
        }
    }
}
