//! `keyward deployment list`.

use clap::Args;

use crate::ctx::Ctx;
use crate::session::credential::Credential;
use crate::vault::admin::Session;
use crate::vault::fetch::fetch;
use crate::vault::freshness::Freshness;

/// List the deployments you can see
#[derive(Args)]
#[command(after_help = "Example:\n  keyward deployment list")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let credential = Credential::find(ctx)?;
        let fetched = fetch(ctx, &credential, &Freshness::default(), None).await?;
        fetched.remember(ctx);
        if fetched.verified.administers {
            return administered(ctx, credential).await;
        }
        let mut deployments: Vec<_> = fetched.verified.view.deployments.iter().collect();
        deployments.sort_by(|a, b| a.name.cmp(&b.name));
        if ctx.out.json {
            let list: Vec<_> = deployments
                .iter()
                .map(|d| serde_json::json!({ "id": d.id, "name": d.name, "variables": d.mappings.len() }))
                .collect();
            return ctx.out.json(&list);
        }
        let row = |d: &&keyward_crypto::state::view::ViewDeployment| {
            vec![d.name.to_string(), d.mappings.len().to_string(), d.id.to_string()]
        };
        ctx.out.table(&["NAME", "VARIABLES", "ID"], &deployments.iter().map(row).collect::<Vec<_>>())
    }
}

async fn administered(ctx: &Ctx, credential: Credential) -> anyhow::Result<()> {
    let session = Session::with(credential).await?;
    let opened = session.open(ctx).await?;
    let groups = |id| -> Vec<&str> {
        let assignments = opened.org.assignments.iter().filter(|assignment| assignment.deployment == id);
        let mut names: Vec<_> = assignments
            .filter_map(|assignment| Some(opened.org.group(assignment.group)?.name.as_str()))
            .collect();
        names.sort_unstable();
        names
    };
    let mut deployments: Vec<_> = opened.org.deployments.iter().collect();
    deployments.sort_by(|a, b| a.name.cmp(&b.name));
    if ctx.out.json {
        let list: Vec<_> = deployments
            .iter()
            .map(|d| {
                let variables = d.mappings.len();
                serde_json::json!({ "id": d.id, "name": d.name, "variables": variables, "groups": groups(d.id) })
            })
            .collect();
        return ctx.out.json(&list);
    }
    let rows: Vec<Vec<String>> = deployments
        .iter()
        .map(|d| {
            let variables = d.mappings.len().to_string();
            vec![d.name.to_string(), variables, groups(d.id).join(", "), d.id.to_string()]
        })
        .collect();
    ctx.out.table(&["NAME", "VARIABLES", "GROUPS", "ID"], &rows)
}
