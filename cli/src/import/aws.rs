//! AWS credentials come in twos and threes that belong together.

use std::collections::{HashMap, HashSet};

/// For each name, the label of the AWS set it belongs to.
///
/// A set is `PREFIX_AWS_ACCESS_KEY_ID` with `PREFIX_AWS_SECRET_ACCESS_KEY` and, if it is there,
/// `PREFIX_AWS_SESSION_TOKEN`. Its label is the prefix with blanks for underscores, then "AWS Credentials"
/// (`PROD_EU_…` gives "PROD EU AWS Credentials"); without a prefix it is "AWS Credentials" alone. Half a set is none.
pub fn sets(names: &[&str]) -> Vec<Option<String>> {
    let mut parts: HashMap<&str, HashSet<Part>> = HashMap::new();
    for (prefix, part) in names.iter().copied().filter_map(split) {
        parts.entry(prefix).or_default().insert(part);
    }
    let complete = |prefix: &str| {
        parts.get(prefix).is_some_and(|found| found.contains(&Part::Id) && found.contains(&Part::Secret))
    };
    names
        .iter()
        .map(|name| split(name).filter(|(prefix, _)| complete(prefix)).map(|(prefix, _)| label(prefix)))
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Id,
    Secret,
    Session,
}

/// `PROD_AWS_ACCESS_KEY_ID` → (`PROD_`, Id). The prefix keeps its underscore.
fn split(name: &str) -> Option<(&str, Part)> {
    let (prefix, part) =
        PARTS.iter().find_map(|(suffix, part)| name.strip_suffix(suffix).map(|prefix| (prefix, *part)))?;
    let is_prefix = prefix.is_empty() || prefix.len() > 1 && prefix.ends_with('_');
    is_prefix.then_some((prefix, part))
}

fn label(prefix: &str) -> String {
    format!("{}AWS Credentials", prefix.replace('_', " "))
}

const PARTS: [(&str, Part); 3] = [
    ("AWS_ACCESS_KEY_ID", Part::Id),
    ("AWS_SECRET_ACCESS_KEY", Part::Secret),
    ("AWS_SESSION_TOKEN", Part::Session),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        sets(names).into_iter().map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn halves_of_one_prefix_make_a_set_wherever_they_stand() {
        assert_eq!(
            labels(&["PROD_AWS_SECRET_ACCESS_KEY", "STRIPE_KEY", "PROD_AWS_ACCESS_KEY_ID"]),
            ["PROD AWS Credentials", "", "PROD AWS Credentials"],
        );
        assert_eq!(
            labels(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]),
            ["AWS Credentials"; 3]
        );
        assert_eq!(
            labels(&["PROD_EU_AWS_ACCESS_KEY_ID", "PROD_EU_AWS_SECRET_ACCESS_KEY"]),
            ["PROD EU AWS Credentials"; 2]
        );
    }

    #[test]
    fn half_a_set_is_none() {
        assert_eq!(labels(&["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"]), ["", ""]);
        assert_eq!(labels(&["A_AWS_ACCESS_KEY_ID", "B_AWS_SECRET_ACCESS_KEY"]), ["", ""]);
        assert_eq!(labels(&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"]), ["", ""]);
        assert_eq!(labels(&["AWS_SESSION_TOKEN"]), [""]);
        assert_eq!(labels(&[]), [""; 0]);
    }

    #[test]
    fn other_names_are_left_alone() {
        assert_eq!(
            labels(&[
                "MYAWS_ACCESS_KEY_ID",
                "MYAWS_SECRET_ACCESS_KEY",
                "AWS_ACCESS_KEY_ID_OLD",
                "AWS_REGION"
            ]),
            [""; 4]
        );
        assert_eq!(labels(&["_AWS_ACCESS_KEY_ID", "_AWS_SECRET_ACCESS_KEY"]), ["", ""]);
    }
}
