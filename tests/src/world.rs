//! An organisation as every test knows it, made with the real commands.
//!
//! ```text
//! group agents: robot      production: ALPHA, BETA, EXCLUDED; EXCLUDED is excluded for agents
//! ```

use std::collections::BTreeMap;

use keyward_crypto::change::Draft;
use keyward_crypto::enrol::ApiUser;
use keyward_crypto::state::secret::Secret;
use keyward_wire::api::bundle::Bundle;
use keyward_wire::api::{IdentityKind, Role};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::http::Request;
use crate::insider::{Insider, token_halves};
use crate::liar::Liar;
use crate::machine::{Ended, Machine};
use crate::server::{Engine, Server};

/// Name of the organisation.
pub const ORG: &str = "Canary Cultivators";
/// The owner's address: all that the server may know in clear.
pub const EMAIL: &str = "olga@canary.example";
/// The owner's password.
pub const PASSWORD: &str = "canary-tulip-gravel-mosaic-lantern-orbit";
/// The deployment.
pub const DEPLOYMENT: &str = "canary-production";
/// The group.
pub const GROUP: &str = "canary-agents";
/// The API user in it.
pub const ROBOT: &str = "canary-robot";
/// A key the robot may read, and its value.
pub const ALPHA: (&str, &str) = ("CANARY_ALPHA", "alpha'value `of` $5 \"canary\" 4a6f");
/// Another key's name and value.
pub const BETA: (&str, &str) = ("CANARY_BETA", "beta-value-of-canary-91c2");
/// The key the robot may never see.
pub const EXCLUDED: (&str, &str) = ("CANARY_EXCLUDED", "excluded-value-of-canary-77d0");

/// A server with its owner and one API user.
pub struct World {
    /// The server.
    pub server: Server,
    /// The owner's machine, signed in.
    pub owner: Machine,
    /// The robot's machine: a URL and a token, no memory.
    pub robot: Machine,
    /// The robot's token.
    pub token: String,
}

impl World {
    /// All of it.
    pub fn new(engine: Engine) -> Self {
        Self::on(Server::start(engine))
    }

    /// A world on this server.
    pub fn on(server: Server) -> Self {
        let owner = Machine::new(&server.url());
        sign_up(&owner, ORG, EMAIL);
        owner.write("keys.env", [ALPHA, BETA, EXCLUDED].map(|(name, value)| dotenv(name, value)).concat());
        owner.ok(&["deployment", "create", DEPLOYMENT]);
        owner.ok(&["key", "import", "keys.env", "--map", DEPLOYMENT]);
        owner.ok(&["group", "create", GROUP]);
        owner.ok(&["group", "assign", GROUP, DEPLOYMENT, "--exclude", EXCLUDED.0]);
        let token = new_robot(&owner, ROBOT, &[GROUP]);
        let robot = Machine::new(&server.url()).without("HOME").with("KEYWARD_TOKEN", &token);
        Self { server, owner, robot, token }
    }

    /// Lets everybody follow the server after it came back under another address.
    pub fn follow_server(&mut self) {
        self.owner.redirect(&self.server.url());
        self.robot.redirect(&self.server.url());
    }

    /// Another machine with the robot's token, which remembers what it saw.
    pub fn remembering_robot(&self) -> Machine {
        let machine = Machine::new(&self.server.url()).with("KEYWARD_TOKEN", &self.token);
        let memory = machine.path("memory");
        machine.with("KEYWARD_HOME", memory)
    }

    /// An insider, with everything that the owner's keys open.
    pub fn insider(&self) -> Insider {
        Insider::open(&self.server, &self.owner)
    }

    /// Changes the organisation, as the owner.
    pub fn change<T>(&self, change: impl FnOnce(&mut Draft, &Insider) -> T) -> T {
        let insider = self.insider();
        let mut draft = insider.draft();
        let made = change(&mut draft, &insider);
        let answer = insider.write(&self.server, draft);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        made
    }

