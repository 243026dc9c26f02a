//! From the plan to the write: what each item of the file means for the organisation as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use keyward_crypto::change::Draft;
use keyward_crypto::state::org::{Deployment, KeyEntry};
use keyward_crypto::state::secret::Secret;
use keyward_wire::name::{EnvName, Name};
use keyward_wire::rule::Rule;
use keyward_wire::{DeploymentId, KeyId};

use super::Options;
use super::items::Item;
use super::plan::{Step, plan, variables};
use crate::cmd::key::fields::check_values;
use crate::cmd::key::{list, replace};
use crate::cmd::resolve;
use crate::fault::{Code, Fault};
use crate::vault::admin::Desk;

/// What becomes of a file.
pub(super) struct Decided {
    /// One for each item.
    pub decisions: Vec<Decision>,
    /// Where the keys are mapped.
    pub deployment: Option<(DeploymentId, Name)>,
}

/// What becomes of one item.
pub(super) struct Decision {
    pub action: Action,
    /// The key it becomes, or meets.
    pub name: Name,
    /// Its id, as soon as there is one.
    pub id: Option<KeyId>,
    /// Label of the set it belongs to.
    pub set: Option<String>,
    /// The variable it is mapped to by this import.
    pub env: Option<EnvName>,
    /// Who had lost access while knowing the former value.
    pub knowing: Vec<Name>,
    /// What the key that gets a new version has now: its note, fields and rule go on, unless the file has others.
    current: Option<Secret>,
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
    Skip,
}

impl Action {
    /// Stable, for `--json`.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Rename => "renamed",
            Self::Version | Self::Note => "new_version",
            Self::Same | Self::Skip => "skipped",
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
            Action::Same => f.write_str("skipped (same value)"),
            Action::Skip => f.write_str("skipped"),
        }
    }
}

/// A decision for each item. Changes nothing.
///
/// # Errors
/// [`Code::Conflict`] if names are taken and nothing is said about them, or a variable is another key's; and for names
/// that no variable may have.
pub(super) async fn decide(desk: &Desk<'_>, items: &[Item], options: &Options) -> anyhow::Result<Decided> {
    let existing: BTreeMap<&Name, &KeyEntry> = desk.org.keys.iter().map(|key| (&key.name, key)).collect();
    let names: Vec<&Name> = items.iter().map(|item| &item.name).collect();
    let steps = plan(&names, &existing.keys().copied().collect(), options.on_conflict)
        .map_err(|taken| names_taken(&taken))?;
    let met = names.iter().map(|name| existing.get(name).copied());
    let mut decisions: Vec<Decision> =
        items.iter().zip(steps).zip(met).map(|((item, step), met)| decision(item, step, met)).collect();
    compare(desk, items, &mut decisions, &existing).await?;
    let Some(deployment) = &options.map else { return Ok(Decided { decisions, deployment: None }) };
    let deployment = resolve::deployment(&desk.org, deployment)?;
    map(deployment, &mut decisions, &options.allow_env)?;
    Ok(Decided { decisions, deployment: Some((deployment.id, deployment.name.clone())) })
}

/// Writes one decision into the draft.
pub(super) fn apply(
    draft: &mut Draft,
    item: &Item,
    decision: &mut Decision,
    deployment: Option<DeploymentId>,
) -> Result<(), Fault> {
    let current = decision.current.as_ref();
    let secret = || Secret {
        value: item.value.clone(),
        fields: Some(&item.fields)
            .filter(|fields| !fields.is_empty())
            .or(current.map(|current| &current.fields))
            .cloned()
            .unwrap_or_default(),
        inject: item.inject.clone().or_else(|| current.and_then(|current| current.inject.clone())),
        note: item.note.clone().or_else(|| current.and_then(|current| current.note.clone())),
    };
    match (decision.action, decision.id) {
        (Action::Create | Action::Rename, _) => {
            decision.id = Some(draft.add_key(decision.name.clone(), &secret())?);
        }
        (Action::Version, Some(id)) => decision.knowing = replace(draft, id, &secret())?.1,
        // Who knows the value still knows it.
        (Action::Note, Some(id)) => drop(draft.add_version(id, &secret())?),
        (Action::Version | Action::Note | Action::Same | Action::Skip, _) => {}
    }
    let Some(id) = decision.id.filter(|_| decision.action != Action::Skip) else { return Ok(()) };
    if let Some(key) = draft.org.key_mut(id) {
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
    Decision { action, name, id, set, env: None, knowing: Vec::new(), current: None }
}

/// Finds out which values are not new, and keeps what belongs to those that are. A rule that is kept must fit its new value.
async fn compare(
    desk: &Desk<'_>,
    items: &[Item],
    decisions: &mut [Decision],
    existing: &BTreeMap<&Name, &KeyEntry>,
) -> anyhow::Result<()> {
    let mut versions: Vec<(&Item, &mut Decision)> =
        items.iter().zip(decisions).filter(|(_, decision)| decision.action == Action::Version).collect();
    let keys: Vec<&KeyEntry> =
        versions.iter().filter_map(|(item, _)| existing.get(&item.name).copied()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    for ((item, decision), current) in versions.iter_mut().zip(desk.secrets(&keys).await?) {
        if current.value == item.value {
            let same = (item.note.is_none() || item.note == current.note)
                && (item.inject.is_none() || item.inject == current.inject)
                && (item.fields.is_empty() || item.fields == current.fields);
            decision.action = if same { Action::Same } else { Action::Note };
        }
        if decision.action != Action::Same {
            check_rule(item, &current)?;
        }
        decision.current = Some(current);
    }
    Ok(())
}

/// Whether the rule that the key keeps can send the file's value. That of the file was held against it when it was read; one
/// that cannot be read sends nothing.
fn check_rule(item: &Item, current: &Secret) -> Result<(), Fault> {
    let kept = if item.inject.is_none() { current.inject.as_ref() } else { None };
    let Some(rule) = kept.and_then(|json| Rule::from_json(json.as_bytes()).ok()) else { return Ok(()) };
    let fields = if item.fields.is_empty() { &current.fields } else { &item.fields };
    check_values(&rule, &item.value, fields).map_err(|error| {
        Fault::new(
            Code::Policy,
            format!("the gateway could not send the new value of {}: {error}", item.name),
        )
        .next("nothing was stored; mend the value in the file, or first take its rule away: --no-rule")
    })
}

/// Gives each key that is imported, or was there with the same value, the variable of its name.
fn map(deployment: &Deployment, decisions: &mut [Decision], allowed: &[EnvName]) -> Result<(), Fault> {
    let mut mapped: Vec<&mut Decision> =
        decisions.iter_mut().filter(|decision| decision.action != Action::Skip).collect();
    let variables = variables(mapped.iter().map(|decision| &decision.name), allowed)?;
    let others: BTreeMap<&EnvName, KeyId> =
        deployment.mappings.iter().map(|mapping| (&mapping.env, mapping.key)).collect();
    let mut taken = BTreeSet::new();
    for (decision, env) in mapped.iter_mut().zip(variables) {
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
