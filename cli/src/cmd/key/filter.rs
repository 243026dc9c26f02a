//! A filter of keys: by their names, and by what is said of them.

use clap::Args;
use wildmatch::WildMatch;

use super::facts::{Facts, Mapped};
use crate::fault::{Code, Fault};
use crate::vault::mapping_file;

#[derive(Args, Default)]
pub(super) struct Filter {
    /// Only keys whose name is like this; * stands for any characters, ? for one (write it in quotes)
    #[arg(value_name = "PATTERN")]
    name: Option<String>,
    /// Only keys with this tag; given several times, with all of them
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only keys of this provider
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// Only keys of this set
    #[arg(long, value_name = "LABEL")]
    set: Option<String>,
    /// Only keys that are mapped in this deployment
    #[arg(long, value_name = "DEPLOYMENT")]
    deployment: Option<String>,
    /// Only keys that are mapped nowhere
    #[arg(long, conflicts_with = "deployment")]
    unused: bool,
}

impl Filter {
    /// Whether any key may be left out.
    pub(super) fn is_given(&self) -> bool {
        let Self { name, tags, provider, set, deployment, unused } = self;
        *unused || !tags.is_empty() || [name, provider, set, deployment].iter().any(|word| word.is_some())
    }

    /// Refuses to filter by what somebody who is no owner or admin cannot see: nothing would ever match, or everything.
    pub(super) fn check_view(&self) -> Result<(), Fault> {
        let hidden =
            [("--tag", !self.tags.is_empty()), ("--set", self.set.is_some()), ("--unused", self.unused)];
        let Some((flag, _)) = hidden.iter().find(|(_, given)| *given) else { return Ok(()) };
        let what = format!("{flag} needs what only owners and admins see");
        Err(Fault::new(Code::Policy, what).next("filter by a name's pattern, --provider or --deployment"))
    }

    /// Leaves only those that are meant. `deployments` are the names and ids of all that there are.
    pub(super) fn apply(
        &self,
        keys: &mut Vec<Facts>,
        deployments: &[(String, String)],
    ) -> anyhow::Result<()> {
        let deployment = self.deployment(deployments)?;
        let pattern = self.name.as_deref().map(WildMatch::new);
        let same = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
        keys.retain(|key| {
            let in_it = |mapped: &Mapped| Some(mapped.deployment.to_string()) == deployment;
            pattern.as_ref().is_none_or(|pattern| pattern.matches(key.name.as_str()))
                && self.tags.iter().all(|tag| key.tags.contains(tag))
                && same(&self.provider, &key.provider)
                && same(&self.set, &key.set)
                && (deployment.is_none() || key.mapped.iter().any(in_it))
                && (!self.unused || key.mapped.is_empty())
        });
        Ok(())
    }

    /// The id of the deployment that is meant.
    fn deployment(&self, all: &[(String, String)]) -> anyhow::Result<Option<String>> {
        let Some(wanted) = &self.deployment else { return Ok(None) };
        let wanted = mapping_file::find(wanted)?.map_or_else(|| wanted.clone(), |id| id.to_string());
        let found =
            all.iter().find(|(name, _)| *name == wanted).or_else(|| all.iter().find(|(_, id)| *id == wanted));
        match found {
            Some((_, id)) => Ok(Some(id.clone())),
            None => {
                Err(Fault::unknown("deployment", &wanted, all.iter().map(|(name, _)| name.as_str())).into())
            }
        }
    }
}
