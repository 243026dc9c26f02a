//! `keyward key create`.

use clap::Args;
use keyward_crypto::state::org::Org;
use keyward_crypto::state::secret::Secret;
use keyward_wire::name::Name;

use super::source::Source;
use super::words::Words;
use super::{name_taken, quoted};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::vault::admin::Session;

/// Store a new key
///
/// Asks twice for the value, unless told where it is. It can be read by nobody but owners and admins until it is mapped
/// in a deployment.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key create STRIPE_SECRET_KEY --provider Stripe\n  \
                        pass show stripe | keyward key create STRIPE_SECRET_KEY --value-stdin\n  \
                        keyward key create SESSION_SECRET --generate 48")]
pub struct Options {
    /// Name of the key
    name: Name,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    words: Words,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let Self { name, source, words } = self;
        source.check()?;
        let session = Session::start(ctx).await?;
        if !source.is_given() {
            // Before anybody types a value in vain.
            check_free(&session.open(ctx).await?.org, &name)?;
        }
        let value = source.read(ctx, name.as_str())?;
        let secret = Secret { value, note: words.note(None) };
        let id = session
            .write(ctx, async |draft, desk| {
                check_free(&desk.org, &name)?;
                let id = draft.add_key(name.clone(), &secret).map_err(Fault::from)?;
                if let Some(key) = draft.org.key_mut(id) {
                    words.apply(key);
                }
                Ok(id)
            })
            .await?;
        ctx.out.say(&format!(
            "{name} is stored; make it a variable with: keyward deployment map DEPLOYMENT {}",
            quoted(name.as_str())
        ));
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({ "id": id, "name": name, "version": 1 }))?;
        }
        Ok(())
    }
}

fn check_free(org: &Org, name: &Name) -> Result<(), Fault> {
    if org.keys.iter().any(|key| key.name == *name) { Err(name_taken(name)) } else { Ok(()) }
}
