//! `keyward key prune`: old values do not live for ever.

use clap::Args;
use keyward_crypto::state::org::{KeyEntry, Org};
use keyward_wire::KeyId;
use keyward_wire::name::Name;

use crate::args::resolve;
use crate::ctx::{Ctx, parse_span};
use crate::fault::Fault;
use crate::prompt::confirm;
use crate::text::count;
use crate::vault::admin::Session;

/// Forget old versions of keys, for good; never the current one
///
/// Without --keep and --older-than all of them. In one write the versions leave the organisation's state and the server,
/// which also wipes them from SQLite's files; PostgreSQL drops them with its vacuum, and backups age as you let them. A
/// version that was forgotten cannot be had back by `key rollback`.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key prune STRIPE_SECRET_KEY --keep 1\n  \
                        keyward key prune --all --older-than 90d --dry-run\n  \
                        keyward key prune --all --older-than 90d --yes --quiet   # from cron")]
pub struct Options {
    /// Names or ids of keys
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    keys: Vec<String>,
    /// All keys
    #[arg(long)]
    all: bool,
    /// Keep this many old versions of each key, the newest ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep: usize,
    /// Only versions that were replaced longer ago than this, such as 90d
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    older_than: Option<i64>,
    /// Say what would be forgotten, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// The versions of one key that are removed.
struct Gone {
    key: KeyId,
    name: Name,
    /// Newest first.
    versions: Vec<u64>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let session = Session::start(ctx).await?;
        let mut gone = self.plan(&session.open(ctx).await?.org, ctx.now())?;
        let versions = |gone: &[Gone]| count(gone.iter().map(|of| of.versions.len()).sum(), "old version");
        if !gone.is_empty() && !self.dry_run {
            let what = format!("forget {} of {} for good", versions(&gone), count(gone.len(), "key"));
            confirm::by_typing("prune", &what, self.yes)?;
            gone = session
                .write(ctx, async |draft, opened| {
                    let gone = self.plan(&opened.org, ctx.now())?;
                    for Gone { key, versions, .. } in &gone {
                        let last = versions.iter().max().copied().unwrap_or(0);
                        draft.forget(*key, last).map_err(Fault::from)?;
                    }
                    Ok(gone)
                })
                .await?;
        }
        if ctx.out.json {
            let keys = gone.iter().map(|Gone { key, name, versions }| {
                serde_json::json!({ "id": key, "name": name, "versions": versions })
            });
            let keys: Vec<_> = keys.collect();
            ctx.out.json(&serde_json::json!({ "dry_run": self.dry_run, "forgotten": keys }))?;
        } else if !gone.is_empty() {
            let rows = gone.iter().map(|Gone { name, versions, .. }| {
                vec![name.to_string(), versions.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")]
            });
            ctx.out.table(&["NAME", "FORGOTTEN"], &rows.collect::<Vec<_>>())?;
        }
        let dry = if self.dry_run { " would be (dry run: nothing was changed)" } else { "" };
        ctx.out.say(&match gone.len() {
            0 => "there is no such old version; nothing was changed".to_owned(),
            keys => format!("{} of {}{dry} forgotten", versions(&gone), count(keys, "key")),
        });
        Ok(())
    }

    fn plan(&self, org: &Org, now: i64) -> anyhow::Result<Vec<Gone>> {
        let mut keys: Vec<&KeyEntry> = if self.all {
            org.keys.iter().collect()
        } else {
            self.keys.iter().map(|key| resolve::key(org, key)).collect::<Result<_, _>>()?
        };
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        keys.dedup_by_key(|key| key.id);
        let before = self.older_than.map(|span| now.saturating_sub(span));
        let gone = |key: &KeyEntry| Gone {
            key: key.id,
            name: key.name.clone(),
            versions: outdated(&ages(key), self.keep, before),
        };
        Ok(keys.into_iter().map(gone).filter(|of| !of.versions.is_empty()).collect())
    }
}

/// Old versions of a key, newest first, each with the time when the next one replaced it.
fn ages(key: &KeyEntry) -> Vec<(u64, i64)> {
    let replaced = std::iter::once(key.updated_at).chain(key.history.iter().map(|old| old.at));
    key.history.iter().map(|old| old.version).zip(replaced).collect()
}

/// The versions beyond the newest `keep` that were replaced before `before`. Every version that is older than a removed one is
/// removed, too, so that no gap is left, whatever a clock said.
fn outdated(versions: &[(u64, i64)], keep: usize, before: Option<i64>) -> Vec<u64> {
    let goes = |(_, replaced): &&(u64, i64)| before.is_some_and(|before| *replaced >= before);
    versions.iter().skip(keep).skip_while(goes).map(|(version, _)| *version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_what_was_replaced_long_ago_goes() {
        let versions = [(8, 400), (7, 300), (5, 200), (2, 100)];
        for (keep, before, gone) in [
            (0, None, &[8, 7, 5, 2][..]),
            (1, None, &[7, 5, 2]),
            (4, None, &[]),
            (9, None, &[]),
            (0, Some(250), &[5, 2]),
            (0, Some(300), &[5, 2]),
            (0, Some(301), &[7, 5, 2]),
            (3, Some(301), &[2]),
            (0, Some(100), &[]),
            (0, Some(i64::MAX), &[8, 7, 5, 2]),
        ] {
            assert_eq!(outdated(&versions, keep, before), gone, "keep {keep}, before {before:?}");
        }
        // A clock that ran back leaves no gap.
        assert_eq!(outdated(&[(3, 100), (2, 900), (1, 50)], 0, Some(500)), [3, 2, 1]);
        assert_eq!(outdated(&[], 0, None), [0; 0]);
    }
}
