//! `keyward group remove`.

use clap::Args;
use serde_json::json;

use crate::cmd::aftermath::Aftermath;
use crate::cmd::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::vault::admin::Session;

/// Take an identity out of a group
///
/// What it could read before and cannot any more is sealed afresh.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group remove agents ci-bot")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Name, e-mail address or id of the identity
    identity: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (group, identity, aftermath) = session
            .write(ctx, async |draft, desk| {
                let group = resolve::group(&desk.org, &self.group)?;
                let identity = resolve::identity(&desk.org, &self.identity)?;
                if !identity.groups.contains(&group.id) {
                    let what = format!("{} is not in {}", identity.name, group.name);
                    return Err(Fault::new(Code::NotFound, what).into());
                }
                draft.because("left group");
                draft.org.remove_member(group.id, identity.id).map_err(Fault::from)?;
                Ok((group.name.clone(), identity.name.clone(), Aftermath::of(draft, &desk.org)))
            })
            .await?;
        ctx.out.say(&format!("{identity} is no longer in {group}"));
        aftermath.report(ctx, json!({ "group": group, "identity": identity }))
    }
}
