//! `keyward org show`.

use clap::Args;
use keyward_crypto::state::org::Recovered;
use keyward_wire::api::IdentityKind;
use serde_json::json;

use crate::ctx::{Ctx, rfc3339};
use crate::vault::admin::Session;
use crate::vault::notice;

/// Show the organisation: its state and how much is in it
#[derive(Args)]
#[command(after_help = "Example:\n  keyward org show")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        let writer = org.identity(org.written_by);
        let writer = writer.map_or_else(|| org.written_by.to_string(), |writer| writer.name.to_string());
        let of_kind = |kind| org.identities.iter().filter(|identity| identity.kind == kind).count();
        let (people, machines) = (of_kind(IdentityKind::Human), of_kind(IdentityKind::Api));
        let recovery =
            |one: &Recovered| json!({ "at": rfc3339(one.at), "identity": one.identity, "email": one.email });
        let recoveries: Vec<_> = org.recoveries.iter().map(recovery).collect();
        if ctx.out.json {
            return ctx.out.json(&json!({
                "id": org.org,
                "name": org.org_name,
                "seq": org.seq,
                "epoch": org.epoch,
                "written_at": rfc3339(org.written_at),
                "written_by": { "id": org.written_by, "name": writer },
                "people": people,
                "api_users": machines,
                "groups": org.groups.len(),
                "deployments": org.deployments.len(),
                "keys": org.keys.len(),
                "views": org.views.len(),
                "recoveries": recoveries,
            }));
        }
        ctx.out.line(&format!("{}  {}", org.org_name, org.org))?;
        ctx.out.line(&format!(
            "seq {}, epoch {}, written at {} by {writer}",
            org.seq,
            org.epoch,
            rfc3339(org.written_at)
        ))?;
        let rows = [
            ("people", people),
            ("API users", machines),
            ("groups", org.groups.len()),
            ("deployments", org.deployments.len()),
            ("keys", org.keys.len()),
            ("views", org.views.len()),
        ];
        for (what, count) in rows {
            ctx.out.line(&format!("{what:12}{count:>6}"))?;
        }
        for one in &org.recoveries {
            ctx.out.line(&notice::line(one))?;
        }
        Ok(())
    }
}
