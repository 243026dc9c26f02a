//! Names of what the signed-in identity may see, within a time that nobody minds.

use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use keyward_crypto::state::view::{View, ViewDeployment};
use keyward_wire::KeyId;
use keyward_wire::api::IdentityKind;

use crate::ctx::Ctx;
use crate::session::credential::Credential;
use crate::signals::file_limit;
use crate::vault::admin::Session;
use crate::vault::glance::glance;
use crate::vault::mapping_file;

/// The longest time that somebody who pressed TAB waits.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deployment,
    Key,
    /// Keys of the deployment that was typed before.
    Mapped,
    Tag,
    Set,
    Group,
    Identity,
    ApiUser,
    Gateway,
    Agent,
    Member,
}

/// The names, asked for when they are first needed. Without a world there are none.
#[derive(Clone)]
pub(super) struct Live {
    world: Option<Arc<Ctx>>,
    deployment: Option<String>,
    seen: Arc<OnceLock<Vec<String>>>,
}

impl Live {
    /// `deployment` is the one that was typed, for what is asked of one.
    pub(super) fn of(world: Option<Ctx>, deployment: Option<String>) -> Self {
        Self { world: world.map(Arc::new), deployment, seen: Arc::default() }
    }

    /// The names of this kind, sorted. Empty if nobody is signed in, or anything else stands in the way. A command line has one
    /// word to complete, so one kind of name.
    pub(super) fn names(&self, kind: Kind) -> &[String] {
        self.seen.get_or_init(|| {
            let Some(ctx) = self.world.clone() else { return Vec::new() };
            let deployment = self.deployment.clone();
            // On a thread of its own, which ends with the process: even a lock or a pipe in place of a file cannot hold
            // up the shell.
            let (send, receive) = mpsc::channel();
            std::thread::spawn(move || send.send(ask(&ctx, kind, deployment.as_deref())));
            let mut names = receive.recv_timeout(PATIENCE).ok().and_then(Result::ok).unwrap_or_default();
            names.sort_unstable();
            names.dedup();
            names
        })
    }
}

fn ask(ctx: &Ctx, kind: Kind, deployment: Option<&str>) -> anyhow::Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        file_limit::is_an_error();
        let credential = Credential::find(ctx)?;
        let seen = glance(ctx, &credential).await?;
        match kind {
            Kind::Deployment => {
                let view = &seen.view;
                let mapped =
                    mapping_file::nearest_here().ok().flatten().map(|(_, ids)| ids).unwrap_or_default();
                let mapped =
                    mapped.into_iter().filter(|(_, id)| view.deployment(*id).is_some()).map(|(name, _)| name);
                Ok(view
                    .deployments
                    .iter()
                    .map(|deployment| deployment.name.to_string())
                    .chain(mapped)
                    .collect())
            }
            Kind::Key => Ok(seen.view.keys.iter().map(|key| key.name.to_string()).collect()),
            Kind::Mapped => {
                let mapped = deployment.and_then(|typed| named(&seen.view, typed));
                let is_there = |key: KeyId| {
                    mapped.is_none_or(|one| one.mappings.iter().any(|mapping| mapping.key == key))
                };
                let keys = seen.view.keys.iter().filter(|key| is_there(key.id));
                Ok(keys.map(|key| key.name.to_string()).collect())
            }
            // Only owners and admins have these names; nobody else's client asks for them.
            _ if !seen.administers => Ok(Vec::new()),
            Kind::Tag => {
                let org = Session::with(credential).await?.open(ctx).await?.org;
                Ok(org.keys.iter().flat_map(|key| key.tags.iter().cloned()).collect())
            }
            Kind::Set => {
                let org = Session::with(credential).await?.open(ctx).await?.org;
                Ok(org.keys.iter().filter_map(|key| key.set.clone()).collect())
            }
            Kind::Group => {
                let org = Session::with(credential).await?.open(ctx).await?.org;
                Ok(org.groups.iter().map(|group| group.name.to_string()).collect())
            }
            Kind::Identity | Kind::ApiUser | Kind::Gateway | Kind::Agent | Kind::Member => {
                let org = Session::with(credential).await?.open(ctx).await?.org;
                let wanted = org.identities.iter().filter(|identity| match kind {
                    Kind::Identity | Kind::Member => true,
                    Kind::ApiUser => identity.kind != IdentityKind::Human,
                    Kind::Gateway => identity.kind == IdentityKind::Gateway,
                    _ => false,
                });
                let agents =
                    org.agents.iter().filter(|_| matches!(kind, Kind::Agent | Kind::Member)).map(|a| &a.name);
                Ok(wanted.map(|identity| &identity.name).chain(agents).map(ToString::to_string).collect())
            }
        }
    })
}

/// The deployment that is meant: in the folder's own words, by its name, or by its id.
fn named<'a>(view: &'a View, typed: &str) -> Option<&'a ViewDeployment> {
    let mapped = mapping_file::nearest_here().ok().flatten().and_then(|(_, ids)| ids.get(typed).copied());
    let is_it = |one: &&ViewDeployment| match mapped {
        Some(id) => one.id == id,
        None => one.name.as_str() == typed || one.id.to_string() == typed,
    };
    view.deployments.iter().find(is_it)
}
