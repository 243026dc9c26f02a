//! `keyward agent resume`.

use clap::Args;
use keyward_wire::api::write::AgentState;

use super::state::set_state;
use crate::ctx::Ctx;

/// Serve a suspended agent again
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent resume claude")]
pub struct Options {
    /// Name or id of the agent
    agent: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        set_state(ctx, &self.agent, AgentState::Active, "is served again").await
    }
}
