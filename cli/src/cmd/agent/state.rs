//! Whether an agent is served.

use keyward_wire::api::write::AgentState;
use serde_json::json;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Carries through that an agent is, or is not, served.
pub(super) async fn set_state(ctx: &Ctx, agent: &str, state: AgentState, said: &str) -> anyhow::Result<()> {
    let session = Session::start(ctx).await?;
    let (id, name) = session
        .write(ctx, async |draft, opened| {
            let agent = resolve::agent(&opened.org, agent)?;
            draft.org.set_agent_state(agent.id, state).map_err(Fault::from)?;
            Ok((agent.id, agent.name.clone()))
        })
        .await?;
    ctx.out.say(&format!("{name} {said}"));
    if ctx.out.json {
        ctx.out.json(&json!({ "id": id, "name": name, "state": state }))?;
    }
    Ok(())
}
