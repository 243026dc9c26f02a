//! `keyward key`: names, values and versions.

pub mod copy;
pub mod create;
pub mod delete;
pub mod export;
mod facts;
mod fields;
mod filter;
mod generate;
pub mod get;
pub mod history;
pub mod import;
pub mod list;
mod opened;
mod opening;
pub mod prune;
pub mod rename;
pub mod rollback;
mod rule;
pub mod set;
pub mod show;
mod source;
pub mod tag;
mod told;
mod words;

use clap::Subcommand;
use keyward_crypto::change::Draft;
use keyward_crypto::state::org::Org;
use keyward_crypto::state::secret::Secret;
use keyward_wire::name::Name;
use keyward_wire::{IdentityId, KeyId};

use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::text::{list, quoted};

/// Manage keys: names, values, versions
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyward key create STRIPE_SECRET_KEY --provider Stripe")]
pub enum Command {
    Create(Box<create::Options>),
    List(list::Options),
    Get(get::Options),
    Copy(copy::Options),
    Show(show::Options),
    Set(Box<set::Options>),
    Tag(tag::Options),
    History(history::Options),
    Rollback(rollback::Options),
    Prune(prune::Options),
    Rename(rename::Options),
    Delete(delete::Options),
    Import(import::Options),
    Export(export::Options),
}

impl Command {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        match self {
            Self::Create(options) => Box::pin(options.run(ctx)).await,
            Self::List(options) => options.run(ctx).await,
            Self::Get(options) => options.run(ctx).await,
            Self::Copy(options) => options.run(ctx).await,
            Self::Show(options) => options.run(ctx).await,
            Self::Set(options) => Box::pin(options.run(ctx)).await,
            Self::Tag(options) => options.run(ctx).await,
            Self::History(options) => options.run(ctx).await,
            Self::Rollback(options) => options.run(ctx).await,
            Self::Prune(options) => options.run(ctx).await,
            Self::Rename(options) => options.run(ctx).await,
            Self::Delete(options) => options.run(ctx).await,
            Self::Import(options) => options.run(ctx).await,
            Self::Export(options) => options.run(ctx).await,
        }
    }
}

/// Gives a key another value. Answers its version, and who had lost access while knowing the former value: they do not
/// know this one, so the marks are taken away.
fn replace(draft: &mut Draft, id: KeyId, secret: &Secret) -> Result<(u64, Vec<Name>), Fault> {
    let version = draft.add_version(id, secret)?;
    let exposed = draft.org.key_mut(id).map(|key| std::mem::take(&mut key.exposed)).unwrap_or_default();
    Ok((version, exposed.into_iter().map(|exposure| exposure.identity_name).collect()))
}

/// Reminds that the former value of `key` is still good at its provider, and who knows it.
fn remind_to_revoke(ctx: &Ctx, key: &Name, knowing: &[Name]) {
    if !knowing.is_empty() {
        ctx.out.warn(&format!(
            "{} had lost access but may know the former value of {key}: revoke it at the provider, if it still is good \
             there",
            list(knowing)
        ));
    }
}

fn name_taken(name: &Name) -> Fault {
    Fault::new(Code::Conflict, format!("there is a key {name} already"))
        .next(format!("to give it another value: keyward key set {}", quoted(name.as_str())))
}

/// The name of an identity, or its id if it is gone.
fn who(org: &Org, id: IdentityId) -> String {
    org.identity(id).map_or_else(|| id.to_string(), |identity| identity.name.to_string())
}
