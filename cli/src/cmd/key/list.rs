//! `keyward key list`.

use clap::Args;

use super::facts::Facts;
use super::filter::Filter;
use super::reader::{Reader, open_since};
use crate::ctx::Ctx;
use crate::fault::printable;
use crate::text::list;
use crate::vault::freshness::Freshness;

/// List the keys you may read, or some of them
///
/// Tags and sets stand in the organisation's state, which only owners and admins open; others filter by name, provider and
/// deployment.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key list\n  keyward key list 'STRIPE_*' --tag live\n  \
                        keyward key list --deployment production\n  keyward key list --unused\n  \
                        keyward key list --json | jq -r '.[].name'")]
pub struct Options {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    freshness: Freshness,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (mut keys, deployments, all) = match Reader::open(ctx, &self.freshness).await? {
            Reader::Admin(session, seq) => {
                let opened = open_since(&session, ctx, seq).await?;
                let facts = opened.org.keys.iter().map(|key| Facts::of_org(&opened.org, key));
                let deployments =
                    opened.org.deployments.iter().map(|d| (d.name.to_string(), d.id.to_string()));
                (facts.collect::<Vec<_>>(), deployments.collect::<Vec<_>>(), true)
            }
            Reader::Viewer(fetched) => {
                self.filter.check_view()?;
                let view = &fetched.verified.view;
                let facts = view.keys.iter().map(|key| Facts::of_view(view, key)).collect();
                let deployments = view.deployments.iter().map(|d| (d.name.to_string(), d.id.to_string()));
                fetched.remember(ctx);
                (facts, deployments.collect(), false)
            }
        };
        let there_are_some = !keys.is_empty();
        self.filter.apply(&mut keys, &deployments)?;
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        if ctx.out.json {
            return ctx.out.json(&keys);
        }
        if keys.is_empty() {
            ctx.out.say(if there_are_some && self.filter.is_given() {
                "no key is like that"
            } else if all {
                "there is no key yet; put keys in with: keyward key import .env, or keyward key create NAME"
            } else {
                "you may read no key yet; an owner or admin can give your groups a deployment"
            });
            return Ok(());
        }
        if all {
            let rows: Vec<_> = keys.iter().map(row).collect();
            ctx.out.table(&["NAME", "PROVIDER", "VERSION", "UPDATED", "SET", "TAGS"], &rows)?;
        } else {
            let rows: Vec<_> = keys.iter().map(|key| row(key).into_iter().take(3).collect()).collect();
            ctx.out.table(&["NAME", "PROVIDER", "VERSION"], &rows)?;
        }
        let exposed: Vec<_> =
            keys.iter().filter(|key| !key.exposed.is_empty()).map(|key| key.name.clone()).collect();
        if !exposed.is_empty() {
            ctx.out.say(&format!(
                "somebody who lost access may know the value of: {}\n  → rotate it at the provider, then: keyward key set",
                list(&exposed)
            ));
        }
        Ok(())
    }
}

fn row(key: &Facts) -> Vec<String> {
    let shown = |text: Option<&str>| match text {
        Some(text) if !text.is_empty() => printable(text, 60),
        _ => "-".to_owned(),
    };
    vec![
        key.name.to_string(),
        shown(key.provider.as_deref()),
        key.version.to_string(),
        shown(key.updated_at.as_deref()),
        shown(key.set.as_deref()),
        shown(Some(&key.tags.join(","))),
    ]
}
