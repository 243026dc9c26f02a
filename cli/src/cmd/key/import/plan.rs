//! What becomes of each name of a file. Pure: names in, steps out.

use std::collections::BTreeSet;

use keyward_wire::name::{EnvName, Name};

use crate::fault::{Code, Fault};
use crate::text::list;

/// What to do about names that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OnConflict {
    /// Leave the key that is there alone
    Skip,
    /// Give the key that is there the file's value, if it is another one
    Version,
    /// Store it beside the other one, as NAME_2
    Rename,
}

/// The step for one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A new key.
    Create,
    /// Does nothing: the key that is there stays.
    Skip,
    /// A new version of the key that is there.
    Version,
    /// A new key of another name, `NAME_number`.
    Rename { to: Name, number: u32 },
}

/// A step for each of `names`, which are all different; `existing` are taken.
///
/// # Errors
/// The names that are taken, if nothing is said about them or no other name will do.
pub(super) fn plan(
    names: &[&Name],
    existing: &BTreeSet<&Name>,
    on_conflict: Option<OnConflict>,
) -> Result<Vec<Step>, Vec<Name>> {
    let mut taken: BTreeSet<Name> = existing.iter().chain(names).map(|name| (*name).clone()).collect();
    let (mut steps, mut conflicts) = (Vec::with_capacity(names.len()), Vec::new());
    for name in names {
        let step = match on_conflict {
            _ if !existing.contains(name) => Some(Step::Create),
            None => None,
            Some(OnConflict::Skip) => Some(Step::Skip),
            Some(OnConflict::Version) => Some(Step::Version),
            Some(OnConflict::Rename) => beside(name, &mut taken),
        };
        match step {
            Some(step) => steps.push(step),
            None => conflicts.push((*name).clone()),
        }
    }
    if conflicts.is_empty() { Ok(steps) } else { Err(conflicts) }
}

/// `NAME_2`, or the first after it that is free. `None` if that would be too long for a name.
fn beside(name: &Name, taken: &mut BTreeSet<Name>) -> Option<Step> {
    for number in 2.. {
        let to: Name = format!("{name}_{number}").parse().ok()?;
        if taken.insert(to.clone()) {
            return Some(Step::Rename { to, number });
        }
    }
    None
}

/// The variables of these keys' own names.
///
/// # Errors
/// If a name is none of a variable, or of one that steers programs and is not `allowed`.
pub(super) fn variables<'a>(
    keys: impl Iterator<Item = &'a Name>,
    allowed: &[EnvName],
) -> Result<Vec<EnvName>, Fault> {
    let (mut variables, mut invalid, mut steering) = (Vec::new(), Vec::new(), Vec::new());
    for name in keys {
        match name.as_str().parse::<EnvName>() {
            Ok(env) if env.steers_programs() && !allowed.contains(&env) => steering.push(name.clone()),
            Ok(env) => variables.push(env),
            Err(_) => invalid.push(name.clone()),
        }
    }
    if !invalid.is_empty() {
        let what = format!("these keys do not have the name of a variable: {}", list(&invalid));
        return Err(Fault::usage(what).next(
            "nothing was stored; import without --map, then: keyward deployment map DEPLOYMENT 'KEY=VARIABLE'",
        ));
    }
    if !steering.is_empty() {
        let what = format!("these variables steer programs: {}", list(&steering));
        let flags: Vec<String> = steering.iter().take(12).map(|name| format!("--allow-env {name}")).collect();
        return Err(Fault::new(Code::Policy, what)
            .next(format!("nothing was stored; if they are meant, add {}", flags.join(" "))));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Name> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    /// `+` a new key, `-` skipped, `v` a new version, else the other name; `!` and the conflicts.
    fn planned(file: &str, existing: &str, on_conflict: Option<OnConflict>) -> String {
        let (file, existing) = (names(file), names(existing));
        let file: Vec<&Name> = file.iter().collect();
        let steps = plan(&file, &existing.iter().collect(), on_conflict);
        let words: Vec<String> = match steps {
            Err(conflicts) => return format!("! {}", list(&conflicts)),
            Ok(steps) => steps
                .into_iter()
                .map(|step| match step {
                    Step::Create => "+".to_owned(),
                    Step::Skip => "-".to_owned(),
                    Step::Version => "v".to_owned(),
                    Step::Rename { to, number } => {
                        assert!(to.as_str().ends_with(&format!("_{number}")));
                        to.to_string()
                    }
                })
                .collect(),
        };
        words.join(" ")
    }

    #[test]
    fn every_name_gets_its_step() {
        use OnConflict::{Rename, Skip, Version};
        for (file, existing, on_conflict, expected) in [
            ("", "A", None, ""),
            ("A B", "", None, "+ +"),
            ("A B", "C", Some(Skip), "+ +"),
            ("A B C", "B C D", None, "! B, C"),
            ("A B C", "B", Some(Skip), "+ - +"),
            ("A B C", "B", Some(Version), "+ v +"),
            ("A B C", "B", Some(Rename), "+ B_2 +"),
            // Case matters.
            ("a", "A", None, "+"),
            // The first that is free, whoever has the others: a key, or another line of the file.
            ("A", "A A_2 A_3", Some(Rename), "A_4"),
            ("A A_2", "A", Some(Rename), "A_3 +"),
            ("A_2 A", "A A_2", Some(Rename), "A_2_2 A_3"),
            ("A A_2", "A A_2", Some(Rename), "A_3 A_2_2"),
        ] {
            assert_eq!(
                planned(file, existing, on_conflict),
                expected,
                "{file} into {existing}, {on_conflict:?}"
            );
        }
    }

    #[test]
    fn a_name_too_long_to_be_renamed_is_a_conflict() {
        let long = "N".repeat(256);
        assert_eq!(planned(&long, &long, Some(OnConflict::Rename)), format!("! {long}"));
    }

    #[test]
    fn names_that_are_no_variables_or_steer_programs_are_refused_before_anything_is_written() {
        let check = |text: &str, allowed: &[&str]| {
            let (names, allowed) = (names(text), allowed.iter().map(|name| name.parse().unwrap()));
            variables(names.iter(), &allowed.collect::<Vec<_>>()).map(|variables| variables.len())
        };
        assert_eq!(check("A B_1 _", &[]).ok(), Some(3));
        let invalid = check("A a.b 1-x PATH", &[]).unwrap_err();
        assert_eq!(invalid.code, Code::Usage);
        assert!(invalid.to_string().contains("a.b, 1-x"), "{invalid}");
        let steering = check("A PATH LD_PRELOAD", &["PATH"]).unwrap_err();
        assert_eq!(steering.code, Code::Policy);
        assert!(steering.to_string().ends_with("add --allow-env LD_PRELOAD"), "{steering}");
        assert_eq!(check("A PATH", &["PATH"]).ok(), Some(2));
    }
}
