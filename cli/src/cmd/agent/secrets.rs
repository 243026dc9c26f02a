//! `keyward agent secrets`.

use clap::Args;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::report::agent_keys;
use crate::vault::admin::Session;

/// Show which keys an agent may use, and why it may not use others
///
/// An agent uses a key through its gateway if it was granted the key, and both its own groups and the gateway's may read it.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent secrets claude")]
pub struct Options {
    /// Name or id of the agent
    agent: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        agent_keys::show(ctx, &org, resolve::agent(&org, &self.agent)?)
    }
}
