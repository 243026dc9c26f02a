//! An organisation to measure on: one deployment of 50 keys and one of 500, each with an API user signed in on a machine
//! of its own, over TLS.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use keyward_crypto::{Token, derive_secret};

use crate::common::lab::{Lab, Machine, Server};
use crate::common::report::talk;

/// The organisation, its server and its machines.
pub(super) struct Office {
    pub(super) server: Server,
    pub(super) owner: Machine,
    /// 50 keys.
    pub(super) small: Desk,
    /// 500 keys.
    pub(super) large: Desk,
}

/// An API user at its machine.
pub(super) struct Desk {
    /// The number of keys that it reads.
    pub(super) keys: usize,
    /// The deployment's name.
    pub(super) deployment: String,
    /// Signed in, with the authority pinned.
    pub(super) machine: Machine,
    /// A file with the `Authorization` that this API user's requests carry.
    pub(super) authorization: PathBuf,
}

impl Office {
    pub(super) fn open(lab: &Lab) -> Result<Self> {
        talk("a server with TLS, an organisation of 550 keys, two API users …");
        lab.certify()?;
        let server = Server::start_tls(lab, "server")?;
        let ca = lab.path("ca.pem");
        let ca = ca.to_str().context("a temporary directory in UTF-8")?;
        let owner = Machine::new(lab, "owner")?;
        let words = ["init", "--org", "Bench", "--email", EMAIL, "--password-stdin"];
        let more = ["--recovery-kit", "kit.txt", "--url", &server.url, "--ca", ca];
        owner.ok(&[&words[..], &more].concat(), PASSWORD)?;
        let small = Desk::new(lab, &server, &owner, ca, 50)?;
        let large = Desk::new(lab, &server, &owner, ca, 500)?;
        Ok(Self { server, owner, small, large })
    }
}

impl Desk {
    fn new(lab: &Lab, server: &Server, owner: &Machine, ca: &str, keys: usize) -> Result<Self> {
        let deployment = format!("production-{keys}");
        let group = format!("agents-{keys}");
        let file = lab.write(&format!("{keys}.env"), dotenv(keys))?;
        let file = file.to_str().context("a temporary directory in UTF-8")?;
        owner.ok(&["deployment", "create", &deployment], "")?;
        owner.ok(&["key", "import", file, "--map", &deployment], "")?;
        owner.ok(&["group", "create", &group], "")?;
        owner.ok(&["group", "assign", &group, &deployment], "")?;
        let token = owner.ok(&["api-user", "create", &format!("robot-{keys}"), "--group", &group], "")?;
        let machine = Machine::new(lab, &format!("robot-{keys}"))?;
        machine.ok(&["auth", "api-user", "--token-stdin", "--url", &server.url, "--ca", ca], &token)?;

        let token = Token::parse(token.trim()).context("the token")?;
        let authorization = derive_secret(token.id, &token.secret).auth.authorization(token.id);
        let authorization = lab.write(&format!("{keys}.authorization"), authorization.as_bytes())?;
        let desk = Self { keys, deployment, machine, authorization };
        let printed = desk.machine.ok(&desk.env_file(), "")?;
        ensure!(printed.matches("export ").count() == keys, "not all of the {keys} keys arrived");
        Ok(desk)
    }

    /// The words of the headline.
    pub(super) fn env_file(&self) -> [&str; 4] {
        ["deployment", "env-file", &self.deployment, "--stdout"]
    }

    /// The sealed answer that this machine keeps. Without it the next answer is a whole one.
    pub(super) fn cache(&self) -> PathBuf {
        self.machine.home().join(".keyward/cache")
    }
}

/// `SERVICE_0042_API_KEY=sk_live_…`, 40 characters each, as such keys are.
fn dotenv(keys: usize) -> String {
    let lines: Vec<String> =
        (0..keys).map(|n| format!("SERVICE_{keys}_{n:04}_API_KEY=sk_live_{n:032x}")).collect();
    lines.join("\n")
}

pub(super) const EMAIL: &str = "olga@bench.example";
pub(super) const PASSWORD: &str = "canary-tulip-gravel-mosaic-lantern-orbit";
