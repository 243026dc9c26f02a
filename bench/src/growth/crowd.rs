//! Organisations of any size, made in a few writes with the client's own functions: a thousand API users one by one would
//! take longer than what is measured.
//!
//! ```text
//! group-i reads deployment-i, for i in 0..10;  key n is mapped in deployment n mod 10;  user n is in group n mod 10
//! ```

use anyhow::{Context as _, Result};
use keyward_cli::ctx::{Ctx, Env, Global};
use keyward_cli::vault::admin::{OpenOrg, Session};
use keyward_crypto::change::Draft;
use keyward_crypto::enrol::ApiUser;
use keyward_crypto::state::secret::Secret;
use keyward_wire::api::write::NewKeys;
use keyward_wire::api::{IdentityKind, Role};
use zeroize::Zeroizing;

use crate::common::lab::{Lab, Machine, Server};

/// An organisation that can take in more.
pub(super) struct Crowd {
    pub(super) owner: Machine,
    _server: Server,
    users: usize,
}

impl Crowd {
    /// A server of its own, and an organisation with this many keys.
    pub(super) fn new(lab: &Lab, keys: usize) -> Result<Self> {
        let server = Server::start(lab, &format!("server-{keys}"), &[])?;
        let owner = Machine::new(lab, &format!("owner-{keys}"))?;
        let words = ["init", "--org", "Crowd", "--email", "olga@bench.example", "--password-stdin"];
        let more = ["--recovery-kit", "kit.txt", "--url", &server.url];
        owner.ok(&[&words[..], &more].concat(), "canary-tulip-gravel-mosaic-lantern-orbit")?;
        let crowd = Self { owner, _server: server, users: 0 };
        crowd.change(|draft, _| add_keys(draft, keys))?;
        Ok(crowd)
    }

    /// Takes in API users until there are this many.
    pub(super) fn grow(&mut self, users: usize) -> Result<()> {
        let new = self.users..users;
        self.change(|draft, opened| {
            for n in new.clone() {
                let group = draft.org.groups.get(n % GROUPS).context("ten groups")?.id;
                let name = format!("robot-{n}").parse().ok().context("a name")?;
                let user = ApiUser {
                    kind: IdentityKind::Api,
                    name,
                    role: Role::Viewer,
                    groups: [group].into(),
                    not_after: None,
                };
                draft.enrol_api_user(user, &opened.enroller())?;
            }
            Ok(())
        })?;
        self.users = users;
        Ok(())
    }

    /// How large ORG is, in bytes of JSON.
    pub(super) fn size(&self) -> Result<usize> {
        let mut size = 0;
        self.with_session(async |ctx, session| {
            let opened = session.open(ctx).await?;
            size = serde_json::to_vec(&*opened.org)?.len();
            Ok(())
        })?;
        Ok(size)
    }

    fn change(&self, mut change: impl FnMut(&mut Draft, &OpenOrg<'_>) -> Result<()>) -> Result<()> {
        self.with_session(async |ctx, session| {
            session.write(ctx, async |draft, opened| change(draft, opened)).await
        })
    }

    fn with_session(&self, work: impl AsyncFnOnce(&Ctx, &Session) -> Result<()>) -> Result<()> {
        let home = self.owner.home().join(".keyward");
        let global = Global { home: Some(home), quiet: true, ..Global::default() };
        let ctx = Ctx::new(global, Env::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let session = Session::start(&ctx).await?;
            work(&ctx, &session).await
        })
    }
}

fn add_keys(draft: &mut Draft, keys: usize) -> Result<()> {
    let mut deployments = Vec::with_capacity(GROUPS);
    for n in 0..GROUPS {
        let deployment =
            draft.org.add_deployment(format!("deployment-{n}").parse().ok().context("a name")?)?;
        let group = draft.org.add_group(format!("group-{n}").parse().ok().context("a name")?)?;
        draft.org.assign(group, deployment, [].into(), NewKeys::Allow)?;
        deployments.push(deployment);
    }
    for n in 0..keys {
        let name = format!("SERVICE_{n:05}_API_KEY");
        let secret = Secret::new(Zeroizing::new(format!("sk_live_{n:032x}").into_bytes()));
        let key = draft.add_key(name.parse().ok().context("a name")?, &secret)?;
        let deployment = deployments.get(n % GROUPS).context("ten deployments")?;
        draft.org.map(*deployment, key, name.parse().ok().context("a variable")?)?;
    }
    Ok(())
}

pub(super) const GROUPS: usize = 10;
