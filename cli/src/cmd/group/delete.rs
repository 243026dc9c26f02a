//! `keyward group delete`.

use clap::Args;

use crate::cmd::aftermath::Aftermath;
use crate::cmd::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Delete a group: its members and assignments; identities and deployments stay
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group delete agents")]
pub struct Options {
    /// Name or id of the group
    group: String,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (id, name, aftermath) = session
            .write(ctx, async |draft, desk| {
                let group = resolve::group(&desk.org, &self.group)?;
                draft.because("left group");
                draft.org.remove_group(group.id).map_err(Fault::from)?;
                Ok((group.id, group.name.clone(), Aftermath::of(draft, &desk.org)))
            })
            .await?;
        ctx.out.say(&format!("group {name} deleted"));
        aftermath.report(ctx, serde_json::json!({ "id": id, "name": name }))
    }
}
