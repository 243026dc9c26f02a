//! What an owner, or whoever stole an owner's machine, can do by hand: open everything, write anything.

use keyward_crypto::change::{Author, Draft};
use keyward_crypto::enrol::Enroller;
use keyward_crypto::state::cred::Cred;
use keyward_crypto::state::org::{Identity, Org};
use keyward_crypto::state::roots::open_root;
use keyward_crypto::verify::{Floors, VerifiedOrg, verify_org};
use keyward_crypto::{Context, DataKey, DeliveryKey, Halves, OrgKey, RootKey, Token, ViewKey, derive_secret};
use keyward_wire::api::auth::LoginAnswer;
use keyward_wire::api::bundle::{GrantItem, SecretItem};
use keyward_wire::api::org::{OrgAnswer, SecretsAnswer};
use keyward_wire::{Envelope, KeyId, Purpose};
use serde_json::json;
use zeroize::Zeroizing;

use crate::http::{Answer, Request};
use crate::machine::Machine;
use crate::server::Server;

/// An owner with a session, and the organisation as it stood when it was opened.
pub struct Insider {
    /// The owner's CRED.
    pub cred: Cred,
    /// ORG.
    pub org: Org,
    /// OK of its epoch.
    pub ok: OrgKey,
    /// RK.
    pub root: RootKey,
    /// `Bearer kws_…`.
    pub authorization: String,
    /// The answer that ORG was opened from, as the server gave it.
    pub answer: OrgAnswer,
}

impl Insider {
    /// Signs in with what the machine keeps.
    pub fn open(server: &Server, machine: &Machine) -> Self {
        let (cred, authorization) = sign_in(server, &stored_halves(machine));
        let answer: OrgAnswer = server.send(&Request::get("/v1/org").by(&authorization)).read();
        let VerifiedOrg { org, ok, .. } = verify(&cred, &answer);
        let item = answer.root.as_ref().expect("an owner");
        let root = open_root(&cred.ik, cred.org, cred.id, item.generation, &item.env).unwrap();
        Self { cred, org, ok, root, authorization, answer }
    }

    /// A change of the organisation, to be finished by [`write`](Self::write).
    pub fn draft(&self) -> Draft {
        let author = Author {
            identity: self.cred.id,
            now: now(),
            base_sha256: self.answer.env.sha256(),
            audit_head: self.answer.audit_head,
        };
        Draft::new(verify(&self.cred, &self.answer).org, verify(&self.cred, &self.answer).org, author)
    }

    /// The enroller under whose key new identities' keys are kept.
    pub fn enroller(&self) -> Enroller<'_> {
        Enroller::Owner(&self.root)
    }

    /// Reseals what is lost, finishes the draft and sends it.
    pub fn write(&self, server: &Server, mut draft: Draft) -> Answer {
        for key in draft.to_reseal() {
            let envelope = self.envelope(server, key);
            draft.reseal(key, &envelope).unwrap();
        }
        let request = draft.finish(&self.ok).unwrap().request;
        let body = serde_json::to_value(&request).unwrap();
        server.send(&Request::post("/v1/org/write", &body).by(&self.authorization))
    }

    /// The stored value of a key's current version.
    pub fn envelope(&self, server: &Server, key: KeyId) -> Envelope {
        let version = self.org.key(key).unwrap().version;
        self.version(server, key, version).expect("it is stored").env
    }

    /// The stored value of one version of a key.
    pub fn version(&self, server: &Server, key: KeyId, version: u64) -> Option<SecretItem> {
        let body = json!({ "secrets": [{ "key": key, "version": version }] });
        let answer = server.send(&Request::post("/v1/secrets/get", &body).by(&self.authorization));
        answer.read::<SecretsAnswer>().secrets.pop()
    }

    /// The identity of this name.
    pub fn identity(&self, name: &str) -> &Identity {
        self.org.identities.iter().find(|identity| identity.name.as_str() == name).unwrap()
    }

    /// The id of the key of this name.
    pub fn key(&self, name: &str) -> KeyId {
        self.org.keys.iter().find(|key| key.name.as_str() == name).unwrap().id
    }

    /// The view that a reader of this name has: its key and its context.
    pub fn view(&self, name: &str) -> (ViewKey, Context) {
        let entry = self.view_entry(self.identity(name));
        let context = Context::new(Purpose::View).org(self.org.org).b(entry.id.as_bytes()).n2(entry.seq);
        (entry.vk.duplicate(), context)
    }

    /// DK of a reader of this name, and the context of this GRANT of it.
    pub fn grant(&self, name: &str, item: &GrantItem) -> (DeliveryKey, Context) {
        let identity = self.identity(name);
        let context = Context::new(Purpose::Grant)
            .org(self.org.org)
            .a(identity.id.as_bytes())
            .b(item.view.as_bytes())
            .n1(self.org.epoch)
            .n2(item.seq);
        (identity.dk.duplicate(), context)
    }

    /// DEK of a key's current version, and the context of its SECRET.
    pub fn secret(&self, key: KeyId) -> (DataKey, Context) {
        let entry = self.org.key(key).unwrap();
        let context = Context::new(Purpose::Secret)
            .org(self.org.org)
            .b(key.as_bytes())
            .n1(entry.reseal)
            .n2(entry.version);
        (entry.dek.duplicate(), context)
    }

    fn view_entry(&self, reader: &Identity) -> &keyward_crypto::state::org::ViewEntry {
        self.org.views.iter().find(|view| view.audience() == reader.audience()).unwrap()
    }
}

/// Signs in with the two halves of a credential: CRED, and the session's `Authorization`.
pub fn sign_in(server: &Server, halves: &Halves) -> (Cred, String) {
    let body = json!({ "cred": halves.id, "auth": halves.auth });
    let answer: LoginAnswer = server.send(&Request::post("/v1/auth/login", &body)).read();
    let cred = Cred::open(&halves.unlock, halves.id, &answer.cred).unwrap();
    (cred, answer.session.authorization().to_string())
}

/// The two halves of a token.
pub fn token_halves(token: &str) -> Halves {
    let token = Token::parse(token).unwrap();
    Halves::from_keys(token.id, &derive_secret(token.id, &token.secret))
}

/// The credential that a machine keeps.
pub fn stored_halves(machine: &Machine) -> Halves {
    let config = Zeroizing::new(std::fs::read_to_string(machine.path(".keyward/config.toml")).unwrap());
    let text = config.split('"').find(|word| word.starts_with("kwh1_")).expect("a stored login");
    Halves::parse(text).unwrap()
}

/// Milliseconds UTC.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

fn verify(cred: &Cred, answer: &OrgAnswer) -> VerifiedOrg {
    verify_org(cred, answer, &Floors::default(), now()).unwrap()
}
