//! `keyward key rename`.

use clap::Args;
use keyward_wire::name::Name;

use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Give a key another name; variables it is mapped to keep theirs
#[derive(Args)]
#[command(after_help = "Example:\n  keyward key rename STRIPE_KEY STRIPE_SECRET_KEY")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "OLD")]
    key: String,
    /// Its new name
    #[arg(value_name = "NEW")]
    new: Name,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (id, old) = session
            .write(ctx, async |draft, opened| {
                let key = resolve::key(&opened.org, &self.key)?;
                draft.org.rename_key(key.id, self.new.clone()).map_err(Fault::from)?;
                Ok((key.id, key.name.clone()))
            })
            .await?;
        ctx.out.say(&format!("{old} is {} now", self.new));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "id": id, "name": self.new, "former_name": old }))?;
        }
        Ok(())
    }
}
