//! What the gateway refused of a rule and would refuse no longer.

use keyward_wire::provider::minting::Minting;

/// What of `before` was refused, if only in part, and is not `now`. Both are of the same rule.
pub(super) fn newly_allowed<'a>(before: &'a [Minting], now: &[Minting]) -> Vec<&'a Minting> {
    let is_allowed = |path| !now.iter().any(|one| one.refused.contains(path));
    before.iter().filter(|one| one.refused.iter().any(is_allowed)).collect()
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
            let found = newly_allowed(&old, &new).iter().any(|one| one.path.as_str() == path);
            assert_eq!(found, is_opened, "{before} to {now}: {paths:?}");
        }
    }
}
