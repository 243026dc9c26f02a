//! `keyward key rollback`.

use clap::Args;
use keyward_crypto::change::open_old;
use keyward_crypto::state::org::KeyEntry;

use crate::cmd::resolve;
use crate::ctx::Ctx;
use crate::fault::{Code, Fault};
use crate::vault::admin::Session;

/// Give a key the value and note of an older version again, as a new version
#[derive(Args)]
#[command(after_help = "Example:\n  keyward key rollback STRIPE_SECRET_KEY 3")]
pub struct Options {
    /// Name or id of the key
    #[arg(value_name = "NAME")]
    key: String,
    /// Number of the version, from `key history`
    #[arg(value_name = "N")]
    number: u64,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let (id, name, version, knowing) = session
            .write(ctx, async |draft, desk| {
                let key = resolve::key(&desk.org, &self.key)?;
                let old = key.history.iter().find(|old| old.version == self.number);
                let old = old.ok_or_else(|| self.no_such_version(key))?;
                let envelope = desk.envelope(key.id, old.version).await?;
                let secret = open_old(&desk.org, key.id, old, &envelope).map_err(Fault::from)?;
                let version = draft.add_version(key.id, &secret).map_err(Fault::from)?;
                // Whoever lost access at that version or after it may well know its value.
                let exposed = key.exposed_since(old.version);
                let knowing: Vec<_> = exposed.iter().map(|e| e.identity_name.clone()).collect();
                if let Some(key) = draft.org.key_mut(key.id) {
                    key.exposed = exposed;
                }
                Ok((key.id, key.name.clone(), version, knowing))
            })
            .await?;
        let from = self.number;
        ctx.out.say(&format!("{name} is at version {version} now, with the value of version {from}"));
        if !knowing.is_empty() {
            let who = super::list(&knowing);
            ctx.out.warn(&format!("{who} could read this value: rotate it at the provider"));
        }
        if ctx.out.json {
            ctx.out.json(&serde_json::json!({
                "id": id,
                "name": name,
                "version": version,
                "from_version": from,
                "exposed_to": knowing,
            }))?;
        }
        Ok(())
    }

    fn no_such_version(&self, key: &KeyEntry) -> Fault {
        if key.version == self.number {
            return Fault::usage(format!("{} is at version {} already", key.name, key.version));
        }
        let fault = Fault::new(
            Code::NotFound,
            format!("{} has no version {}, or not any more", key.name, self.number),
        );
        let kept: Vec<String> = key.history.iter().map(|old| old.version.to_string()).collect();
        if kept.is_empty() {
            fault.next("it has one version only")
        } else {
            fault.next(format!("kept are: {}", kept.join(", ")))
        }
    }
}
