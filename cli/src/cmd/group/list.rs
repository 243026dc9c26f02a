//! `keyward group list`.

use clap::Args;

use crate::ctx::Ctx;
use crate::vault::admin::Session;

/// List the groups
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group list")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        let members = |id| org.identities.iter().filter(|identity| identity.groups.contains(&id)).count();
        let deployments = |id| {
            let assignments = org.assignments.iter().filter(|assignment| assignment.group == id);
            let mut names: Vec<_> = assignments
                .filter_map(|assignment| Some(org.deployment(assignment.deployment)?.name.as_str()))
                .collect();
            names.sort_unstable();
            names
        };
        let mut groups: Vec<_> = org.groups.iter().collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        if ctx.out.json {
            let list: Vec<_> = groups
                .iter()
                .map(|group| {
                    serde_json::json!({
                        "id": group.id,
                        "name": group.name,
                        "members": members(group.id),
                        "deployments": deployments(group.id),
                    })
                })
                .collect();
            return ctx.out.json(&list);
        }
        let rows: Vec<Vec<String>> = groups
            .iter()
            .map(|group| {
                let (members, deployments) = (members(group.id), deployments(group.id));
                vec![
                    group.name.to_string(),
                    members.to_string(),
                    deployments.join(", "),
                    group.id.to_string(),
                ]
            })
            .collect();
        ctx.out.table(&["NAME", "MEMBERS", "DEPLOYMENTS", "ID"], &rows)
    }
}
