//! `keyward agent remove`.

use clap::Args;
use serde_json::json;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Remove an agent, and with it its proxy credential
///
/// Its gateway refuses it as soon as it hears of that: within a second or two, or after five minutes at most if it cannot reach its
/// server.
///
/// The agent never held a value: nothing need be rotated at a provider.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent remove claude")]
pub struct Options {
    /// Name or id of the agent
    agent: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (id, name) = session
            .write(ctx, async |draft, opened| {
                let agent = resolve::agent(&opened.org, &self.agent)?;
                draft.org.remove_agent(agent.id).map_err(Fault::from)?;
                Ok((agent.id, agent.name.clone()))
            })
            .await?;
        ctx.out.say(&format!("{name} is removed"));
        if ctx.out.json { ctx.out.json(&json!({ "id": id, "name": name })) } else { Ok(()) }
    }
}
