//! `keyward deployment show`.

use clap::Args;
use keyward_crypto::state::org::Org;
use keyward_wire::DeploymentId;
use serde_json::json;

use crate::ctx::Ctx;
use crate::report::assignment::AssignmentSummary;
use crate::session::credential::Credential;
use crate::vault::admin::Session;
use crate::vault::fetch::{Fetched, fetch};
use crate::vault::freshness::Freshness;
use crate::vault::{choose, mapping_file};

/// Show the variables of a deployment and, to owners and admins, which groups have it
#[derive(Args)]
#[command(after_help = "Example:\n  keyward deployment show production")]
pub struct Options {
    /// Name in .keyward-deployment, or name, or id of the deployment
    deployment: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let credential = Credential::find(ctx)?;
        let mapped = mapping_file::find(&self.deployment)?;
        let wanted = mapped.map_or_else(|| self.deployment.clone(), |id| id.to_string());
        let fetched = fetch(ctx, &credential, &Freshness::default(), None).await?;
        fetched.remember(ctx);
        if let Some(id) = mapped {
            mapping_file::warn_if_hidden(ctx, &fetched.verified.view, &self.deployment, id);
        }
        let id = match fetched.deployment(&wanted) {
            Ok(id) => id,
            Err(unknown) => choose::deployment(ctx, &fetched.verified.view, &wanted, unknown).await?,
        };
        let assigned = if fetched.verified.administers {
            let session = Session::with(credential).await?;
            Some(assigned(&session.open(ctx).await?.org, id))
        } else {
            None
        };
        show(ctx, &fetched, id, assigned.as_deref())
    }
}

fn assigned(org: &Org, id: DeploymentId) -> Vec<AssignmentSummary> {
    let facts = org.facts();
    let assignments = org.assignments.iter().filter(|assignment| assignment.deployment == id);
    let mut assigned: Vec<_> =
        assignments.map(|assignment| AssignmentSummary::of(org, &facts, assignment)).collect();
    assigned.sort_by(|a, b| a.group.name.cmp(&b.group.name));
    assigned
}

fn show(
    ctx: &Ctx,
    fetched: &Fetched,
    id: DeploymentId,
    assigned: Option<&[AssignmentSummary]>,
) -> anyhow::Result<()> {
    let view = &fetched.verified.view;
    let Some(deployment) = view.deployment(id) else { return Ok(()) };
    let key = |id| view.key(id).map(|key| key.name.as_str()).unwrap_or_default();
    let mut mappings: Vec<_> = deployment.mappings.iter().collect();
    mappings.sort_by(|a, b| a.env.cmp(&b.env));
    if ctx.out.json {
        let variables: Vec<_> = mappings
            .iter()
            .map(|m| json!({ "env": m.env, "key": { "id": m.key, "name": key(m.key) } }))
            .collect();
        let mut shown = json!({ "id": id, "name": deployment.name, "variables": variables });
        if let (Some(assigned), Some(object)) = (assigned, shown.as_object_mut()) {
            object.insert("groups".to_owned(), json!(assigned));
        }
        return ctx.out.json(&shown);
    }
    ctx.out.line(&format!("{}  {id}", deployment.name))?;
    ctx.out.line("")?;
    let rows: Vec<_> = mappings.iter().map(|m| vec![m.env.to_string(), key(m.key).to_owned()]).collect();
    ctx.out.table(&["VARIABLE", "KEY"], &rows)?;
    for assigned in assigned.unwrap_or_default() {
        let (name, count) = (&assigned.group.name, assigned.count());
        ctx.out.line(&format!("\ngroup {name}: {count}, new keys {}", assigned.new_keys()))?;
        for side in assigned.sides() {
            ctx.out.line(&side)?;
        }
    }
    Ok(())
}
