//! `keyward agent rotate`.

use clap::Args;

use super::new_credential::NewProxyCredential;
use crate::args::resolve;
use crate::ctx::{Ctx, rfc3339};
use crate::fault::{Code, Fault};
use crate::vault::admin::Session;

/// Give an agent a new proxy credential, which ends the old one
///
/// Its gateway refuses the old one as soon as it hears of that: within a second or two, or after five minutes at most if it cannot
/// reach its server.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent rotate claude > credential.txt")]
pub struct Options {
    /// Name or id of the agent
    agent: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let issued = session
            .write(ctx, async |draft, opened| {
                let agent = resolve::agent(&opened.org, &self.agent)?;
                if let Some(end) = agent.not_after.filter(|end| *end <= ctx.now()) {
                    let what =
                        format!("{} ended at {}: a new credential would not work", agent.name, rfc3339(end));
                    return Err(Fault::new(Code::Policy, what).next("remove it, and create it anew").into());
                }
                let credential = draft.org.rotate_agent(agent.id).map_err(Fault::from)?;
                let gateway = opened.org.identity(agent.gateway).map(|gateway| gateway.name.clone());
                let gateway =
                    gateway.ok_or_else(|| Fault::new(Code::Integrity, "the agent has no gateway"))?;
                let (id, name, not_after) = (agent.id, agent.name.clone(), agent.not_after);
                Ok(NewProxyCredential { id, name, gateway, not_after, credential })
            })
            .await?;
        issued.show(ctx)
    }
}
