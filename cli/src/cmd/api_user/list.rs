//! `keyward api-user list`.

use std::collections::BTreeMap;

use clap::Args;
use keyward_crypto::state::org::{Identity, Org};
use keyward_wire::IdentityId;
use keyward_wire::api::IdentityKind;
use keyward_wire::api::identities::IdentityInfo;
use serde_json::json;

use crate::ctx::{Ctx, rfc3339};
use crate::fault::Fault;
use crate::text::expiry;
use crate::vault::admin::Session;

/// List the API users and gateways, when each ends, and when each was last used
#[derive(Args)]
#[command(after_help = "Example:\n  keyward api-user list")]
pub struct Options {}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let org = session.open(ctx).await?.org;
        // The last use is the server's word; all else is sealed.
        let answer = session.api.identities().await.map_err(Fault::from)?;
        let known: BTreeMap<IdentityId, IdentityInfo> =
            answer.identities.into_iter().map(|info| (info.id, info)).collect();
        let last_used = |user: &Identity| known.get(&user.id).and_then(|info| info.last_used_at).map(rfc3339);
        let mut users: Vec<&Identity> =
            org.identities.iter().filter(|identity| identity.kind != IdentityKind::Human).collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        if ctx.out.json {
            let list: Vec<_> = users
                .iter()
                .map(|user| {
                    json!({
                        "id": user.id,
                        "name": user.name,
                        "kind": user.kind,
                        "role": user.role,
                        "groups": groups(&org, user),
                        "expires_at": user.not_after.map(rfc3339),
                        "last_used_at": last_used(user),
                    })
                })
                .collect();
            return ctx.out.json(&list);
        }
        let rows: Vec<Vec<String>> = users
            .iter()
            .map(|user| {
                vec![
                    user.name.to_string(),
                    user.kind.as_str().to_owned(),
                    user.role.as_str().to_owned(),
                    groups(&org, user).join(", "),
                    expiry(user.not_after, ctx.now()),
                    last_used(user).unwrap_or_else(|| "never used".to_owned()),
                ]
            })
            .collect();
        ctx.out.table(&["NAME", "KIND", "ROLE", "GROUPS", "EXPIRES", "LAST USE"], &rows)
    }
}

fn groups<'a>(org: &'a Org, user: &Identity) -> Vec<&'a str> {
    let mut names: Vec<_> = user.groups.iter().filter_map(|id| Some(org.group(*id)?.name.as_str())).collect();
    names.sort_unstable();
    names
}
