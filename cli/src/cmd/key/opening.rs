//! Another provider of a key, by which the gateway no longer refuses paths that make or show credentials.

use clap::Args;
use keyward_wire::name::Name;
use keyward_wire::provider::minting::Minting;

use super::told::{RuleChange, briefly};
use crate::fault::{Code, Fault};

/// Said wherever a key's provider may become another one.
#[derive(Args)]
pub(super) struct Opening {
    /// Allow another provider by which the gateway no longer refuses paths that make or show credentials
    #[arg(long, help_heading = "Injection by the gateway")]
    allow_credential_paths: bool,
}

impl Opening {
    /// Paths that were refused and would not be any longer have to be meant.
    ///
    /// # Errors
    /// With these paths.
    pub(super) fn check(&self, key: &Name, change: &RuleChange) -> Result<(), Fault> {
        let opened = change.opened();
        if opened.is_empty() || self.allow_credential_paths {
            return Ok(());
        }
        let what = format!(
            "with this provider the gateway would no longer refuse, for {key}, what makes or shows credentials: {}",
            briefly(&opened)
        );
        Err(Fault::new(Code::Policy, what)
            .next("nothing was stored; leave the provider as it is, or add --allow-credential-paths"))
    }
}

/// What of `before` was refused, if only in part, and is not `now`. Both are of the same rule.
pub(super) fn opened<'a>(before: &'a [Minting], now: &[Minting]) -> Vec<&'a Minting> {
    let is_open = |path| !now.iter().any(|one| one.refused.contains(path));
    before.iter().filter(|one| one.refused.iter().any(is_open)).collect()
}

#[cfg(test)]
mod tests {
    use keyward_wire::provider::minting::of_rule;
    use keyward_wire::rule::{Injection, Rule, Terms};

    use super::*;

    #[test]
    fn v6_what_was_refused_in_part_is_opened_as_all_of_it_is() {
        let items = "/v1/vaults/*/items/*";
        let (keys, below) = ("/user/keys/*", "/api/v3/user/keys/*");
        let (connect, github) = ("1password-connect", "github");
        for (before, now, path, paths, is_opened) in [
            (connect, "other", items, &[][..], true),
            (connect, "other", items, &["/v1/*"], true),
            (connect, "other", items, &["/v1/*", "/v1/vaults/V/items/I"], true),
            (connect, "other", items, &["/v1/*", items], false),
            (connect, "other", items, &["/v1/vaults/V/items/I"], false),
            (connect, connect, items, &["/v1/*", "/v1/vaults/V/items/I"], false),
            ("other", connect, items, &["/v1/*"], false),
            (github, "other", keys, &["/*", keys], true),
            (github, "other", keys, &["/*", below], true),
            (github, "other", keys, &["/*", keys, below], false),
            (github, "GitHub", keys, &["/*", keys], false),
        ] {
            let mut terms = Terms::new(vec!["own.ten.test".parse().unwrap()], vec![Injection::bearer()]);
            terms.paths = Some(paths.iter().map(|path| path.parse().unwrap()).collect::<Vec<_>>())
                .filter(|paths| !paths.is_empty());
            let rule = Rule::new(terms).unwrap();
            let (old, new) = (of_rule(&rule, Some(before)), of_rule(&rule, Some(now)));
            let found = opened(&old, &new).iter().any(|one| one.path.as_str() == path);
            assert_eq!(found, is_opened, "{before} to {now}: {paths:?}");
        }
    }
}
