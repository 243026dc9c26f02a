//! `keyward agent revoke`.

use clap::Args;
use serde_json::json;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::text::{count, list};
use crate::vault::admin::Session;

/// Take keys from an agent, and no others
///
/// Its gateway refuses requests that would use them, and ends those that are open, as soon as it hears of that: within a second
/// or two, or after five minutes at most if it cannot reach its server. The agent never held a value: nothing need be rotated at
/// a provider.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent revoke claude GITHUB_TOKEN")]
pub struct Options {
    /// Name or id of the agent
    agent: String,
    /// Keys, by name or id
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (agent, left, names) = session
            .write(ctx, async |draft, opened| {
                let agent = resolve::agent(&opened.org, &self.agent)?;
                let keys = resolve::keys(&opened.org, &self.keys)?;
                let name = |id| opened.org.key(id).map(|key| key.name.to_string());
                if let Some(other) = keys.iter().find(|key| !agent.granted.contains(key)) {
                    let key = name(*other).unwrap_or_default();
                    let what = format!("{} was not granted {key}; nothing was changed", agent.name);
                    return Err(Fault::new(Code::NotFound, what)
                        .next(format!("see what it has: keyward agent secrets {}", agent.name))
                        .into());
                }
                draft.org.revoke_agent(agent.id, &keys).map_err(Fault::from)?;
                let left = agent.granted.difference(&keys).count();
                let names: Vec<String> = keys.into_iter().filter_map(name).collect();
                Ok((agent.name.clone(), left, names))
            })
            .await?;
        ctx.out.say(&format!("{agent} may no longer use {}; it has {}", list(&names), count(left, "grant")));
        if ctx.out.json {
            ctx.out.json(&json!({ "agent": agent, "granted": left, "revoked": names }))?;
        }
        Ok(())
    }
}
