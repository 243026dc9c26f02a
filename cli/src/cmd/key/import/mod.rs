//! `keyward key import`: a whole file in one write, or nothing of it.

mod decide;
mod items;
mod plan;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish};
use keyward_wire::name::{EnvName, Name};
use zeroize::Zeroizing;

use self::decide::{Action, Decided, Decision, apply, decide};
use self::items::{Item, items};
use self::plan::OnConflict;
use super::source::{Value, unreadable};
use super::{count, remind_to_revoke};
use crate::cmd::aftermath::Aftermath;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::session::prompt;
use crate::vault::admin::Session;

/// Largest file, in bytes: about what one write can carry.
const FILE_BYTES: usize = 32 * 1024 * 1024;

/// Store all variables of a .env file as keys
///
/// All of them in one write, or none: a line that cannot be read, or a name that is taken, stops it before anything is
/// stored. AWS access keys and their secrets are labelled as sets.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key import .env --map production\n  \
                        keyward key import .env --on-conflict version --dry-run\n  \
                        ssh web cat app/.env | keyward key import -")]
pub struct Options {
    /// A .env file, or - for standard input
    file: PathBuf,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// What to do about names that are taken [default: store nothing]
    #[arg(long, value_enum)]
    on_conflict: Option<OnConflict>,
    /// Map each imported key to a variable of its name in this deployment
    #[arg(long, value_name = "DEPLOYMENT")]
    map: Option<String>,
    /// With --map: let through a variable that steers programs, such as PATH
    #[arg(long, value_name = "NAME", requires = "map")]
    allow_env: Vec<EnvName>,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (items, warnings) = items(&self.read()?)?;
        for warning in warnings {
            ctx.out.warn(&warning.to_string());
        }
        let session = Session::start(ctx).await?;
        let (decided, aftermath) = if self.dry_run {
            (decide(&session.open(ctx).await?, &items, &self).await?, Aftermath::default())
        } else {
            self.store(ctx, &session, &items).await?
        };
        self.report(ctx, &items, &decided, &aftermath)
    }

    async fn store(
        &self,
        ctx: &Ctx,
        session: &Session,
        items: &[Item],
    ) -> anyhow::Result<(Decided, Aftermath)> {
        let progress = progress(ctx, items.len());
        session
            .write(ctx, async |draft, desk| {
                progress.set_position(0);
                let mut decided = decide(desk, items, self).await?;
                let deployment = decided.deployment.as_ref().map(|(id, _)| *id);
                for (item, decision) in items.iter().zip(&mut decided.decisions) {
                    apply(draft, item, decision, deployment)?;
                    progress.inc(1);
                }
                Ok((decided, Aftermath::of(draft, &desk.org)))
            })
            .await
    }

    fn read(&self) -> anyhow::Result<Value> {
        if self.file == Path::new("-") {
            return prompt::stdin(FILE_BYTES);
        }
        let shown = self.file.display().to_string();
        let file = File::open(&self.file).map_err(|error| unreadable(&shown, &error))?;
        let size = file.metadata().map_or(0, |facts| facts.len());
        let size = usize::try_from(size).unwrap_or(FILE_BYTES).min(FILE_BYTES);
        // In its final size, so that growing leaves no copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 64));
        file.take(FILE_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(&shown, &error))?;
        if bytes.len() > FILE_BYTES {
            let what = format!("{shown} holds more than {FILE_BYTES} bytes");
            return Err(Fault::usage(what).next("nothing was stored; import it in parts").into());
        }
        Ok(bytes)
    }

    fn report(
        &self,
        ctx: &Ctx,
        items: &[Item],
        Decided { decisions, deployment }: &Decided,
        aftermath: &Aftermath,
    ) -> anyhow::Result<()> {
        let deployment = deployment.as_ref().map(|(_, name)| name);
        for decision in decisions {
            remind_to_revoke(ctx, &decision.name, &decision.knowing);
        }
        let with_items = || items.iter().zip(decisions);
        let keys = with_items().map(|(item, decision)| {
            serde_json::json!({
                "line": item.line,
                "name": item.name,
                "action": decision.action.code(),
                "same_value": decision.action == Action::Same,
                "key": decision.name,
                "id": decision.id,
                "set": decision.set,
                "env": decision.env,
            })
        });
        let keys: Vec<_> = keys.collect();
        if !ctx.out.json {
            let rows: Vec<Vec<String>> = with_items()
                .map(|(item, decision)| {
                    let set = decision.set.clone().unwrap_or_default();
                    vec![item.name.to_string(), decision.to_string(), set]
                })
                .collect();
            ctx.out.table(&["NAME", "RESULT", "SET"], &rows)?;
        }
        ctx.out.say(&self.summary(decisions, deployment));
        aftermath.report(
            ctx,
            serde_json::json!({ "dry_run": self.dry_run, "deployment": deployment, "keys": keys }),
        )
    }

    fn summary(&self, decisions: &[Decision], deployment: Option<&Name>) -> String {
        let number = |action: Action| decisions.iter().filter(|decision| decision.action == action).count();
        let parts = [
            (number(Action::Create), "created"),
            (number(Action::Rename), "created under another name"),
            (number(Action::Version), "with a new version"),
            (number(Action::Same), "unchanged"),
            (number(Action::Skip), "skipped"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let mapped = decisions.iter().filter(|decision| decision.env.is_some()).count();
        let mapped = match deployment {
            Some(deployment) => format!("; {mapped} mapped in {deployment}"),
            None => String::new(),
        };
        let dry = if self.dry_run { " (dry run: nothing was stored)" } else { "" };
        format!("{}: {}{mapped}{dry}", count(decisions.len(), "variable"), parts.join(", "))
    }
}

/// A bar on a terminal; nothing elsewhere, and nothing left of it in the end.
fn progress(ctx: &Ctx, items: usize) -> ProgressBar {
    let target = if ctx.out.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    ProgressBar::with_draw_target(Some(items as u64), target).with_finish(ProgressFinish::AndClear)
}
