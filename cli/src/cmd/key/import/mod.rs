//! `keyward key import`: a whole file in one write, or nothing of it.

mod decide;
mod items;
mod plan;
mod shred;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish};
use keyward_crypto::state::secret::Secret;
use keyward_wire::name::{EnvName, Name};
use zeroize::Zeroizing;

use self::decide::{Action, Decided, Decision, apply, decide, says_the_same};
use self::items::{Item, Taken, items};
use self::plan::OnConflict;
use self::shred::Doomed;
use super::credential_path_option::CredentialPathOption;
use super::messages::{Announcements, say_all};
use super::new_version::remind_to_revoke;
use super::rule_change::RuleChange;
use super::rule_options::WildcardOption;
use super::value_source::{Value, unreadable};
use crate::ctx::Ctx;
use crate::fault::{Code, Fault, code_of, printable};
use crate::import::{Tool, is_bookkeeping};
use crate::prompt;
use crate::report::consequences::Consequences;
use crate::text::{count, list, quoted};
use crate::vault::admin::Session;

/// Largest file, in bytes: about what one write can carry.
const FILE_BYTES: usize = 32 * 1024 * 1024;

/// Store all values of a .env file, or of another tool's export, as keys
///
/// All of them in one write, or none: a line that cannot be read, or a name that is taken, stops it before anything is
/// stored. Notes, tags and the like are kept where keyward has a place for them; what has none is said. AWS access keys
/// and their secrets are labelled as sets.
///
/// Without --from a file is what its form clearly shows it to be, else a .env file. docs/IMPORT.md has a table of tools:
/// what to export there, and what is kept of it.
#[derive(Args)]
#[command(after_help = "Examples:\n  keyward key import .env --map production --shred\n  \
                        bws secret list --output json | keyward key import - --from bws\n  \
                        doppler secrets --json | keyward key import - --from doppler\n  \
                        infisical export --format=json | keyward key import - --from infisical\n  \
                        op item get Stripe --format json | keyward key import - --from 1password\n  \
                        op inject -i .env | keyward key import -\n  \
                        dotenvx get -f .env --overload | keyward key import - --from dotenvx\n  \
                        keyward key import .env --on-conflict version --dry-run")]
pub struct Options {
    /// The file, or - for standard input
    file: PathBuf,
    /// Whose file it is [default: what its form clearly shows, else dotenv]
    #[arg(long, value_enum, value_name = "TOOL")]
    from: Option<Tool>,
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
    /// Overwrite and remove the file once its keys are verifiably stored; refused if it has what no key can keep. On SSDs
    /// and on file systems that copy on write, in snapshots and in backups, what it held may survive: revoke and replace
    /// values that must not
    #[arg(long, conflicts_with = "dry_run")]
    shred: bool,
    #[command(flatten)]
    wildcards: WildcardOption,
    #[command(flatten)]
    credential_paths: CredentialPathOption,
}

