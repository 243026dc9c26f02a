//! From the plan to the write: decides what each item of the file means for the organisation as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use keyward_crypto::change::Draft;
use keyward_crypto::state::org::{Deployment, KeyEntry};
use keyward_crypto::state::secret::Secret;
use keyward_wire::name::{EnvName, Name};
use keyward_wire::{DeploymentId, KeyId};

use super::Options;
use super::items::Item;
use super::plan::{Step, plan, variables};
use crate::args::resolve;
use crate::cmd::key::fields::{check_values, warning};
use crate::cmd::key::messages::Message;
use crate::cmd::key::new_version::replace;
use crate::cmd::key::rule_change::{ProviderChange, RuleChange};
use crate::cmd::key::rule_options::{WildcardOption, stored_rule};
use crate::fault::{Code, Fault};
use crate::report::undeliverable;
use crate::text::list;
use crate::vault::admin::OpenOrg;

/// The decisions about a file.
pub(super) struct Decided {
    /// The decisions, one for each item.
    pub decisions: Vec<Decision>,
    /// The deployment that the keys are mapped in, if any.
    pub deployment: Option<(DeploymentId, Name)>,
}

impl Decided {
    /// The lines about rules that change.
    pub(super) fn rules(&self) -> Vec<Message> {
        let changed = self.decisions.iter().filter_map(|one| Some((&one.name, one.rule.as_ref()?)));
        changed.flat_map(|(name, rule)| rule.lines(Some(name))).collect()
    }
}

/// The decision about one item.
pub(super) struct Decision {
    pub action: Action,
    /// The key it becomes, or meets.
    pub name: Name,
    /// The key's id. `None` until there is one.
    pub id: Option<KeyId>,
    /// Label of the set it belongs to.
    pub set: Option<String>,
    /// The variable it is mapped to by this import.
    pub env: Option<EnvName>,
    /// Identities that had lost access while knowing the former value.
    pub knowing: Vec<Name>,
    /// The rule that it gets, if that is another one than it had.
    pub rule: Option<RuleChange>,
    /// Why the key's rule sends nothing of it, or which part of it somebody could guess.
    pub warning: Option<String>,
    /// What is stored: what the file has, and beside it what the key has now.
    secret: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    /// A new key under another name.
    Rename,
    Version,
    /// A new version with the value that is there already: the note, a field or the rule is another one.
    Note,
    /// The key that is there has this value already.
    Same,
    /// As [`Same`](Self::Same), but the key was to be left alone: it may be mapped, and that is all.
    Untouched,
    Skip,
}

impl Action {
    /// Stable, for `--json`.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Rename => "renamed",
            Self::Version | Self::Note => "new_version",
            Self::Same | Self::Untouched | Self::Skip => "skipped",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Create => f.write_str("created"),
            Action::Rename => write!(f, "renamed to {}", self.name),
            Action::Version => f.write_str("new version"),
            Action::Note => f.write_str("new version (same value)"),
            Action::Same | Action::Untouched => f.write_str("skipped (same value)"),
            Action::Skip => f.write_str("skipped"),
        }
    }
}

