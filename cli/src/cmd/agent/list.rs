//! `keyward agent list`.

use clap::Args;
use keyward_crypto::state::org::{Agent, Org};
use keyward_wire::api::write::AgentState;
use serde_json::json;

use super::uses::{Use, groups, uses};
use crate::args::resolve;
use crate::cmd::api_user::list::expiry;
use crate::ctx::{Ctx, rfc3339};
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
                        "groups": groups(&org, agent),
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
                    groups(&org, agent).join(", "),
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
    uses(org, agent).iter().filter(|one| Use::usable(one)).count()
}
