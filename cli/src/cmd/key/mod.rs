//! `keyward key`: names, values and versions.

pub mod copy;
pub mod create;
mod credential_path_option;
pub mod delete;
pub mod export;
mod facts;
mod fields;
mod filter;
mod generate;
pub mod get;
pub mod history;
pub mod import;
mod label_options;
pub mod list;
mod messages;
mod new_version;
mod newly_allowed;
pub mod prune;
mod reader;
pub mod rename;
pub mod rollback;
mod rule_change;
mod rule_options;
pub mod set;
pub mod show;
pub mod tag;
mod value_source;

use clap::Subcommand;

use crate::ctx::Ctx;

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