/// A decision for each item. Changes nothing.
///
/// # Errors
/// [`Code::Conflict`] if names are taken and nothing is said about them, or a variable is another key's; for names that no
/// variable may have; for a rule that does not fit what is stored with it, or has a wildcard that nobody asked for; and for a
/// provider by which less is refused than before.
pub(super) async fn decide(
    opened: &OpenOrg<'_>,
    items: &[Item],
    options: &Options,
) -> anyhow::Result<Decided> {
    let existing: BTreeMap<&Name, &KeyEntry> = opened.org.keys.iter().map(|key| (&key.name, key)).collect();
    let names: Vec<&Name> = items.iter().map(|item| &item.name).collect();
    let steps = plan(&names, &existing.keys().copied().collect(), options.on_conflict)
        .map_err(|taken| names_taken(&taken))?;
    let met = names.iter().map(|name| existing.get(name).copied());
    let mut decisions: Vec<Decision> =
        items.iter().zip(steps).zip(met).map(|((item, step), met)| decision(item, step, met)).collect();
    // What is mapped, or is to be nowhere else afterwards, must be what the file has.
    let with_skipped = options.map.is_some() || options.shred;
    let current = current(opened, items, &decisions, &existing, with_skipped).await?;
    for (item, decision) in items.iter().zip(&mut decisions) {
        let now = decision.id.and_then(|id| current.get(&id));
        if let Some(now) = now.filter(|now| now.value == item.value) {
            let labels = existing.get(&item.name).is_some_and(|key| labels_are_there(item, key));
            decision.action = match (decision.action, says_the_same(item, now)) {
                (Action::Skip, true) if !labels => Action::Skip,
                (Action::Skip, true) => Action::Untouched,
                (Action::Skip, false) => Action::Skip,
                (_, true) => Action::Same,
                (_, false) => Action::Note,
            };
        }
        let before = now.and_then(|_| existing.get(&item.name)?.provider.as_deref());
        let provider = ProviderChange { before, now: item.provider.as_deref().or(before) };
        match (decision.action, now) {
            (Action::Skip | Action::Untouched, _) => {}
            // Whose it is may be new, and with that what is refused.
            (Action::Same, Some(now)) => {
                let former = now.inject.as_ref().map(|json| json.as_str());
                decision.rule =
                    Some(RuleChange::new(former, stored_rule(now), provider)).filter(RuleChange::alters_use);
            }
            (_, now) => settle(item, decision, now, provider, &options.wildcards)?,
        }
        if let Some(change) = &decision.rule {
            options.credential_paths.check(&decision.name, change)?;
        }
    }
    let Some(deployment) = &options.map else { return Ok(Decided { decisions, deployment: None }) };
    let deployment = resolve::deployment(&opened.org, deployment)?;
    map(deployment, &mut decisions, &options.allow_env)?;
    for (item, decision) in items.iter().zip(&decisions) {
        if decision.env.is_some() && item.value.contains(&0) {
            let what = format!("the value of {} has a NUL byte, which no variable can hold", item.name);
            let next = "nothing was stored; mend the file, or import it without --map";
            return Err(Fault::new(Code::Policy, what).next(next).into());
        }
    }
    Ok(Decided { decisions, deployment: Some((deployment.id, deployment.name.clone())) })
}

/// Writes one decision into the draft.
pub(super) fn apply(
    draft: &mut Draft,
    item: &Item,
    decision: &mut Decision,
    deployment: Option<DeploymentId>,
) -> Result<(), Fault> {
    if let Some(secret) = &decision.secret {
        match (decision.action, decision.id) {
            (Action::Create | Action::Rename, _) => {
                decision.id = Some(draft.add_key(decision.name.clone(), secret)?);
            }
            (Action::Version, Some(id)) => decision.knowing = replace(draft, id, secret)?.1,
            // Who knows the value still knows it.
            (Action::Note, Some(id)) => drop(draft.add_version(id, secret)?),
            (Action::Version | Action::Note | Action::Same | Action::Untouched | Action::Skip, _) => {}
        }
    }
    let Some(id) = decision.id.filter(|_| decision.action != Action::Skip) else { return Ok(()) };
    if let Some(key) = draft.org.key_mut(id).filter(|_| decision.action != Action::Untouched) {
        describe(key, item, decision.set.as_ref());
    }
    if let (Some(deployment), Some(env)) = (deployment, &decision.env) {
        draft.org.map(deployment, id, env.clone())?;
    }
    Ok(())
}

/// Writes what the file says of a key. What it does not say stays as it is; tags come to those that are there.
fn describe(key: &mut KeyEntry, item: &Item, set: Option<&String>) {
    for (has, said) in [(&mut key.alias, &item.alias), (&mut key.provider, &item.provider)] {
        if said.is_some() {
            has.clone_from(said);
        }
    }
    if key.set.is_none() {
        key.set = set.cloned();
    }
    for tag in &item.tags {
        if !key.tags.contains(tag) {
            key.tags.push(tag.clone());
        }
    }
}

fn decision(item: &Item, step: Step, met: Option<&KeyEntry>) -> Decision {
    let set = item.set.clone();
    let (action, name, set) = match step {
        Step::Create => (Action::Create, item.name.clone(), set),
        Step::Skip => (Action::Skip, item.name.clone(), None),
        Step::Version => (Action::Version, item.name.clone(), set),
        // Another set than the one whose names were taken.
        Step::Rename { to, number } => (Action::Rename, to, set.map(|set| format!("{set} {number}"))),
    };
    let id = met.map(|key| key.id).filter(|_| action != Action::Rename);
    Decision {
        action,
        name,
        id,
        set,
        env: None,
        knowing: Vec::new(),
        rule: None,
        warning: None,
        secret: None,
    }
}

/// The present content of each key that may get a new version; `with_skipped`, also of those that stay as they are.
async fn current(
    opened: &OpenOrg<'_>,
    items: &[Item],
    decisions: &[Decision],
    existing: &BTreeMap<&Name, &KeyEntry>,
    with_skipped: bool,
) -> anyhow::Result<BTreeMap<KeyId, Secret>> {
    let is_met = |action| action == Action::Version || (with_skipped && action == Action::Skip);
    let versions = items.iter().zip(decisions).filter(|(_, decision)| is_met(decision.action));
    let keys: Vec<&KeyEntry> = versions.filter_map(|(item, _)| existing.get(&item.name).copied()).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let secrets = opened.secrets(&keys).await?;
    Ok(keys.iter().map(|key| key.id).zip(secrets).collect())
}

