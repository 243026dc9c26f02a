//! What a write means beyond itself: values that somebody still knows, inclusions that have no effect, variables that readers are
//! refused.

use std::collections::{BTreeMap, BTreeSet};

use keyward_crypto::change::Draft;
use keyward_crypto::state::org::Org;
use keyward_wire::name::EnvName;
use keyward_wire::{DeploymentId, GroupId, KeyId};
use serde::Serialize;

use crate::ctx::Ctx;
use crate::export;
use crate::text::list;
use crate::vault::explain::{Override, overrides};

/// What to tell about a write. The default is nothing.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Consequences {
    /// Keys that somebody lost by it.
    exposed: Vec<Exposed>,
    /// Inclusions that an exclusion overrides since it.
    overridden: Vec<Overridden>,
    /// What readers of a deployment must know of a variable that it has since.
    #[serde(skip)]
    refused_variables: Vec<String>,
}

/// A command's own data, and what the write means beyond it.
#[derive(Serialize)]
struct DataAndConsequences<'a> {
    #[serde(flatten)]
    data: serde_json::Value,
    #[serde(flatten)]
    consequences: &'a Consequences,
}

#[derive(Debug, Serialize)]
struct Exposed {
    key: String,
    was_readable_by: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Overridden {
    key: String,
    excluded: Assignment,
    included: Assignment,
    identities: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Assignment {
    group: String,
    deployment: String,
}

impl Consequences {
    /// The consequences of a draft that started from `before`, once all its changes are made.
    pub(crate) fn of(draft: &Draft, before: &Org) -> Self {
        Self {
            exposed: exposed(draft, before),
            overridden: overridden(before, &draft.org),
            refused_variables: refused_variables(before, &draft.org),
        }
    }

    /// Tells it on stderr, and with --json as fields of `data` on stdout.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn report(&self, ctx: &Ctx, data: serde_json::Value) -> anyhow::Result<()> {
        self.say(ctx);
        if ctx.out.json { ctx.out.json(&DataAndConsequences { data, consequences: self }) } else { Ok(()) }
    }

    /// Tells it on stderr.
    pub(crate) fn say(&self, ctx: &Ctx) {
        for line in self.lines() {
            ctx.out.warn(&line);
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut by_readers: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
        for exposed in &self.exposed {
            by_readers.entry(&exposed.was_readable_by).or_default().push(&exposed.key);
        }
        for (readers, keys) in by_readers {
            let count = if readers.len() == 1 { "identity" } else { "identities" };
            lines.push(format!(
                "{} {} readable by {} {count} ({}); rotate at the provider",
                list(&keys),
                if keys.len() == 1 { "was" } else { "were" },
                readers.len(),
                list(readers)
            ));
        }
        for Overridden { key, excluded, included, identities } in &self.overridden {
            lines.push(format!(
                "{key} stays unreadable for {}: it is excluded for {} in {}, which wins over {} in {}",
                list(identities),
                excluded.group,
                excluded.deployment,
                included.group,
                included.deployment
            ));
        }
        lines.extend_from_slice(&self.refused_variables);
        lines
    }
}

fn exposed(draft: &Draft, before: &Org) -> Vec<Exposed> {
    let reader = |id| before.identity(id).map(|identity| identity.name.to_string());
    let mut exposed: Vec<Exposed> = draft
        .lost()
        .into_iter()
        .map(|lost| {
            let mut readers: Vec<String> = lost.identities.into_iter().filter_map(reader).collect();
            readers.sort_unstable();
            Exposed { key: key_name(&draft.org, lost.key), was_readable_by: readers }
        })
        .collect();
    exposed.sort_by(|a, b| a.key.cmp(&b.key));
    exposed
}

fn overridden(before: &Org, after: &Org) -> Vec<Overridden> {
    let (mut old, mut new) = (Overrides::of(before), Overrides::of(after));
    let mut readers: BTreeMap<Override, Vec<String>> = BTreeMap::new();
    for reader in after.readers() {
        let known = before.identity(reader.id).map(|was| old.for_groups(&was.groups).clone());
        for found in new.for_groups(&reader.groups) {
            if !known.as_ref().is_some_and(|known| known.contains(found)) {
                readers.entry(*found).or_default().push(reader.name.to_string());
            }
        }
    }
    let assigned = |(group, deployment): (GroupId, DeploymentId)| Assignment {
        group: after.group(group).map(|group| group.name.to_string()).unwrap_or_default(),
        deployment: after.deployment(deployment).map(|d| d.name.to_string()).unwrap_or_default(),
    };
    readers
        .into_iter()
        .map(|(found, identities)| Overridden {
            key: key_name(after, found.key),
            excluded: assigned(found.excluded),
            included: assigned(found.included),
            identities,
        })
        .collect()
}

fn refused_variables(before: &Org, after: &Org) -> Vec<String> {
    let mut found = Vec::new();
    for deployment in &after.deployments {
        let old = before.deployment(deployment.id);
        let is_new = |env: &EnvName| !old.is_some_and(|old| old.mappings.iter().any(|one| one.env == *env));
        for env in deployment.mappings.iter().map(|mapping| &mapping.env).filter(|env| is_new(env)) {
            let name = &deployment.name;
            if env.steers_programs() {
                found.push(format!(
                    "{env} in {name} steers programs: whoever reads {name} is refused all of it without --allow-env {env}"
                ));
            } else if let Some(why) = export::shell_refusal(env) {
                found.push(format!(
                    "{env} in {name} is {why}: with it, env-file refuses the whole deployment in the form for eval; keyward run and \
                     other formats take it. Choose another variable with KEY=ENV"
                ));
            }
        }
    }
    found
}

/// Worked out once for each set of groups: there are few of them, and many identities.
struct Overrides {
    facts: keyward_wire::access::Facts,
    known: BTreeMap<BTreeSet<GroupId>, BTreeSet<Override>>,
}

impl Overrides {
    fn of(org: &Org) -> Self {
        Self { facts: org.facts(), known: BTreeMap::new() }
    }

    fn for_groups(&mut self, groups: &BTreeSet<GroupId>) -> &BTreeSet<Override> {
        self.known.entry(groups.clone()).or_insert_with(|| overrides(groups, &self.facts))
    }
}

fn key_name(org: &Org, key: KeyId) -> String {
    org.key(key).map_or_else(|| key.to_string(), |key| key.name.to_string())
}

#[cfg(test)]
mod tests {
    use keyward_wire::api::write::NewKeys;

    use super::*;
    use crate::testing::SampleOrg;

    #[test]
    fn a_key_that_somebody_loses_is_to_be_rotated() {
        let sample = SampleOrg::new();
        let mut draft = sample.draft();
        draft.org.exclude(sample.web, sample.production, &[sample.alpha, sample.beta].into()).unwrap();
        let consequences = Consequences::of(&draft, &sample.org());
        assert_eq!(
            consequences.lines(),
            [
                "ALPHA, BETA were readable by 2 identities (agent, both); rotate at the provider",
                "BETA stays unreadable for both: it is excluded for web in production, which wins over ops in backup",
            ]
        );
    }

    #[test]
    fn what_was_overridden_before_is_no_news() {
        let sample = SampleOrg::new();
        let mut draft = sample.draft();
        draft.org.add_group("idle".parse().unwrap()).unwrap();
        assert!(Consequences::of(&draft, &sample.org()).lines().is_empty());
        draft.org.add_member(sample.ops, sample.agent).unwrap();
        let lines = Consequences::of(&draft, &sample.org()).lines();
        let wins = "which wins over ops in backup";
        assert_eq!(
            lines,
            [format!("SECRET stays unreadable for agent: it is excluded for web in production, {wins}")]
        );
    }

    #[test]
    fn a_variable_that_readers_are_refused_is_told_when_it_is_mapped_and_not_again() {
        let sample = SampleOrg::new();
        let mut draft = sample.draft();
        let extra = draft.org.add_deployment("extra".parse().unwrap()).unwrap();
        draft.org.map(extra, sample.alpha, "GROUPS".parse().unwrap()).unwrap();
        draft.org.map(extra, sample.beta, "GROUP".parse().unwrap()).unwrap();
        draft.org.map(extra, sample.secret, "HISTSIZE".parse().unwrap()).unwrap();
        let lines = Consequences::of(&draft, &sample.org()).lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].ends_with("refused all of it without --allow-env HISTSIZE"), "{lines:?}");
        assert!(lines[0].starts_with("GROUPS in extra is a variable of a shell's own"), "{lines:?}");
        assert!(refused_variables(&draft.org, &draft.org).is_empty());
    }

    #[test]
    fn an_inclusion_that_has_no_effect_is_told_when_it_is_made() {
        let sample = SampleOrg::new();
        let mut draft = sample.draft();
        let extra = draft.org.add_deployment("extra".parse().unwrap()).unwrap();
        draft.org.map(extra, sample.secret, "SECRET".parse().unwrap()).unwrap();
        draft.org.assign(sample.web, extra, BTreeSet::new(), NewKeys::Allow).unwrap();
        let lines = Consequences::of(&draft, &sample.org()).lines();
        assert_eq!(
            lines,
            [
                "SECRET stays unreadable for agent, both: it is excluded for web in production, which wins over web in extra"
            ]
        );
    }
}
