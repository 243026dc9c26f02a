//! `keyward group delete`.

use clap::Args;
use keyward_crypto::change::LossReason;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::prompt::confirm;
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Delete a group: its members and assignments; identities and deployments stay
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group delete agents --yes")]
pub struct Options {
    /// Name or id of the group
    group: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let opened = session.open(ctx).await?;
        let group = resolve::group(&opened.org, &self.group)?;
        let (id, name) = (group.id, group.name.clone());
        confirm::by_typing(name.as_str(), "delete this group", self.yes)?;
        let consequences = session
            .write(ctx, async |draft, opened| {
                draft.set_loss_reason(LossReason::GroupDeleted);
                draft.org.remove_group(id).map_err(Fault::from)?;
                Ok(Consequences::of(draft, &opened.org))
            })
            .await?;
        ctx.out.say(&format!("group {name} deleted"));
        consequences.report(ctx, serde_json::json!({ "id": id, "name": name }))
    }
}
