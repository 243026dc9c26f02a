//! `keyward agent suspend`.

use clap::Args;
use keyward_wire::api::write::AgentState;

use super::state::set_state;
use crate::ctx::Ctx;

/// Stop serving an agent until it is resumed
///
/// It keeps its credential, groups and grants.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent suspend claude")]
pub struct Options {
    /// Name or id of the agent
    agent: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        set_state(ctx, &self.agent, AgentState::Suspended, "is suspended").await
    }
}
