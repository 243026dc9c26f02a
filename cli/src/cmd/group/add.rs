//! `keyward group add`.

use clap::Args;
use serde_json::json;

use crate::cmd::aftermath::Aftermath;
use crate::cmd::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Put an identity into a group
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group add agents ci-bot")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Name, e-mail address or id of the identity
    identity: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (group, identity, administers, aftermath) = session
            .write(ctx, async |draft, desk| {
                let group = resolve::group(&desk.org, &self.group)?;
                let identity = resolve::identity(&desk.org, &self.identity)?;
                draft.org.add_member(group.id, identity.id).map_err(Fault::from)?;
                let aftermath = Aftermath::of(draft, &desk.org);
                Ok((group.name.clone(), identity.name.clone(), identity.role.administers(), aftermath))
            })
            .await?;
        ctx.out.say(&format!("{identity} is in {group}"));
        if administers {
            ctx.out
                .say(&format!("{identity} is an owner or admin and reads everything, whatever its groups"));
        }
        aftermath.report(ctx, json!({ "group": group, "identity": identity }))
    }
}