impl Options {
    pub(super) async fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let (bytes, doomed) = self.read()?;
        let tool = self.from.unwrap_or_else(|| Tool::detect(&self.file, &bytes));
        if self.from.is_none() && tool != Tool::Dotenv {
            ctx.out.say(&format!("read as {0} (--from {0}), as its form shows", tool.word()));
        }
        let Taken { items, warnings, not_kept } = items(tool, &bytes)?;
        drop(bytes);
        for warning in warnings {
            ctx.out.warn(&warning);
        }
        if !not_kept.is_empty() {
            let list = |fields: &mut dyn Iterator<Item = &String>| {
                fields.map(|field| printable(field, 60)).collect::<Vec<_>>().join(", ")
            };
            let lost = list(&mut not_kept.iter().filter(|field| !is_bookkeeping(field)));
            // Removing the file would be the end of them.
            if doomed.is_some() && !lost.is_empty() {
                let what = format!("the file has what no key can keep ({lost}); nothing was stored");
                return Err(Fault::new(Code::Policy, what)
                    .next("import without --shred, and remove the file yourself")
                    .into());
            }
            let fields = list(&mut not_kept.iter());
            ctx.out.warn(&format!("keyward has no place for these, they are not kept: {fields}"));
        }
        let session = Session::start(ctx).await?;
        let (decided, consequences) = if self.dry_run {
            let decided = decide(&session.open(ctx).await?, &items, &self).await?;
            say_all(ctx, &decided.rules());
            (decided, Consequences::default())
        } else {
            self.store(ctx, &session, &items).await?
        };
        if doomed.is_some() {
            self.read_back(ctx, &session, &items, &decided).await?;
        }
        let removed = doomed.map(Doomed::destroy);
        let facts = serde_json::json!({
            "from": tool.word(),
            "dry_run": self.dry_run,
            "source_removed": matches!(removed, Some(Ok(()))),
            "not_kept": not_kept,
        });
        let reported = self.report(ctx, &items, &decided, &consequences, facts);
        match removed {
            Some(Err(error)) => return Err(self.left_behind(&error).into()),
            Some(Ok(())) => ctx.out.say(&format!("{} is overwritten and removed", self.file.display())),
            None => {}
        }
        reported
    }

    async fn store(
        &self,
        ctx: &Ctx,
        session: &Session,
        items: &[Item],
    ) -> anyhow::Result<(Decided, Consequences)> {
        let progress = progress(ctx, items.len());
        let mut announcements = Announcements::default();
        session
            .write(ctx, async |draft, opened| {
                progress.set_position(0);
                let mut decided = decide(opened, items, self).await?;
                self.loses_nothing(&decided)?;
                progress.suspend(|| announcements.announce(ctx, decided.rules()));
                let deployment = decided.deployment.as_ref().map(|(id, _)| *id);
                for (item, decision) in items.iter().zip(&mut decided.decisions) {
                    apply(draft, item, decision, deployment)?;
                    progress.inc(1);
                }
                Ok((decided, Consequences::of(draft, &opened.org)))
            })
            .await
    }

    /// Fetches and opens what is stored by now, and compares it with the file, which is to be removed.
    async fn read_back(
        &self,
        ctx: &Ctx,
        session: &Session,
        items: &[Item],
        decided: &Decided,
    ) -> anyhow::Result<()> {
        let opened = session.open(ctx).await?;
        let find = |decision: &Decision| opened.org.key(decision.id?);
        let keys: Vec<_> = decided.decisions.iter().filter_map(find).collect();
        let secrets = if keys.len() == items.len() { opened.secrets(&keys).await } else { Ok(Vec::new()) };
        let stored = secrets.as_deref().unwrap_or_default();
        let is_there =
            |(item, secret): (&Item, &Secret)| secret.value == item.value && says_the_same(item, secret);
        if stored.len() == items.len() && items.iter().zip(stored).all(is_there) {
            return Ok(());
        }
        let what = match &secrets {
            Err(error) => format!("the keys cannot be read back ({error})"),
            Ok(_) => "the keys that were read back are not what the file has".to_owned(),
        };
        let code = secrets.as_ref().err().map_or(Code::Conflict, code_of);
        Err(Fault::new(code, format!("{what}: {} is NOT removed", self.file.display()))
            .next("look at them with keyward key list and keyward key get, and import the file again")
            .into())
    }

    /// All of the file; and the file, if it is to be removed.
    fn read(&self) -> anyhow::Result<(Value, Option<Doomed>)> {
        if self.file == Path::new("-") {
            if self.shred {
                return Err(Fault::usage("standard input is no file that could be removed")
                    .next("leave out --shred, or name the file")
                    .into());
            }
            return Ok((prompt::stdin(FILE_BYTES)?, None));
        }
        let shown = self.file.display().to_string();
        let doomed = if self.shred { Some(Doomed::open(&self.file)?) } else { None };
        let bytes = match &doomed {
            Some(doomed) => doomed.read(FILE_BYTES),
            None => read_file(&self.file),
        };
        let bytes = bytes.map_err(|error| unreadable(&shown, &error))?;
        if bytes.len() > FILE_BYTES {
            let what = format!("{shown} holds more than {FILE_BYTES} bytes");
            return Err(Fault::usage(what).next("nothing was stored; import it in parts").into());
        }
        Ok((bytes, doomed))
    }

    /// Refuses to remove a file with values that would then be nowhere.
    fn loses_nothing(&self, decided: &Decided) -> Result<(), Fault> {
        let skipped = decided.decisions.iter().filter(|decision| decision.action == Action::Skip);
        let names: Vec<Name> = skipped.map(|decision| decision.name.clone()).collect();
        if !self.shred || names.is_empty() {
            return Ok(());
        }
        let what = format!("--shred would lose the values of keys that are skipped: {}", list(&names));
        Err(Fault::new(Code::Policy, what)
            .next("nothing was stored; use --on-conflict version or rename, or leave out --shred"))
    }

    fn left_behind(&self, error: &std::io::Error) -> Fault {
        let file = self.file.display();
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        Fault::new(Code::Unexpected, format!("the keys are stored, but {file} is NOT removed: {reason}"))
            .next(format!(
                "its values are still in it: look at it, and remove it with: rm {}",
                quoted(&file.to_string())
            ))
    }

    fn report(
        &self,
        ctx: &Ctx,
        items: &[Item],
        Decided { decisions, deployment }: &Decided,
        consequences: &Consequences,
        mut facts: serde_json::Value,
    ) -> anyhow::Result<()> {
        let deployment = deployment.as_ref().map(|(_, name)| name);
        for decision in decisions {
            remind_to_revoke(ctx, &decision.name, &decision.knowing);
        }
        for warning in decisions.iter().filter_map(|decision| decision.warning.as_deref()) {
            ctx.out.warn(warning);
        }
        let with_items = || items.iter().zip(decisions);
        let keys = with_items().map(|(item, decision)| {
            serde_json::json!({
                "line": item.at.line(),
                "name": item.name,
                "action": decision.action.code(),
                "same_value": matches!(decision.action, Action::Same | Action::Untouched | Action::Note),
                "key": decision.name,
                "id": decision.id,
                "set": decision.set,
                "env": decision.env,
                "rule": decision.rule.as_ref().map(RuleChange::json),
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
        if let Some(facts) = facts.as_object_mut() {
            facts.insert("deployment".to_owned(), serde_json::json!(deployment));
            facts.insert("keys".to_owned(), keys.into());
        }
        consequences.report(ctx, facts)
    }

    fn summary(&self, decisions: &[Decision], deployment: Option<&Name>) -> String {
        let number = |action: Action| decisions.iter().filter(|decision| decision.action == action).count();
        let parts = [
            (number(Action::Create), "created"),
            (number(Action::Rename), "created under another name"),
            (number(Action::Version) + number(Action::Note), "with a new version"),
            (number(Action::Same) + number(Action::Untouched), "unchanged"),
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
        format!("{}: {}{mapped}{dry}", count(decisions.len(), "value"), parts.join(", "))
    }
}

fn read_file(path: &Path) -> std::io::Result<Value> {
    let file = File::open(path)?;
    let size = file.metadata().map_or(0, |facts| facts.len());
    let size = usize::try_from(size).unwrap_or(FILE_BYTES).min(FILE_BYTES);
    // In its final size, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 64));
    file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A bar on a terminal; nothing elsewhere, and nothing left of it in the end.
fn progress(ctx: &Ctx, items: usize) -> ProgressBar {
    let target = if ctx.out.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    ProgressBar::with_draw_target(Some(items as u64), target).with_finish(ProgressFinish::AndClear)
}
