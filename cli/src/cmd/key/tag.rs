//! `keyward key tag`: labels of several keys in one write.

use clap::Args;
use keyward_crypto::state::org::KeyEntry;
use keyward_wire::KeyId;
use keyward_wire::name::Name;

use super::label_options::parse_label;
use crate::args::resolve;
use crate::ctx::Ctx;
use crate::text::count;
use crate::vault::admin::Session;

/// Add tags to keys or take them away, and put keys together as a set
///
/// A tag is a label; a key may have several. A set is the label of keys that belong together, such as an access key with
/// its secret; a key is in one set at most. Owners and admins see both; what others may read carries neither.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  keyward key tag STRIPE_KEY STRIPE_WEBHOOK_SECRET --add billing --remove trial\n  \
                        keyward key tag DB_USER DB_PASSWORD --set \"Main database\""
)]
pub struct Options {
    /// Names or ids of keys
    #[arg(value_name = "NAME", required = true)]
    keys: Vec<String>,
    /// A tag that they get; may be given several times
    #[arg(long, value_name = "TAG", value_parser = tag, required_unless_present_any = ["remove", "set"])]
    add: Vec<String>,
    /// A tag that they lose; may be given several times
    #[arg(long, value_name = "TAG", value_parser = tag)]
    remove: Vec<String>,
    /// The set they are of (empty: none)
    #[arg(long, value_name = "LABEL", value_parser = parse_label)]
    set: Option<String>,
}

/// The key as it is afterwards.
struct Done {
    id: KeyId,
    name: Name,
    tags: Vec<String>,
    set: Option<String>,
    changed: bool,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let done = session
            .write(ctx, async |draft, opened| {
                let keys = self.keys.iter().map(|key| resolve::key(&opened.org, key).map(|key| key.id));
                let mut keys: Vec<KeyId> = keys.collect::<Result<_, _>>()?;
                keys.sort_unstable();
                keys.dedup();
                Ok(keys
                    .into_iter()
                    .filter_map(|id| Some(self.label(draft.org.key_mut(id)?)))
                    .collect::<Vec<_>>())
            })
            .await?;
        let changed = done.iter().filter(|key| key.changed).count();
        ctx.out.say(&match changed {
            0 => "nothing changed: the keys have these labels already".to_owned(),
            changed => format!("labels of {} changed", count(changed, "key")),
        });
        if ctx.out.json {
            let keys = done.iter().map(|Done { id, name, tags, set, changed }| {
                serde_json::json!({ "id": id, "name": name, "tags": tags, "set": set, "changed": changed })
            });
            ctx.out.json(&keys.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn label(&self, key: &mut KeyEntry) -> Done {
        let before = (key.tags.clone(), key.set.clone());
        key.tags.retain(|tag| !self.remove.contains(tag));
        for tag in &self.add {
            if !key.tags.contains(tag) {
                key.tags.push(tag.clone());
            }
        }
        if let Some(set) = &self.set {
            key.set = Some(set.clone()).filter(|set| !set.is_empty());
        }
        let (tags, set) = (key.tags.clone(), key.set.clone());
        Done {
            id: key.id,
            name: key.name.clone(),
            changed: (&tags, &set) != (&before.0, &before.1),
            tags,
            set,
        }
    }
}

fn tag(text: &str) -> Result<String, keyward_wire::name::NameError> {
    text.parse().map(|name: Name| name.to_string())
}
