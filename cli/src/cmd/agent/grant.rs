//! `keyward agent grant`.

use clap::Args;
use serde_json::json;

use super::uses::{Use, uses};
use super::waits::why;
use crate::cmd::phrase::{count, list};
use crate::cmd::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Grant keys to an agent, beside those that it has
///
/// It may use them as far as its groups, and those of its gateway, may read them.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent grant claude ANTHROPIC_API_KEY GITHUB_TOKEN")]
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
        let (agent, granted, uses, slow) = session
            .write(ctx, async |draft, desk| {
                let agent = resolve::agent(&desk.org, &self.agent)?;
                let keys = resolve::keys(&desk.org, &self.keys)?;
                draft.org.grant_agent(agent.id, &keys).map_err(Fault::from)?;
                let after = resolve::agent(&draft.org, &agent.id.to_string())?;
                let mut uses = uses(&draft.org, after);
                uses.retain(|one| keys.contains(&one.id));
                let granted: Vec<_> = keys.iter().filter_map(|id| desk.org.key(*id)).collect();
                // A warning only: what cannot be had now is not warned of.
                let secrets = desk.secrets(&granted).await.unwrap_or_default();
                let slow =
                    granted.iter().zip(&secrets).filter_map(|(key, secret)| Some((&key.name, why(secret)?)));
                let slow: Vec<_> = slow.map(|(name, why)| (name.clone(), why)).collect();
                Ok((agent.name.clone(), after.granted.len(), uses, slow))
            })
            .await?;
        let usable: Vec<&str> = uses.iter().filter(|one| one.usable()).map(|one| one.key.as_str()).collect();
        if !usable.is_empty() {
            ctx.out.say(&format!("{agent} may use {}", list(&usable)));
        }
        for withheld in uses.iter().filter(|one| !one.usable()) {
            ctx.out.warn(&format!("{agent} cannot use {} yet: {}", withheld.key, withheld.why()));
        }
        for (key, why) in slow {
            ctx.out.warn(&format!(
                "{key} makes all answers of {agent} come late, whether it is used or not: {why}. Leave it granted only if {agent} \
                 uses it (keyward agent revoke), or to an agent of its own"
            ));
        }
        ctx.out.say(&format!("{agent} has {}", count(granted, "grant")));
        if ctx.out.json {
            let keys: Vec<_> = uses.iter().map(Use::json).collect();
            ctx.out.json(&json!({ "agent": agent, "granted": granted, "keys": keys }))?;
        }
        Ok(())
    }
}
