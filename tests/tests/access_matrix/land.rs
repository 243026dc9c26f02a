//! A server with two organisations, and somebody of every kind in one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use keyward_crypto::change::Draft;
use keyward_crypto::enrol::sign_up as new_org;
use keyward_crypto::{Halves, Password, new_id};
use keyward_tests::http::{Answer, Request};
use keyward_tests::insider::{Insider, now};
use keyward_tests::machine::Machine;
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::{ALPHA, BETA, EMAIL, EXCLUDED, ORG, secret, sign_up};
use keyward_wire::api::credentials::CredentialKind;
use keyward_wire::api::signup::SignupRequest;
use keyward_wire::api::write::{NewKeys, WriteRequest};
use keyward_wire::api::{IdentityKind, Role};
use keyward_wire::{DeploymentId, IdentityId, KeyId};

use crate::callers::{Person, Proof, WHO, Who};
use crate::desk::Desk;
use crate::things::Things;

/// All of it.
pub(crate) struct Land {
    pub(crate) desk: Desk,
    /// Maps three keys, of which viewer, user and human may read two.
    pub(crate) deployment: DeploymentId,
    /// The third.
    pub(crate) excluded: KeyId,
    /// The owner's, and asked for by everybody.
    pub(crate) anothers: Halves,
    /// The sign-up of one more organisation.
    pub(crate) signup: SignupRequest,
    people: BTreeMap<Person, IdentityId>,
    authorizations: Vec<Option<String>>,
    things: Option<Rc<Things>>,
}

impl Land {
    /// A new one, on a server with the sign-up mode that is the default.
    pub(crate) fn new(engine: Engine) -> Self {
        let mut server = Server::start_with(engine, &["--signup", "open"]);
        let (owner, foreigner) = (Machine::new(&server.url()), Machine::new(&server.url()));
        sign_up(&owner, ORG, EMAIL);
        sign_up(&foreigner, "Elsewhere", "eve@elsewhere.example");
        server.restart();
        let foreigner = Insider::open(&server, &foreigner).cred.id;
        let mut desk = Desk::new(engine, server, &owner);
        let owner = desk.insider.cred.id;
        let (deployment, excluded, mut people) = settle(&mut desk);
        people.extend([(Person::Nobody, new_id()), (Person::Foreigner, foreigner), (Person::Owner, owner)]);
        let anothers = desk.credential(owner, CredentialKind::Device);
        let password = Password::entered("gravel tulip mosaic");
        let email = "new@elsewhere.example".parse().unwrap();
        let signup = new_org("New".parse().unwrap(), &email, &password, now(), now(), None).request;
        let mut land = Self {
            desk,
            deployment,
            excluded,
            anothers,
            signup,
            people,
            authorizations: Vec::new(),
            things: None,
        };
        land.authorizations = WHO.iter().map(|who| Some(land.spare(*who)?.1)).collect();
        let gone = land.people[&Person::Gone];
        let removal = land.desk.draft(|draft| draft.org.identities.retain(|identity| identity.id != gone));
        land.desk.apply(&removal);
        land
    }

    /// The identity behind a caller.
    pub(crate) fn id(&self, who: Who) -> IdentityId {
        self.people[&who.person]
    }

    /// The identity of a person.
    pub(crate) fn person(&self, person: Person) -> IdentityId {
        self.people[&person]
    }

    /// A request of theirs.
    pub(crate) fn by(&self, who: Who, request: Request) -> Request {
        let column = WHO.iter().position(|other| *other == who).unwrap();
        match &self.authorizations[column] {
            Some(authorization) => request.by(authorization),
            None => request,
        }
    }

    /// Another credential of the same kind and person, and the `Authorization` that comes of it in the same way.
    pub(crate) fn spare(&self, who: Who) -> Option<(Halves, String)> {
        let halves = self.desk.credential(self.id(who), who.proof.kind()?);
        let authorization = match who.proof {
            Proof::InRequest(_) => halves.auth.authorization(halves.id).to_string(),
            _ => self.desk.session(&halves),
        };
        if matches!(who.proof, Proof::OldSession(_)) {
            self.desk.age(&halves);
        }
        Some((halves, authorization))
    }

    /// A write as somebody's request.
    pub(crate) fn write(&self, write: &WriteRequest, who: Who) -> Request {
        self.by(who, Request::post("/v1/org/write", &serde_json::to_value(write).unwrap()))
    }

    /// Sends it. What a write changes is changed back before anybody else asks.
    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        let answer = self.desk.server.send(request);
        if matches!(request.path(), "/v1/org/write" | "/v1/recovery") && answer.status == 200 {
            self.desk.refresh();
            self.things = None;
        }
        if matches!(request.path(), "/v1/credentials" | "/v1/recovery") && answer.status < 300 {
            self.renew_kits();
        }
        answer
    }

    /// A new kit ends every other one of the organisation.
    fn renew_kits(&mut self) {
        for (column, who) in WHO.into_iter().enumerate() {
            if who.proof.kind() == Some(CredentialKind::Recovery) {
                self.authorizations[column] = self.spare(who).map(|(_, authorization)| authorization);
            }
        }
    }

    /// The things that writes are about, made anew.
    pub(crate) fn things(&mut self) -> Rc<Things> {
        let desk = &mut self.desk;
        Rc::clone(self.things.get_or_insert_with(|| Rc::new(Things::new(desk))))
    }
}

fn settle(desk: &mut Desk) -> (DeploymentId, KeyId, BTreeMap<Person, IdentityId>) {
    let (mut people, mut roots) = (BTreeMap::new(), Vec::new());
    let (mut deployment, mut excluded) = (None, None);
    let mut write = desk.draft(|draft| {
        let group = draft.org.add_group("readers".parse().unwrap()).unwrap();
        let at = draft.org.add_deployment("land".parse().unwrap()).unwrap();
        let keys = [ALPHA, BETA, EXCLUDED].map(|(name, value)| add_key(draft, at, name, value));
        draft.org.assign(group, at, BTreeSet::from([keys[2]]), NewKeys::Allow).unwrap();
        (deployment, excluded) = (Some(at), Some(keys[2]));
        for (person, name, kind, role) in [
            (Person::Gone, "gone", IdentityKind::Api, Role::Viewer),
            (Person::Viewer, "viewer", IdentityKind::Api, Role::Viewer),
            (Person::User, "user", IdentityKind::Api, Role::User),
            (Person::Gateway, "gateway", IdentityKind::Gateway, Role::Viewer),
            (Person::Human, "human", IdentityKind::Human, Role::Viewer),
            (Person::Admin, "admin", IdentityKind::Human, Role::Admin),
        ] {
            let groups = BTreeSet::from([group]);
            let (somebody, theirs) = desk.enrol(draft, (name, kind, role), groups, None);
            people.insert(person, somebody.id);
            roots.extend(theirs);
        }
    });
    write.roots = roots;
    desk.apply(&write);
    (deployment.unwrap(), excluded.unwrap(), people)
}

/// A key, mapped to the variable of its name.
pub(crate) fn add_key(draft: &mut Draft, deployment: DeploymentId, name: &str, value: &str) -> KeyId {
    let key = draft.add_key(name.parse().unwrap(), &secret(value)).unwrap();
    draft.org.map(deployment, key, name.parse().unwrap()).unwrap();
    key
}