/// Whether the key has what the file says of it that is not sealed with its value.
fn labels_are_there(item: &Item, key: &KeyEntry) -> bool {
    (item.alias.is_none() || item.alias == key.alias)
        && (item.provider.is_none() || item.provider == key.provider)
        && item.tags.iter().all(|tag| key.tags.contains(tag))
}

/// Whether the file says nothing else of the key, beside its value, than what it has.
pub(super) fn says_the_same(item: &Item, now: &Secret) -> bool {
    (item.note.is_none() || item.note == now.note)
        && (item.inject.is_none() || item.inject == now.inject)
        && (item.fields.is_empty() || item.fields == now.fields)
}

/// What is stored: the file's value, note, fields and rule, and of these what the file does not have as the key has it now.
/// It is checked as `key set` would, whichever of them the rule came from.
fn settle(
    item: &Item,
    decision: &mut Decision,
    current: Option<&Secret>,
    provider: ProviderChange<'_>,
    wildcards: &WildcardOption,
) -> Result<(), Fault> {
    let fields =
        if item.fields.is_empty() { current.map(|current| &current.fields) } else { Some(&item.fields) };
    let former = current.and_then(|current| current.inject.as_ref());
    let secret = Secret {
        value: item.value.clone(),
        fields: fields.cloned().unwrap_or_default(),
        inject: item.inject.as_ref().or(former).cloned(),
        note: item.note.as_ref().or(current.and_then(|current| current.note.as_ref())).cloned(),
    };
    if let Some(rule) = stored_rule(&secret) {
        check_values(&rule, &secret.value, &secret.fields).map_err(|error| {
            let what = format!("the gateway could not send the new value of {}: {error}", item.name);
            Fault::new(Code::Policy, what).next(if item.inject.is_some() {
                "nothing was stored; mend the value, fields or rule in the file"
            } else {
                "nothing was stored; mend the value in the file, or first take its rule away: --no-rule"
            })
        })?;
        decision.warning = warning(&decision.name, &rule, &secret.value, &secret.fields);
        let former = former.map(|json| json.as_str());
        wildcards.check(&rule, former).map_err(|fault| {
            Fault::new(fault.code, format!("{}: {}", item.name, fault.what()))
                .next(format!("nothing was stored; {}", fault.advice().unwrap_or_default()))
        })?;
        let change = RuleChange::new(former, Some(rule), provider)
            .with_value_used(undeliverable::value_reason(&secret.value).is_none());
        decision.rule = Some(change).filter(RuleChange::alters_use);
    }
    decision.secret = Some(secret);
    Ok(())
}

/// Gives each key that is imported, or was there with the same value, the variable of its name. One that was to be left alone gets
/// it only if it has none there yet, and nobody else has that.
fn map(deployment: &Deployment, decisions: &mut [Decision], allowed: &[EnvName]) -> Result<(), Fault> {
    let mut mapped: Vec<&mut Decision> =
        decisions.iter_mut().filter(|decision| decision.action != Action::Skip).collect();
    let variables = variables(mapped.iter().map(|decision| &decision.name), allowed)?;
    let others: BTreeMap<&EnvName, KeyId> =
        deployment.mappings.iter().map(|mapping| (&mapping.env, mapping.key)).collect();
    let mut taken = BTreeSet::new();
    for (decision, env) in mapped.iter_mut().zip(variables) {
        let is_settled = others.contains_key(&env) || others.values().any(|key| Some(*key) == decision.id);
        if decision.action == Action::Untouched && is_settled {
            continue;
        }
        if others.get(&env).is_some_and(|key| Some(*key) != decision.id) {
            taken.insert(decision.name.clone());
        }
        decision.env = Some(env);
    }
    if taken.is_empty() {
        return Ok(());
    }
    let taken: Vec<Name> = taken.into_iter().collect();
    let what = format!("in {}, other keys are mapped to: {}", deployment.name, list(&taken));
    Err(Fault::new(Code::Conflict, what)
        .next("nothing was stored; unmap those first, or import without --map"))
}

fn names_taken(taken: &[Name]) -> Fault {
    Fault::new(Code::Conflict, format!("these keys are there already: {}", list(taken)))
        .next("nothing was stored; say what to do with --on-conflict skip, version or rename")
}
