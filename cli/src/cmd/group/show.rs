//! `keyward group show`.

use clap::Args;
use keyward_crypto::state::org::{Agent, Identity};
use serde_json::json;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::report::assignment::AssignmentSummary;
use crate::vault::admin::Session;

/// Show a group's members, and what they may and may not read of each deployment
///
/// A member of several groups reads what any of them includes, less what any of them excludes: `keyward access` tells.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group show agents")]
pub struct Options {
    /// Name or id of the group
    group: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        let group = resolve::group(&org, &self.group)?;
        let mut members: Vec<&Identity> =
            org.identities.iter().filter(|identity| identity.groups.contains(&group.id)).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let mut agents: Vec<&Agent> =
            org.agents.iter().filter(|agent| agent.groups.contains(&group.id)).collect();
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        let facts = org.facts();
        let assignments = org.assignments.iter().filter(|assignment| assignment.group == group.id);
        let mut assigned: Vec<_> =
            assignments.map(|assignment| AssignmentSummary::of(&org, &facts, assignment)).collect();
        assigned.sort_by(|a, b| a.deployment.name.cmp(&b.deployment.name));
        if ctx.out.json {
            let members: Vec<_> = members
                .iter()
                .map(|m| json!({ "id": m.id, "name": m.name, "kind": m.kind, "role": m.role }))
                .collect();
            return ctx.out.json(&json!({
                "id": group.id,
                "name": group.name,
                "members": members,
                "agents": agents.iter().map(|a| json!({ "id": a.id, "name": a.name })).collect::<Vec<_>>(),
                "assignments": assigned,
            }));
        }
        ctx.out.line(&format!("{}  {}", group.name, group.id))?;
        ctx.out.line(&match members.as_slice() {
            [] => "no members".to_owned(),
            some => format!("members: {}", some.iter().map(|m| described(m)).collect::<Vec<_>>().join(", ")),
        })?;
        if !agents.is_empty() {
            let names: Vec<_> = agents.iter().map(|agent| agent.name.as_str()).collect();
            ctx.out.line(&format!("agents: {}", names.join(", ")))?;
        }
        if assigned.is_empty() {
            ctx.out.line("no deployments")?;
        }
        for assigned in assigned {
            let (name, count) = (&assigned.deployment.name, assigned.count());
            ctx.out.line(&format!("\ndeployment {name}: {count}, new keys {}", assigned.new_keys()))?;
            for side in assigned.sides() {
                ctx.out.line(&side)?;
            }
        }
        Ok(())
    }
}

fn described(member: &Identity) -> String {
    // Groups mean nothing to those who read everything.
    if member.role.administers() {
        format!("{} ({}, reads everything)", member.name, member.role.as_str())
    } else {
        member.name.to_string()
    }
}
