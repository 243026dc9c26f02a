//! `keyward key delete`.

use clap::Args;
use keyward_crypto::edit::EditError;
use keyward_crypto::state::org::{Identity, KeyEntry, Org};
use keyward_wire::access::readable;
use keyward_wire::name::Name;

use super::facts::{Mapped, mapped_in};
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::prompt::confirm;
use crate::text::list;
use crate::vault::admin::Session;

/// Delete a key with all its versions, for good
///
/// Deployments lose the variables it is mapped to. Asks for the name once more on a terminal.
#[derive(Args)]
#[command(after_help = "Example:\n  keyward key delete STRIPE_KEY --yes")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let opened = session.open(ctx).await?;
        let key = resolve::key(&opened.org, &self.key)?;
        let (id, name, mapped) = (key.id, key.name.clone(), mapped_in(&opened.org, key.id));
        if !mapped.is_empty() {
            let variables: Vec<String> = mapped.iter().map(Mapped::to_string).collect();
            ctx.out.warn(&format!("with {name}, deployments lose: {}", variables.join(", ")));
        }
        confirm::by_typing(name.as_str(), "delete it with all its versions", self.yes)?;
        let readers = readers(&opened.org, key);
        // By its id: what was asked about, whatever its name has become meanwhile.
        let gone = |error: EditError| match error {
            EditError::NotThere => Fault::unknown("key", name.as_str(), std::iter::empty()),
            other => other.into(),
        };
        session.write(ctx, async |draft, _| Ok(draft.org.remove_key(id).map_err(gone)?)).await?;
        ctx.out.say(&format!("{name} is deleted"));
        if !readers.is_empty() {
            let names = list(&readers);
            ctx.out.warn(&format!("its value may be known to: {names}; revoke it at the provider"));
        }
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({
                "id": id,
                "name": name,
                "unmapped": mapped,
                "was_readable_by": readers,
            }))?;
        }
        Ok(())
    }
}

/// The identities that could read the key, beside owners and admins.
fn readers(org: &Org, key: &KeyEntry) -> Vec<Name> {
    let facts = org.facts();
    let reads = |identity: &&Identity| readable(&identity.groups, &facts).keys().contains(&key.id);
    org.readers().filter(reads).map(|identity| identity.name.clone()).collect()
}
