//! `keyward api-user revoke`.

use clap::Args;
use serde_json::json;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::consequences::Consequences;
use crate::vault::admin::Session;

/// Remove an API user, or a gateway with its agents: its token ends at once
///
/// If the token may have leaked, use --compromised: then everything that it could read is sealed afresh.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward api-user revoke ci-bot")]
pub struct Options {
    /// Name or id of the API user or gateway
    name: String,
    /// Somebody else may have the token
    #[arg(long)]
    compromised: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (id, name, consequences) = session
            .write(ctx, async |draft, opened| {
                let user = resolve::api_user(&opened.org, &self.name)?;
                if self.compromised {
                    draft.mark_compromised(user.id);
                }
                draft.org.remove_identity(user.id).map_err(Fault::from)?;
                Ok((user.id, user.name.clone(), Consequences::of(draft, &opened.org)))
            })
            .await?;
        ctx.out.say(&format!("{name} is revoked; audit entries keep its id {id}"));
        consequences.report(ctx, json!({ "id": id, "name": name }))
    }
}
