//! `keyward key history`.

use clap::Args;
use keyward_crypto::state::org::Org;
use keyward_wire::IdentityId;

use crate::args::resolve;
use crate::ctx::{Ctx, rfc3339};
use crate::vault::admin::Session;

/// List the versions of a key that are kept: the current one and up to five before it
#[derive(Args)]
#[command(after_help = "Example:\n  keyward key history STRIPE_SECRET_KEY")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let opened = session.open(ctx).await?;
        let key = resolve::key(&opened.org, &self.key)?;
        let current = (key.version, key.updated_at, key.updated_by);
        let old = key.history.iter().map(|old| (old.version, old.at, old.by));
        let versions: Vec<(u64, i64, IdentityId)> = std::iter::once(current).chain(old).collect();
        if ctx.out.json {
            let versions = versions.iter().map(|(version, at, by)| {
                serde_json::json!({
                    "version": version,
                    "current": *version == key.version,
                    "updated_at": rfc3339(*at),
                    "updated_by": by,
                    "updated_by_name": opened.org.identity(*by).map(|identity| &identity.name),
                })
            });
            return ctx.out.json(&serde_json::json!({
                "id": key.id,
                "name": key.name,
                "versions": versions.collect::<Vec<_>>(),
            }));
        }
        let rows: Vec<Vec<String>> = versions
            .iter()
            .map(|(version, at, by)| {
                let mark = if *version == key.version { "current" } else { "" };
                vec![version.to_string(), rfc3339(*at), who(&opened.org, *by), mark.to_owned()]
            })
            .collect();
        ctx.out.table(&["VERSION", "UPDATED", "BY", ""], &rows)
    }
}

/// The name of an identity, or its id if it is gone.
fn who(org: &Org, id: IdentityId) -> String {
    org.identity(id).map_or_else(|| id.to_string(), |identity| identity.name.to_string())
}