    /// Another API user, and its token.
    pub fn enrol(&self, name: &str, groups: &[&str]) -> String {
        self.change(|draft, insider| {
            let group = |name: &&str| draft.org.groups.iter().find(|g| g.name.as_str() == *name).unwrap().id;
            let groups = groups.iter().map(group).collect();
            let user = ApiUser {
                kind: IdentityKind::Api,
                name: name.parse().unwrap(),
                role: Role::Viewer,
                groups,
                not_after: None,
            };
            draft.enrol_api_user(user, &insider.enroller()).unwrap().encode().to_string()
        })
    }

    /// What the server truly answers to a token's request for everything.
    pub fn bundle(&self, token: &str) -> Bundle {
        let halves = token_halves(token);
        let authorization = halves.auth.authorization(halves.id);
        self.server.send(&Request::get("/v1/me/bundle").by(&authorization)).read()
    }

    /// The server's true answer to an owner.
    pub fn bundle_of(&self, insider: &Insider) -> Value {
        self.server.send(&Request::get("/v1/me/bundle").by(&insider.authorization)).json()
    }

    /// A liar before the server.
    pub fn liar(&self) -> Liar {
        Liar::before(self.server.address)
    }

    /// The id of the deployment, as the owner sees it.
    pub fn deployment_id(&self) -> String {
        let org = self.insider().org;
        org.deployments.iter().find(|d| d.name.as_str() == DEPLOYMENT).unwrap().id.to_string()
    }
}

/// A server and the owner of the first organisation on it, signed in.
pub fn founded(engine: Engine) -> (Server, Machine) {
    let server = Server::start(engine);
    let owner = Machine::new(&server.url());
    sign_up(&owner, ORG, EMAIL);
    (server, owner)
}

/// `keyward init`.
pub fn sign_up(owner: &Machine, org: &str, email: &str) {
    let words =
        ["init", "--org", org, "--email", email, "--password-stdin", "--recovery-kit", "recovery-kit.txt"];
    owner.keyward_with(&words, PASSWORD.as_bytes()).ok(&words);
}

/// A new API user; its token.
pub fn new_robot(owner: &Machine, name: &str, groups: &[&str]) -> String {
    let mut words = vec!["api-user", "create", name];
    words.extend(groups.iter().flat_map(|group| ["--group", group]));
    owner.ok(&words).trim_end().to_owned()
}

/// `keyward deployment env-file DEPLOYMENT --stdout`.
pub fn env_file(machine: &Machine) -> Ended {
    machine.keyward(ENV_FILE)
}

/// The variables that the machine gets, which must succeed.
pub fn read(machine: &Machine) -> BTreeMap<String, String> {
    read_of(machine, DEPLOYMENT)
}

/// The variables that `machine` reads of another deployment.
pub fn read_of(machine: &Machine, deployment: &str) -> BTreeMap<String, String> {
    let words = ["deployment", "env-file", deployment, "--stdout", "--format", "json"];
    serde_json::from_str(&machine.ok(&words)).unwrap()
}

/// What the robot must get of the world as it was made.
pub fn expected() -> BTreeMap<String, String> {
    [ALPHA, BETA].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Texts that must never leave a client, but inside an envelope.
pub fn secrets() -> [&'static str; 11] {
    [ORG, PASSWORD, DEPLOYMENT, GROUP, ROBOT, ALPHA.0, ALPHA.1, BETA.0, BETA.1, EXCLUDED.0, EXCLUDED.1]
}

/// The words of the headline.
pub const ENV_FILE: &[&str] = &["deployment", "env-file", DEPLOYMENT, "--stdout"];

/// A value as it is sealed.
pub fn secret(value: impl AsRef<[u8]>) -> Secret {
    Secret::new(Zeroizing::new(value.as_ref().to_vec()))
}

fn dotenv(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"\n", value.replace('\\', "\\\\").replace('"', "\\\""))
}
