//! `keyward group create`.

use clap::Args;
use keyward_wire::name::Name;

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::text::quoted;
use crate::vault::admin::Session;

/// Create an empty group
#[derive(Args)]
#[command(after_help = "Example:\n  keyward group create agents")]
pub struct Options {
    /// Name of the group
    name: Name,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let id = session
            .write(ctx, async |draft, _| Ok(draft.org.add_group(self.name.clone()).map_err(Fault::from)?))
            .await?;
        let (name, word) = (&self.name, quoted(self.name.as_str()));
        ctx.out.say(&format!("group {name} is made; let it read: keyward group assign {word} DEPLOYMENT"));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "id": id, "name": self.name }))?;
        }
        Ok(())
    }
}
