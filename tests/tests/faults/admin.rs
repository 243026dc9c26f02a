//! An admin who writes by hand, and to whom the server may do anything: it dies, it is busy, it says 409.

use std::io;
use std::net::SocketAddr;

use keyward_crypto::Halves;
use keyward_crypto::change::{Author, Draft};
use keyward_crypto::state::cred::Cred;
use keyward_crypto::verify::{Floors, VerifiedOrg, verify_org};
use keyward_tests::http::{self, Answer, Request};
use keyward_tests::insider::{now, stored_halves};
use keyward_tests::machine::Machine;
use keyward_wire::api::auth::LoginAnswer;
use keyward_wire::api::org::OrgAnswer;
use serde_json::json;

/// Somebody with the owner's credential.
pub(crate) struct Admin {
    halves: Halves,
    session: Option<(Cred, String)>,
}

impl Admin {
    /// An administrator with what this machine keeps.
    pub(crate) fn of(machine: &Machine) -> Self {
        Self { halves: stored_halves(machine), session: None }
    }

    /// Reads the state, changes it and writes it back: once, whatever the answer.
    ///
    /// # Errors
    /// If the server goes away.
    pub(crate) fn write(
        &mut self,
        server: SocketAddr,
        change: impl FnOnce(&mut Draft),
    ) -> io::Result<Answer> {
        let (cred, authorization) = match self.session.take() {
            Some(session) => session,
            None => self.sign_in(server)?,
        };
        let answer = http::send(server, &Request::get("/v1/org").by(&authorization))?;
        if answer.status != 200 {
            return Ok(answer);
        }
        let state: OrgAnswer = answer.read();
        let author = Author {
            identity: cred.id,
            now: now(),
            base_sha256: state.env.sha256(),
            audit_head: state.audit_head,
        };
        let VerifiedOrg { org: before, ok, .. } = opened(&cred, &state);
        let mut draft = Draft::new(before, opened(&cred, &state).org, author);
        change(&mut draft);
        let request = draft.finish(&ok).unwrap().request;
        let body = serde_json::to_value(&request).unwrap();
        let answer = http::send(server, &Request::post("/v1/org/write", &body).by(&authorization))?;
        self.session = Some((cred, authorization));
        Ok(answer)
    }

    fn sign_in(&self, server: SocketAddr) -> io::Result<(Cred, String)> {
        let body = json!({ "cred": self.halves.id, "auth": self.halves.auth });
        let answer: LoginAnswer = http::send(server, &Request::post("/v1/auth/login", &body))?.read();
        let cred = Cred::open(&self.halves.unlock, self.halves.id, &answer.cred).unwrap();
        Ok((cred, answer.session.authorization().to_string()))
    }
}

fn opened(cred: &Cred, state: &OrgAnswer) -> VerifiedOrg {
    verify_org(cred, state, &Floors::default(), now()).unwrap()
}
