//! `keyward agent list`.

use clap::Args;
use keyward_crypto::state::org::{Agent, Org};
use keyward_wire::api::write::AgentState;
use serde_json::json;

use crate::args::resolve;
use crate::ctx::{Ctx, rfc3339};
use crate::report::agent_keys::{KeyUse, group_names, key_uses};
use crate::text::expiry;
use crate::vault::admin::Session;

/// List the agents: which gateway serves each, its groups, how many keys it may use, when it ends
#[derive(Args)]
#[command(after_help = "Example:\n  keyward agent list --gateway edge")]
pub struct Options {
    /// Only those of this gateway, by name or id
    #[arg(long, value_name = "GATEWAY")]
    gateway: Option<String>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        let wanted = match &self.gateway {
            Some(text) => Some(resolve::gateway_or_only(&org, Some(text))?.id),
            None => None,
        };
        let mut agents: Vec<&Agent> =
            org.agents.iter().filter(|agent| wanted.is_none_or(|wanted| agent.gateway == wanted)).collect();
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        if ctx.out.json {
            let list: Vec<_> = agents
                .iter()
                .map(|agent| {
                    json!({
                        "id": agent.id,
                        "name": agent.name,
                        "gateway": gateway(&org, agent),
                        "groups": group_names(&org, agent),
                        "state": agent.state,
                        "expires_at": agent.not_after.map(rfc3339),
                        "granted": agent.granted.len(),
                        "usable": usable(&org, agent),
                    })
                })
                .collect();
            return ctx.out.json(&list);
        }
        let rows: Vec<Vec<String>> = agents
            .iter()
            .map(|agent| {
                let end = expiry(agent.not_after, ctx.now());
                vec![
                    agent.name.to_string(),
                    gateway(&org, agent),
                    group_names(&org, agent).join(", "),
                    format!("{}/{}", usable(&org, agent), agent.granted.len()),
                    if agent.state == AgentState::Suspended { format!("{end} (suspended)") } else { end },
                ]
            })
            .collect();
        ctx.out.table(&["NAME", "GATEWAY", "GROUPS", "USES/GRANTED", "EXPIRES"], &rows)
    }
}

fn gateway(org: &Org, agent: &Agent) -> String {
    org.identity(agent.gateway).map(|gateway| gateway.name.to_string()).unwrap_or_default()
}

fn usable(org: &Org, agent: &Agent) -> usize {
    key_uses(org, agent).iter().filter(|one| KeyUse::usable(one)).count()
}
